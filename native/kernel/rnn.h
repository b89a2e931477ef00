// The RNN and the linear layer: a unit is one sum, so a panel has four vectors of units side by side. The last panel may have
// fewer.
#pragma once

#include "activations.h"
#include "layer.h"

namespace {

template <int Used>
struct Rnn {
  static constexpr int kUsed = Used;
  static constexpr size_t kUnits = 4 * kLanes;
  static constexpr int kColumns = 4;
  static constexpr int kX[kColumns] = {0, 1, 2, 3}, kH[kColumns] = {0, 1, 2, 3};

  template <Floats (*f)(Floats), int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], const cellserve::Pass& pass, size_t row, size_t unit, size_t left) {
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        for (int v = 0; v < Used; v++) {
          const size_t at = p * kUnits + v * kLanes;
          storeSome(pass.out.row(row + r) + unit + at, f(sums[p][r][v]) + lost(sums[p][r][v]), left - at);
        }
      }
    }
  }

  template <int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], const cellserve::Weights& weights, const cellserve::Pass& pass,
                            size_t row, size_t unit) {
    using cellserve::Activation;
    const size_t left = weights.sizes.Ho - unit;
    switch (weights.activation) {
      case Activation::kNone: return finish<same>(sums, pass, row, unit, left);
      case Activation::kTanh: return finish<tanh>(sums, pass, row, unit, left);
      case Activation::kRelu: return finish<relu>(sums, pass, row, unit, left);
      case Activation::kSigmoid: return finish<sigmoid>(sums, pass, row, unit, left);
    }
  }

 private:
  static INLINE Floats same(Floats x) { return x; }
};

}  // namespace
