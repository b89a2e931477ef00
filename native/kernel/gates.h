// The functions of an LSTM and a GRU (of the gates, and of what the gates let through), and the epilogue of a block.
#pragma once

#include "activations.h"
#include "layer.h"

namespace {

struct Sigmoid {
  INLINE Floats operator()(Floats x) const { return sigmoid(x); }
};

struct HardSigmoid {
  Floats slope;
  INLINE Floats operator()(Floats x) const { return hardSigmoid(x, slope); }
};

struct Tanh {
  INLINE Floats operator()(Floats x) const { return tanh(x); }
};

struct Relu {
  INLINE Floats operator()(Floats x) const { return relu(x); }
};

// Finishes one row and panel of a cell whose functions are not sigmoid and tanh. `K::finish` is compiled for each such pair,
// but only once for all block sizes, to keep these out of the way of the most common cells.
template <class K>
__attribute__((noinline)) void finishOther(const Floats (&sums)[1][1][K::kUsed], const cellserve::Weights& weights,
                                           const cellserve::Pass& pass, size_t row, size_t unit, size_t left) {
  const HardSigmoid hard{fill(weights.slope)};
  const bool isRelu = weights.activation == cellserve::Activation::kRelu;
  if (weights.slope == 0) return K::finish(sums, Sigmoid{}, Relu{}, pass, row, unit, left);
  if (isRelu) return K::finish(sums, hard, Relu{}, pass, row, unit, left);
  K::finish(sums, hard, Tanh{}, pass, row, unit, left);
}

// Writes the gates of one row and panel, if requested: the same functions of the same sums.
template <class K>
__attribute__((noinline)) void tellGates(const Floats (&sums)[K::kUsed], const cellserve::Weights& weights, float* to, size_t left) {
  const HardSigmoid hard{fill(weights.slope)};
  const auto gate = [&](Floats sum) { return weights.slope == 0 ? sigmoid(sum) : hard(sum); };
  const auto f = [&](Floats sum) { return weights.activation == cellserve::Activation::kRelu ? relu(sum) : tanh(sum); };
  Floats gates[K::kGates];
  K::gates(sums, gate, f, gates);
  for (int k = 0; k < K::kGates; k++) storeSome(to + k * weights.sizes.Ho, gates[k], left);
}

// The epilogue of a block, with its cell's functions.
template <class K, int P, int R>
INLINE void finishGated(const Floats (&sums)[P][R][K::kUsed], const cellserve::Weights& weights, const cellserve::Pass& pass,
                        size_t row, size_t unit) {
  const size_t left = weights.sizes.Ho - unit;
  if (__builtin_expect(pass.gates.data != nullptr, false)) {
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        // A copy: sums that another function sees would not stay in registers.
        Floats one[K::kUsed];
        for (int sum = 0; sum < K::kUsed; sum++) one[sum] = sums[p][r][sum];
        tellGates<K>(one, weights, pass.gates.row(row + r) + unit + p * kLanes, left - p * kLanes);
      }
    }
  }
  if (weights.slope == 0 && weights.activation == cellserve::Activation::kTanh) {
    return K::finish(sums, Sigmoid{}, Tanh{}, pass, row, unit, left);
  }
  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) {
      Floats one[1][1][K::kUsed];
      for (int sum = 0; sum < K::kUsed; sum++) one[0][0][sum] = sums[p][r][sum];
      finishOther<K>(one, weights, pass, row + r, unit + p * kLanes, left - p * kLanes);
    }
  }
}

}  // namespace
