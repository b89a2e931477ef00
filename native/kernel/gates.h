// The functions of an LSTM and a GRU: that of the gates, and that of what the gates let through.
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

// One row and panel of a cell that has not both sigmoid and tanh. `K::finish` is compiled for each other pair, but once for all
// sizes of a block: these are kept out of the way of the commonest cells.
template <class K>
__attribute__((noinline)) void finishOther(const Floats (&sums)[1][1][K::kUsed], const cellserve::Weights& weights,
                                           const cellserve::Pass& pass, size_t row, size_t unit, size_t left) {
  const HardSigmoid hard{fill(weights.slope)};
  const bool isRelu = weights.activation == cellserve::Activation::kRelu;
  if (weights.slope == 0) return K::finish(sums, Sigmoid{}, Relu{}, pass, row, unit, left);
  if (isRelu) return K::finish(sums, hard, Relu{}, pass, row, unit, left);
  K::finish(sums, hard, Tanh{}, pass, row, unit, left);
}

// The epilogue of a block, by its cell's functions.
template <class K, int P, int R>
INLINE void finishGated(const Floats (&sums)[P][R][K::kUsed], const cellserve::Weights& weights, const cellserve::Pass& pass,
                        size_t row, size_t unit) {
  const size_t left = weights.sizes.Ho - unit;
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
