// The kernel: rows through panels. Include it once in a file that is compiled for one instruction set, with
//
//     CELLSERVE_LANES   floats in a vector
//     CELLSERVE_ROWS    rows in a block: 4 * CELLSERVE_ROWS sums fill the registers except for a few
//     CELLSERVE_KERNEL  the name of the `Kernel` that it defines
#pragma once

#include "activations.h"
#include "attend.h"
#include "gru.h"
#include "kernels.h"
#include "lstm.h"
#include "rnn.h"

namespace {

using cellserve::kSums;
using cellserve::Pass;
using cellserve::Weights;

constexpr int kRows = CELLSERVE_ROWS;
constexpr size_t kSumRow = kSums * kLanes;  // floats of the sums of a row in a panel

// How many terms ahead the weights are fetched. Past a panel's end come those of the next, or nothing: a fetch never faults.
constexpr size_t kAhead = 10;

// Adds `depth` terms to the sums, which are in registers, for each panel and row; `in` has the row's terms, `weights` those
// of the panel from the same term on. `to` says which sum a column adds to.
template <class K, int P, int R>
INLINE void multiply(Floats (&sums)[P][R][K::kUsed], const int (&to)[K::kColumns], const float* const (&weights)[P],
                     const float* in, size_t stride, size_t depth) {
  constexpr size_t kTerm = K::kColumns * kLanes;
  constexpr int kColumns = K::kUsed < K::kColumns ? K::kUsed : K::kColumns;
  for (size_t k = 0; k < depth; k++) {
    Floats term[R];
    for (int r = 0; r < R; r++) term[r] = fill(in[r * stride + k]);
    for (int p = 0; p < P; p++) {
      const float* w = weights[p] + k * kTerm;
      for (size_t line = 0; line < kTerm; line += 16) __builtin_prefetch(w + kAhead * kTerm + line);
      for (int column = 0; column < kColumns; column++) {
        const Floats weight = load(w + column * kLanes);
        for (int r = 0; r < R; r++) sums[p][r][to[column]] = fma(weight, term[r], sums[p][r][to[column]]);
      }
    }
  }
}

// A stretch of the terms of a sum: of x, of h, or of both.
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
  const float* from;   // the sums so far, [panel][row][4][lanes]; null to start with the bias
  float* to;           // where to leave the sums; null to finish
  size_t panelStride;  // of `from` and `to`
};

template <class K, int P, int R>
void compute(const Block& block) {
  const auto& [weights, pass, panel, row, terms, from, to, panelStride] = block;
  constexpr size_t kTerm = K::kColumns * kLanes;
  Floats sums[P][R][K::kUsed];
  const float* w[P];

  for (int p = 0; p < P; p++) {
    w[p] = weights.input(panel + p);
    for (int r = 0; r < R; r++) {
      const float* start = from == nullptr ? w[p] : from + p * panelStride + r * kSumRow;
      for (int sum = 0; sum < K::kUsed; sum++) sums[p][r][sum] = load(start + sum * kLanes);
    }
  }

  if (terms.x < terms.xEnd) {
    for (int p = 0; p < P; p++) w[p] = weights.input(panel + p) + kSumRow + terms.x * kTerm;
    multiply<K, P, R>(sums, K::kX, w, pass.x.row(row) + terms.x, pass.x.stride, terms.xEnd - terms.x);
  }
  if (terms.h < terms.hEnd) {
    for (int p = 0; p < P; p++) w[p] = weights.hidden(panel + p) + terms.h * kTerm;
    multiply<K, P, R>(sums, K::kH, w, pass.h.row(row) + terms.h, pass.h.stride, terms.hEnd - terms.h);
  }

  if (to != nullptr) {
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        for (int sum = 0; sum < K::kUsed; sum++) store(to + p * panelStride + r * kSumRow + sum * kLanes, sums[p][r][sum]);
      }
    }
    return;
  }
  K::template finish<P, R>(sums, weights, pass, row, panel * K::kUnits);
}

// `R` rows, known at compile time so that their sums stay in registers.
template <class K, int P, int R = kRows>
void compute(size_t rows, const Block& block) {
  if constexpr (R > 1) {
    if (rows < R) return compute<K, P, R - 1>(rows, block);
  }
  compute<K, P, R>(block);
}

