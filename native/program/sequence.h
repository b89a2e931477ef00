// Many steps of the same rows, the feedback made between them.
#pragma once

#include <memory>

#include "../kernel/cell.h"
#include "threads.h"

namespace cellserve {

// How the next h_in is made of the last h_out: `P h + p` where `projection` is given, else `h` some times over and then
// a vector.
struct Feedback {
  size_t repeat = 0;
  const float* vectors = nullptr;  // [rows, vectorSize], or [steps - 1, rows, vectorSize] where `perStep`
  size_t vectorSize = 0;
  bool perStep = false;
  const float* projection = nullptr;  // [Hi, Ho]
  const float* bias = nullptr;        // [Hi]
};

struct Sequence {
  size_t steps;
  size_t rows;
  const float* x;  // [steps, rows, I], or [rows, I] where `sameX`
  bool sameX;
  const float* hIn;  // [rows, Hi], what the first step reads
  float* c;          // [rows, Ho], read by the first step, written by the last
  float* output;     // [steps, rows, Ho]
  Feedback feedback;
};

// Runs a sequence on one thread or more. Each member of the team owns some panels, so it reads only its own share of
// the weights, step after step; what the members give one another is h.
class SequenceRun {
 public:
  // Allocates all that the steps need.
  SequenceRun(const Weights&, const Sequence&);
  void work(size_t member, Team&) const;

 private:
  float* input(size_t step) const { return hidden_.get() + step % 2 * sequence_.rows * weights_.sizes.Hi; }
  void feed(size_t step, size_t firstUnit, size_t endUnit, bool first) const;
  void project(size_t step, size_t begin, size_t end) const;

  const Weights& weights_;
  const Sequence sequence_;
  // W_ih x of a chunk of steps is one product, which reads those weights once. Its sums wait in `gates_`.
  size_t chunk_ = 1;
  std::unique_ptr<float[]> gates_;
  std::unique_ptr<float[]> hidden_;  // h_in of this step and of the next: [2, rows, Hi]
};

}  // namespace cellserve
