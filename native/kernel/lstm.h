// The LSTM: sums i, f, g, o.
#pragma once

#include "gates.h"

namespace {

struct Lstm {
  static constexpr int kUsed = 4;  // sums
  static constexpr size_t kUnits = kLanes;
  static constexpr int kColumns = 4;  // of a term, in the panel
  static constexpr int kGates = 4;
  static constexpr int kX[kColumns] = {0, 1, 2, 3}, kH[kColumns] = {0, 1, 2, 3};  // the sum that each column of x and of h adds to

  template <class Gate, class F>
  static INLINE void gates(const Floats (&sums)[kUsed], Gate gate, F f, Floats (&to)[kGates]) {
    to[0] = gate(sums[0]), to[1] = gate(sums[1]), to[2] = f(sums[2]), to[3] = gate(sums[3]);
  }

  // The epilogue: computes the new state from the sums. All rows and panels are computed side by side, because within one of
  // them each function waits for the one before it.
  template <int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], const cellserve::Weights& weights, const cellserve::Pass& pass,
                            size_t row, size_t unit) {
    finishGated<Lstm>(sums, weights, pass, row, unit);
  }

  template <class Gate, class F, int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], Gate gate, F f, const cellserve::Pass& pass, size_t row, size_t unit,
                            size_t left) {
    Floats c[P][R], h[P][R];
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) c[p][r] = loadSome(pass.carry.row(row + r) + unit + p * kLanes, left - p * kLanes);
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        const Floats(&of)[kUsed] = sums[p][r];
        c[p][r] = fma(gate(of[1]), c[p][r], gate(of[0]) * f(of[2])) + (lost(of[0]) + lost(of[1]) + lost(of[2]) + lost(of[3]));
      }
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) h[p][r] = gate(sums[p][r][3]) * f(c[p][r]);
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        storeSome(pass.carryOut.row(row + r) + unit + p * kLanes, c[p][r], left - p * kLanes);
        storeSome(pass.out.row(row + r) + unit + p * kLanes, h[p][r], left - p * kLanes);
      }
    }
  }
};

}  // namespace
