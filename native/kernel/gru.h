// The GRU: sums r, z, n of x, n of h. The terms of x add to three of them, those of h to three.
#pragma once

#include "gates.h"

namespace {

struct Gru {
  static constexpr int kUsed = 4;
  static constexpr size_t kUnits = kLanes;
  static constexpr int kColumns = 3;
  static constexpr int kGates = 3;
  static constexpr int kX[kColumns] = {0, 1, 2}, kH[kColumns] = {0, 1, 3};

  template <class Gate, class F>
  static INLINE void gates(const Floats (&sums)[kUsed], Gate gate, F f, Floats (&to)[kGates]) {
    to[0] = gate(sums[0]), to[1] = gate(sums[1]), to[2] = f(fma(to[0], sums[3], sums[2]));
  }

  template <int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], const cellserve::Weights& weights, const cellserve::Pass& pass,
                            size_t row, size_t unit) {
    finishGated<Gru>(sums, weights, pass, row, unit);
  }

  template <class Gate, class F, int P, int R>
  static INLINE void finish(const Floats (&sums)[P][R][kUsed], Gate gate, F f, const cellserve::Pass& pass, size_t row, size_t unit,
                            size_t left) {
    Floats h[P][R], n[P][R];
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) h[p][r] = loadSome(pass.carry.row(row + r) + unit + p * kLanes, left - p * kLanes);
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) n[p][r] = f(fma(gate(sums[p][r][0]), sums[p][r][3], sums[p][r][2]));
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        const Floats(&of)[kUsed] = sums[p][r];
        const Floats z = gate(of[1]);
        h[p][r] = fma(z, h[p][r], (1 - z) * n[p][r]) + (lost(of[0]) + lost(of[1]) + lost(of[2]) + lost(of[3]));
      }
    }
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        storeSome(pass.out.row(row + r) + unit + p * kLanes, h[p][r], left - p * kLanes);
        if (pass.carryOut.data != nullptr) storeSome(pass.carryOut.row(row + r) + unit + p * kLanes, h[p][r], left - p * kLanes);
      }
    }
  }
};

}  // namespace
