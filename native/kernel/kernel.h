// The kernel: rows through panels. Include it once in a file that is compiled for one instruction set, with
//
//     CELLSERVE_LANES   floats in a vector
//     CELLSERVE_ROWS    rows in a block: 4 * CELLSERVE_ROWS sums fill the registers, but for a few
//     CELLSERVE_KERNEL  the name of the `Kernel` that it defines
#pragma once

#include "activations.h"
#include "cell.h"

namespace {

using cellserve::kGates;
using cellserve::Pass;
using cellserve::Weights;

constexpr int kRows = CELLSERVE_ROWS;
constexpr size_t kPanelRow = kGates * kLanes;  // floats that one k takes in a panel, and the four sums of a row

// The sums of a few rows and panels, in registers: [panel][row][gate], a vector of hidden units each.
template <int P, int R>
struct Sums {
  Floats of[P][R][kGates];
};

// How many terms ahead the weights are fetched. Past a panel's end come those of the next, or nothing: a fetch never faults.
constexpr size_t kAhead = 10;

// Adds `depth` terms to the sums: `in` holds them for each row, `weights` from the same k on for each panel.
template <int P, int R>
INLINE void multiply(Sums<P, R>& sums, const float* const (&weights)[P], const float* in, size_t stride, size_t depth) {
  for (size_t k = 0; k < depth; k++) {
    Floats term[R];
    for (int r = 0; r < R; r++) term[r] = fill(in[r * stride + k]);
    for (int p = 0; p < P; p++) {
      const float* w = weights[p] + k * kPanelRow;
      for (size_t line = 0; line < kPanelRow; line += 16) __builtin_prefetch(w + kAhead * kPanelRow + line);
      for (size_t gate = 0; gate < kGates; gate++) {
        const Floats weight = load(w + gate * kLanes);
        for (int r = 0; r < R; r++) sums.of[p][r][gate] = fma(weight, term[r], sums.of[p][r][gate]);
      }
    }
  }
}

// A stretch of the terms of a sum: of x, of h, or of both, where neither is empty.
struct Stretch {
  size_t x, xEnd, h, hEnd;
};

// A block of rows and panels: what a pass wants of it.
struct Block {
  const Weights& weights;
  const Pass& pass;
  size_t panel;
  size_t row;
  Stretch terms;
  const float* from;  // the sums so far, [panel][row][4][lanes]; null to start with the bias
  float* to;          // where to leave the sums; null to finish the cell
  size_t panelStride; // of `from` and `to`
};

// The epilogue: from the sums to the new state. All rows and panels go side by side, for in one of them each function
// waits for the one before it.
template <int P, int R>
INLINE void finish(const Sums<P, R>& sums, const Pass& pass, size_t row, size_t unit, size_t Ho) {
  Floats c[P][R], h[P][R];
  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) c[p][r] = loadSome(pass.c + (row + r) * Ho + unit + p * kLanes, Ho - unit - p * kLanes);
  }
  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) {
      const Floats(&gates)[kGates] = sums.of[p][r];
      // A sum past float32's range has lost what it stood for, though its gate would make some number of it. Less itself
      // it is NaN, as others are zero: the state becomes NaN, and the caller can tell.
      const Floats lost = (gates[0] - gates[0]) + (gates[1] - gates[1]) + (gates[2] - gates[2]) + (gates[3] - gates[3]);
      c[p][r] = fma(sigmoid(gates[1]), c[p][r], sigmoid(gates[0]) * tanh(gates[2])) + lost;
    }
  }
  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) h[p][r] = sigmoid(sums.of[p][r][3]) * tanh(c[p][r]);
  }
  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) {
      const size_t at = (row + r) * Ho + unit + p * kLanes;
      storeSome(pass.cOut + at, c[p][r], Ho - unit - p * kLanes);
      storeSome(pass.hOut + at, h[p][r], Ho - unit - p * kLanes);
    }
  }
}

template <int P, int R>
void compute(const Block& block) {
  const auto& [weights, pass, panel, row, terms, from, to, panelStride] = block;
  const auto [I, Hi, Ho] = weights.sizes;
  Sums<P, R> sums;
  const float* w[P];

  for (int p = 0; p < P; p++) {
    w[p] = weights.panel(panel + p);
    for (int r = 0; r < R; r++) {
      const float* start = from == nullptr ? w[p] : from + p * panelStride + r * kPanelRow;
      for (size_t gate = 0; gate < kGates; gate++) sums.of[p][r][gate] = load(start + gate * kLanes);
    }
  }

  if (terms.x < terms.xEnd) {
    for (int p = 0; p < P; p++) w[p] = weights.panel(panel + p) + (1 + terms.x) * kPanelRow;
    multiply<P, R>(sums, w, pass.x + row * I + terms.x, I, terms.xEnd - terms.x);
  }
  if (terms.h < terms.hEnd) {
    for (int p = 0; p < P; p++) w[p] = weights.panel(panel + p) + (1 + I + terms.h) * kPanelRow;
    multiply<P, R>(sums, w, pass.h + row * Hi + terms.h, Hi, terms.hEnd - terms.h);
  }

  if (to != nullptr) {
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        for (size_t gate = 0; gate < kGates; gate++) {
          store(to + p * panelStride + r * kPanelRow + gate * kLanes, sums.of[p][r][gate]);
        }
      }
    }
    return;
  }
  finish<P, R>(sums, pass, row, panel * kLanes, Ho);
}

