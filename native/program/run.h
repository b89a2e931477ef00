// Runs a program's instructions on the rows of a batch, for a number of steps.
#pragma once

#include <vector>

#include "program.h"
#include "threads.h"

namespace cellserve {

// The arguments of a call. In a stream, row i of step t begins at ((t * rows) + i) * width.
struct Call {
  size_t rows = 0;
  size_t steps = 0;
  size_t first = 0, end = 0;  // instructions
  float* states[2] = {};      // the old one and the new one; they are swapped after each step
  float* scratch = nullptr;
  std::vector<float*> streams;       // inputs, then outputs
  uint32_t repeated = 0;             // bit k: input k has one step, which is repeated
  uint32_t asked = 0;                // bit k: output k is asked for
  float* attention = nullptr;        // where to write the weights, if they are asked for
  size_t attentionWidth = 0;         // of one row
  std::vector<const Set*> sets;      // of each row, if the program attends
};

class Run {
 public:
  explicit Run(const Program& program) : program_(program) {}

  // Prepares a call, and allocates what it needs. @throws std::bad_alloc
  void begin(size_t members);
  // Runs a member's part of it, on that member's thread.
  void work(size_t member, Team&);

  // Fill this in first. Its vectors keep their contents from call to call.
  Call call;

 private:
  // A place in memory: the first row, and the distances to the next row and to the next step.
  struct Place {
    float* data;
    size_t row, step;
  };
  // A cell's sums of x, computed for several steps at once.
  struct Ahead {
    size_t instruction;
    size_t chunk;  // steps
    bool repeated;
    float* sums;
  };

  Vectors at(const Operand&, size_t step) const;
  bool isAsked(const Operand&) const;
  void execute(size_t index, size_t step, size_t member, Team&);
  void passLayer(const Instruction&, const Ahead*, size_t step, const Part&) const;
  void attend(const Instruction&, size_t step, size_t member, Team&);
  void score(size_t first, size_t count, Vectors queries, Vectors scores, const Vectors& from, size_t begin, size_t end) const;
  size_t tileEnd(size_t position, size_t end) const;
  void layOutAttention(size_t members);

  const Program& program_;
  const Plan* plan_ = nullptr;
  std::vector<Place> places_;
  std::vector<Ahead> aheads_;

  // Attention: the rows, grouped by set, and where each member's rows begin.
  std::vector<size_t> order_;
  std::vector<size_t> bounds_;
  bool byRows_ = true;
  size_t tile_ = 0;          // rows at a time
  size_t scoreStride_ = 0;
  float* sharedScores_ = nullptr;
  float* privateScores_ = nullptr;  // each member's follow those of the member before it
  float* privateQueries_ = nullptr;

  FloatMemory arena_;
  size_t arenaFloats_ = 0;
};

}  // namespace cellserve
