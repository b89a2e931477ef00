#include "sequence.h"

#include <algorithm>

namespace cellserve {
namespace {

// Enough for a lone row's steps to fill the kernel's blocks. Batches from there on fill them by themselves, and go through
// both halves at once.
constexpr size_t kChunkRows = 24;

}  // namespace

SequenceRun::SequenceRun(const Weights& weights, const Sequence& sequence) : weights_(weights), sequence_(sequence) {
  const auto& [steps, rows, x, sameX, hIn, c, output, feedback] = sequence_;
  chunk_ = sameX ? 1 : std::min(steps, std::max<size_t>(kChunkRows / rows, 1));
  if (chunk_ > 1 || (sameX && steps > 1)) {
    gates_.reset(new float[chunk_ * rows * weights.panels * kGates * weights.kernel->lanes]);
  }
  if (steps > 1) hidden_.reset(new float[2 * rows * weights.sizes.Hi]);
}

void SequenceRun::work(size_t member, Team& team) const {
  const auto& [steps, rows, x, sameX, hIn, c, output, feedback] = sequence_;
  const auto [I, Hi, Ho] = weights_.sizes;
  const Share panels = share(weights_.panels, member, team.members);
  const size_t lanes = weights_.kernel->lanes;
  const size_t gateRows = chunk_ * rows;

  for (size_t t = 0; t < steps; t++) {
    const float* xNow = sameX ? x : x + t * rows * I;
    const size_t inChunk = sameX ? t : t % chunk_;
    if (gates_ != nullptr && inChunk == 0) {
      const size_t together = std::min(chunk_, steps - t) * rows;
      weights_.kernel->pass(weights_, {together, xNow, nullptr, gates_.get(), gateRows, nullptr, nullptr, nullptr},
                            panels.begin, panels.end);
    }
    float* gates = gates_ == nullptr ? nullptr : gates_.get() + t % chunk_ * rows * kGates * lanes;
    weights_.kernel->pass(weights_, {rows, gates_ == nullptr ? xNow : nullptr, t == 0 ? hIn : input(t), gates, gateRows, c, c,
                                     output + t * rows * Ho},
                          panels.begin, panels.end);
    if (t + 1 == steps) return;

    if (feedback.projection == nullptr) {
      feed(t, std::min(panels.begin * lanes, Ho), std::min(panels.end * lanes, Ho), member == 0);
    } else {
      if (!team.meet()) return;
      const Share outputs = share(Hi, member, team.members);
      project(t, outputs.begin, outputs.end);
    }
    if (!team.meet()) return;
  }
}

// Copies some units of h, and the vectors if these are the first units, to the next h_in.
void SequenceRun::feed(size_t t, size_t firstUnit, size_t endUnit, bool first) const {
  const auto& feedback = sequence_.feedback;
  const auto [I, Hi, Ho] = weights_.sizes;
  for (size_t row = 0; row < sequence_.rows; row++) {
    const float* h = sequence_.output + (t * sequence_.rows + row) * Ho;
    float* to = input(t + 1) + row * Hi;
    for (size_t n = 0; n < feedback.repeat; n++) std::copy(h + firstUnit, h + endUnit, to + n * Ho + firstUnit);
    if (first && feedback.vectors != nullptr) {
      const size_t at = (feedback.perStep ? t * sequence_.rows + row : row) * feedback.vectorSize;
      std::copy_n(feedback.vectors + at, feedback.vectorSize, to + feedback.repeat * Ho);
    }
  }
}

// P h + p for some rows of P. In double precision the products are exact, so only the order of the sums matters.
void SequenceRun::project(size_t t, size_t begin, size_t end) const {
  constexpr size_t kTogether = 8;  // sums at a time, for each waits for its last addition
  const auto& feedback = sequence_.feedback;
  const auto [I, Hi, Ho] = weights_.sizes;
  for (size_t i = begin; i < end; i += kTogether) {
    const size_t count = std::min(kTogether, end - i);
    for (size_t row = 0; row < sequence_.rows; row++) {
      const float* h = sequence_.output + (t * sequence_.rows + row) * Ho;
      double sums[kTogether] = {};
      for (size_t n = 0; n < count; n++) sums[n] = feedback.bias[i + n];
      if (count == kTogether) {
        for (size_t j = 0; j < Ho; j++) {
          for (size_t n = 0; n < kTogether; n++) sums[n] += static_cast<double>(feedback.projection[(i + n) * Ho + j]) * h[j];
        }
      } else {
        for (size_t n = 0; n < count; n++) {
          for (size_t j = 0; j < Ho; j++) sums[n] += static_cast<double>(feedback.projection[(i + n) * Ho + j]) * h[j];
        }
      }
      for (size_t n = 0; n < count; n++) input(t + 1)[row * Hi + i + n] = static_cast<float>(sums[n]);
    }
  }
}

}  // namespace cellserve