// `R` rows, known at compile time so that their sums stay in registers.
template <int P, int R = kRows>
void compute(size_t rows, const Block& block) {
  if constexpr (R > 1) {
    if (rows < R) return compute<P, R - 1>(rows, block);
  }
  compute<P, R>(block);
}

// Many rows. Each block of rows reads the panel again, so it goes by in slices of 128 KiB that stay in the L2 cache: every
// block takes a slice before the next comes up, and puts its sums down in between.
void computeMany(const Weights& weights, const Pass& pass, size_t panel) {
  constexpr size_t kSlice = 8192 / kLanes;
  constexpr size_t kTile = 64;
  const size_t I = pass.x == nullptr ? 0 : weights.sizes.I;
  const size_t Hi = pass.h == nullptr ? 0 : weights.sizes.Hi;
  float gates[kTile * kPanelRow];

  for (size_t tile = 0; tile < pass.rows; tile += kTile) {
    const size_t tileEnd = tile + kTile < pass.rows ? tile + kTile : pass.rows;
    const size_t blocks = (tileEnd - tile + kRows - 1) / kRows;
    float* halves = pass.gates == nullptr ? nullptr : pass.gates + (panel * pass.gateRows + tile) * kPanelRow;

    for (size_t k = 0, end; k < I + Hi; k = end) {
      end = k + kSlice < I + Hi ? k + kSlice : I + Hi;
      const Stretch terms{k < I ? k : I, end < I ? end : I, k < I ? 0 : k - I, end < I ? 0 : end - I};
      const float* from = k > 0 ? gates : pass.x == nullptr ? halves : nullptr;
      float* to = end < I + Hi ? gates : pass.h == nullptr ? halves : nullptr;
      // Blocks as even as can be: four rows are two and two, not three and one.
      for (size_t block = 0; block < blocks; block++) {
        const size_t row = (tileEnd - tile) * block / blocks;
        const size_t next = (tileEnd - tile) * (block + 1) / blocks;
        compute<1>(next - row, Block{weights, pass, panel, tile + row, terms, from == nullptr ? nullptr : from + row * kPanelRow,
                                     to == nullptr ? nullptr : to + row * kPanelRow, 0});
      }
    }
  }
}

// Few rows: one block, its sums in registers from the bias to the state.
template <int P>
void computeFew(const Weights& weights, const Pass& pass, size_t panel) {
  const size_t I = pass.x == nullptr ? 0 : weights.sizes.I;
  const size_t Hi = pass.h == nullptr ? 0 : weights.sizes.Hi;
  const size_t panelStride = pass.gateRows * kPanelRow;
  float* halves = pass.gates == nullptr ? nullptr : pass.gates + panel * panelStride;
  compute<P, P == 2 ? 1 : kRows>(pass.rows, Block{weights, pass, panel, 0, {0, I, 0, Hi}, pass.x == nullptr ? halves : nullptr,
                                 pass.h == nullptr ? halves : nullptr, panelStride});
}

void pass(const Weights& weights, const Pass& pass, size_t firstPanel, size_t endPanel) {
  size_t panel = firstPanel;
  if (pass.rows > kRows) {
    for (; panel < endPanel; panel++) computeMany(weights, pass, panel);
  } else if (pass.rows > 0) {
    // The four sums of a lone row wait for one another: those of two panels together keep the multipliers busy.
    if (pass.rows == 1) {
      for (; panel + 2 <= endPanel; panel += 2) computeFew<2>(weights, pass, panel);
    }
    for (; panel < endPanel; panel++) computeFew<1>(weights, pass, panel);
  }
}

template <Floats (*f)(Floats)>
void each(const float* x, float* y, size_t n) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(x + i)));
  if (i < n) storeSome(y + i, f(loadSome(x + i, n - i)), n - i);
}

bool supported();

}  // namespace

namespace cellserve {
extern const Kernel CELLSERVE_KERNEL;
const Kernel CELLSERVE_KERNEL = {CELLSERVE_NAME, kLanes, ::supported, ::pass, each<::exp>, each<::sigmoid>, each<::tanh>};
}  // namespace cellserve
