// Takes the rows of a batch through a program's instructions, for a number of steps.
#pragma once

#include <vector>

#include "program.h"
#include "threads.h"

namespace cellserve {

// What a call is about. Row i of what a stream has for step t begins at ((t * rows) + i) * width.
struct Call {
  size_t rows = 0;
  size_t steps = 0;
  size_t first = 0, end = 0;  // instructions
  float* states[2] = {};      // the old one and the new one; they change places after each step
  float* scratch = nullptr;
  std::vector<float*> streams;       // inputs, then outputs
  uint32_t repeated = 0;             // bit k: input k is that of one step
  uint32_t asked = 0;                // bit k: output k is asked for
  float* attention = nullptr;        // where the weights go, if they are asked for
  size_t attentionWidth = 0;         // of a row's
  std::vector<const Set*> sets;      // of each row, if the program attends
};

class Run {
 public:
  explicit Run(const Program& program) : program_(program) {}

  // Takes up a call, and allocates what it needs. @throws std::bad_alloc
  void begin(size_t members);
  // A member's part of it, on a thread of its own.
  void work(size_t member, Team&);

  // To be filled in first; what its vectors hold is kept from call to call.
  Call call;

 private:
  // A place in memory: of the first row, and how far it is to the next row and to the next step.
  struct Place {
    float* data;
    size_t row, step;
  };
  // A cell's sums of x, made for some steps at once.
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

  // Attention: the rows, those of a set side by side, and who has which of them.
  std::vector<size_t> order_;
  std::vector<size_t> bounds_;
  bool byRows_ = true;
  size_t tile_ = 0;          // rows at a time
  size_t scoreStride_ = 0;
  float* sharedScores_ = nullptr;
  float* privateScores_ = nullptr;  // a member's follow on from those of the one before it
  float* privateQueries_ = nullptr;

  FloatMemory arena_;
  size_t arenaFloats_ = 0;
};

}  // namespace cellserve