// Many rows. Each block of rows reads the panel again, so it goes by in slices of 128 KiB that stay in the L2 cache: every
// block takes a slice before the next comes up, and puts its sums down in between.
template <class K>
void computeMany(const Weights& weights, const Pass& pass, size_t panel) {
  constexpr size_t kSlice = 8192 / kLanes;
  constexpr size_t kTile = 64;
  const size_t I = pass.part == Pass::kHidden ? 0 : weights.sizes.I;
  const size_t Hi = pass.part == Pass::kInput ? 0 : weights.sizes.Hi;
  float sums[kTile * kSumRow];

  for (size_t tile = 0; tile < pass.rows; tile += kTile) {
    const size_t tileEnd = tile + kTile < pass.rows ? tile + kTile : pass.rows;
    const size_t blocks = (tileEnd - tile + kRows - 1) / kRows;
    float* halves = pass.part == Pass::kWhole ? nullptr : pass.sums + (panel * pass.sumRows + tile) * kSumRow;

    for (size_t k = 0, end; k < I + Hi; k = end) {
      end = k + kSlice < I + Hi ? k + kSlice : I + Hi;
      const Stretch terms{k < I ? k : I, end < I ? end : I, k < I ? 0 : k - I, end < I ? 0 : end - I};
      const float* from = k > 0 ? sums : pass.part == Pass::kHidden ? halves : nullptr;
      float* to = end < I + Hi ? sums : pass.part == Pass::kInput ? halves : nullptr;
      // Blocks as even as can be: four rows are two and two, not three and one.
      for (size_t block = 0; block < blocks; block++) {
        const size_t row = (tileEnd - tile) * block / blocks;
        const size_t next = (tileEnd - tile) * (block + 1) / blocks;
        compute<K, 1>(next - row, Block{weights, pass, panel, tile + row, terms, from == nullptr ? nullptr : from + row * kSumRow,
                                        to == nullptr ? nullptr : to + row * kSumRow, 0});
      }
    }
  }
}

// Few rows: one block, its sums in registers from the bias to the end.
template <class K, int P>
void computeFew(const Weights& weights, const Pass& pass, size_t panel) {
  const size_t I = pass.part == Pass::kHidden ? 0 : weights.sizes.I;
  const size_t Hi = pass.part == Pass::kInput ? 0 : weights.sizes.Hi;
  const size_t panelStride = pass.sumRows * kSumRow;
  float* halves = pass.part == Pass::kWhole ? nullptr : pass.sums + panel * panelStride;
  compute<K, P, P == 2 ? 1 : kRows>(pass.rows, Block{weights, pass, panel, 0, {0, I, 0, Hi}, pass.part == Pass::kHidden ? halves : nullptr,
                                                     pass.part == Pass::kInput ? halves : nullptr, panelStride});
}

template <class K>
void computePanels(const Weights& weights, const Pass& pass, size_t panel, size_t end) {
  if (pass.rows > kRows) {
    for (; panel < end; panel++) computeMany<K>(weights, pass, panel);
    return;
  }
  // The sums of a lone row wait for one another: those of two panels together keep the multipliers busy.
  if (pass.rows == 1) {
    for (; panel + 2 <= end; panel += 2) computeFew<K, 2>(weights, pass, panel);
  }
  for (; panel < end; panel++) computeFew<K, 1>(weights, pass, panel);
}

void pass(const Weights& weights, const Pass& pass, size_t firstPanel, size_t endPanel) {
  using cellserve::Kind;
  if (pass.rows == 0 || firstPanel >= endPanel) return;
  if (weights.kind == Kind::kLstm) return computePanels<Lstm>(weights, pass, firstPanel, endPanel);
  if (weights.kind == Kind::kGru) return computePanels<Gru>(weights, pass, firstPanel, endPanel);
  const size_t whole = weights.sizes.Ho / Rnn<4>::kUnits;
  computePanels<Rnn<4>>(weights, pass, firstPanel, endPanel < whole ? endPanel : whole);
  if (endPanel <= whole) return;
  switch ((weights.sizes.Ho - whole * Rnn<4>::kUnits + kLanes - 1) / kLanes) {
    case 1: return computePanels<Rnn<1>>(weights, pass, whole, endPanel);
    case 2: return computePanels<Rnn<2>>(weights, pass, whole, endPanel);
    case 3: return computePanels<Rnn<3>>(weights, pass, whole, endPanel);
    default: return computePanels<Rnn<4>>(weights, pass, whole, endPanel);
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
const Kernel CELLSERVE_KERNEL = {CELLSERVE_NAME, kLanes,       ::supported, ::pass,     ::score,    ::softmax,       ::logSoftmax,
                                 ::readValues,   ::inverses,   each<::exp>, each<::log>, each<::sigmoid>, each<::tanh>};
}  // namespace cellserve
