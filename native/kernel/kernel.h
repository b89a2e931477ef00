// The kernel: rows through panels. Include it once in a file that is compiled for one instruction set, with
//
//     CELLSERVE_LANES   floats in a vector
//     CELLSERVE_ROWS    rows in a block: 4 * CELLSERVE_ROWS sums fill all but a few registers
//     CELLSERVE_KERNEL  the name of the `Kernel` that it defines
#pragma once

#include <type_traits>

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

// How many terms ahead float32 weights are prefetched; narrower weights, the same number of bytes. Beyond a panel's end are the
// next panel's weights, or nothing: a prefetch never faults.
constexpr size_t kAhead = 10;

// Adds `depth` terms to the sums, which are in registers, for each panel and row. `in` points to the row's terms, and `weights`
// to the panels', from the same term on. `to` maps each column to the sum that it adds to.
template <class K, class Element, int P, int R>
INLINE void multiply(Floats (&sums)[P][R][K::kUsed], const int (&to)[K::kColumns], const Element* const (&weights)[P],
                     const float* in, size_t stride, size_t depth) {
  constexpr size_t kTerm = K::kColumns * kLanes;
  constexpr size_t kLine = 64 / sizeof(Element);
  constexpr size_t kFetch = kAhead * kTerm * sizeof(float) / sizeof(Element);
  constexpr int kColumns = K::kUsed < K::kColumns ? K::kUsed : K::kColumns;
  for (size_t k = 0; k < depth; k++) {
    Floats term[R];
    for (int r = 0; r < R; r++) term[r] = fill(in[r * stride + k]);
    for (int p = 0; p < P; p++) {
      const Element* w = weights[p] + k * kTerm;
      for (size_t line = 0; line < kTerm; line += kLine) __builtin_prefetch(w + kFetch + line);
      for (int column = 0; column < kColumns; column++) {
        const Floats weight = load(w + column * kLanes);
        for (int r = 0; r < R; r++) sums[p][r][to[column]] = fma(weight, term[r], sums[p][r][to[column]]);
      }
    }
  }
}

template <class Element>
constexpr bool isNarrow = sizeof(Element) < sizeof(float);

// Widens whole vectors of numbers. Returns the end of the result.
template <class Element>
float* widen(const Element* from, size_t count, float* to) {
  for (size_t i = 0; i < count; i += kLanes) store(to + i, load(from + i));
  return to + count;
}

// A panel's terms of x and of h.
template <class Element>
const Element* termsOfX(const Weights& weights, size_t panel) {
  return reinterpret_cast<const Element*>(weights.input(panel) + (weights.isScaled() ? 2 : 1) * kSumRow);
}
template <class Element>
const Element* termsOfH(const Weights& weights, size_t panel) {
  return reinterpret_cast<const Element*>(weights.hidden(panel) + (weights.isScaled() ? kSumRow : 0));
}

// A stretch of the terms of a sum: of x, of h, or of both.
struct Stretch {
  size_t x, xEnd, h, hEnd;
};

// A block of rows and panels, and what a pass does with it.
template <class Element>
struct Block {
  const Weights& weights;
  const Pass& pass;
  size_t panel;
  size_t row;
  Stretch terms;
  const Element *x, *h;  // the first panel's terms, from where the stretch begins
  const float* from;     // the sums so far, [panel][row][4][lanes]; null to start with the bias
  float* to;             // where to leave the sums; null to finish, which blocks of narrow weights never do
  size_t panelStride;    // of `from` and `to`
};

template <class K, int P, int R, class Element>
void compute(const Block<Element>& block) {
  const auto& [weights, pass, panel, row, terms, x, h, from, to, panelStride] = block;
  Floats sums[P][R][K::kUsed];
  const Element* w[P];

  for (int p = 0; p < P; p++) {
    for (int r = 0; r < R; r++) {
      const float* start = from == nullptr ? weights.input(panel + p) : from + p * panelStride + r * kSumRow;
      for (int sum = 0; sum < K::kUsed; sum++) sums[p][r][sum] = load(start + sum * kLanes);
    }
  }

  if (terms.x < terms.xEnd) {
    for (int p = 0; p < P; p++) w[p] = x + p * (weights.inputBytes() / sizeof(Element));
    multiply<K>(sums, K::kX, w, pass.x.row(row) + terms.x, pass.x.stride, terms.xEnd - terms.x);
  }
  if (terms.h < terms.hEnd) {
    for (int p = 0; p < P; p++) w[p] = h + p * (weights.hiddenBytes() / sizeof(Element));
    multiply<K>(sums, K::kH, w, pass.h.row(row) + terms.h, pass.h.stride, terms.hEnd - terms.h);
  }

  if (isNarrow<Element> || to != nullptr) {
    for (int p = 0; p < P; p++) {
      for (int r = 0; r < R; r++) {
        for (int sum = 0; sum < K::kUsed; sum++) store(to + p * panelStride + r * kSumRow + sum * kLanes, sums[p][r][sum]);
      }
    }
    return;
  }
  if constexpr (!isNarrow<Element>) K::template finish<P, R>(sums, weights, pass, row, panel * K::kUnits);
}

// `R` rows, known at compile time so that their sums stay in registers.
template <class K, int P, int R = kRows, class Element>
void compute(size_t rows, const Block<Element>& block) {
  if constexpr (R > 1) {
    if (rows < R) return compute<K, P, R - 1>(rows, block);
  }
  compute<K, P, R>(block);
}

// Some rows of a pass.
constexpr size_t kTile = 64;  // at most
struct Tile {
  size_t begin, end;
};

// Finishes a tile that has all its sums.
template <class K>
void finish(const Weights& weights, const Pass& pass, size_t panel, Tile tile, const float* sums) {
  for (size_t row = tile.begin, next; row < tile.end; row = next, sums += kRows * kSumRow) {
    next = row + kRows < tile.end ? row + kRows : tile.end;
    compute<K, 1>(next - row, Block<float>{weights, pass, panel, row, {}, nullptr, nullptr, sums, nullptr, 0});
  }
}

// Adds a stretch of a panel's terms to a tile's sums. A single block of rows does so at once, with its sums in registers to the
// end. Several blocks each read the panel, so they read it in slices that stay in the cache: every block processes a slice
// before the next slice begins, and stores its sums in between. A slice is 128 KiB, or 32 KiB for narrow weights, which are
// widened once for all blocks.
template <class K, class Element>
void advance(const Weights& weights, const Pass& pass, size_t panel, Tile tile, Stretch all, const float* from, float* to) {
  constexpr size_t kTerm = K::kColumns * kLanes;
  constexpr size_t kSlice = (isNarrow<Element> ? 2048 : 8192) / kLanes;
  const size_t rows = tile.end - tile.begin;
  const Element *ofX = termsOfX<Element>(weights, panel), *ofH = termsOfH<Element>(weights, panel);
  float sums[kTile * kSumRow];
  if constexpr (isNarrow<Element>) {
    if (rows == 1) {
      compute<K, 1, 1>(Block<Element>{weights, pass, panel, tile.begin, all, ofX, ofH, from, to == nullptr ? sums : to, 0});
      if (to == nullptr) finish<K>(weights, pass, panel, tile, sums);
      return;
    }
  } else if (rows <= kRows) {
    return compute<K, 1>(rows, Block<Element>{weights, pass, panel, tile.begin, all, ofX, ofH, from, to, 0});
  }

  const size_t I = all.xEnd, depth = all.xEnd + all.hEnd, blocks = (rows + kRows - 1) / kRows;
  alignas(64) float wide[isNarrow<Element> ? kSlice * kTerm : 1];
  for (size_t k = 0, end;; k = end) {
    end = k + kSlice < depth ? k + kSlice : depth;
    const Stretch terms{k < I ? k : I, end < I ? end : I, k < I ? 0 : k - I, end < I ? 0 : end - I};
    const float *x, *h;
    if constexpr (isNarrow<Element>) {
      float* const middle = widen(ofX + terms.x * kTerm, (terms.xEnd - terms.x) * kTerm, wide);
      widen(ofH + terms.h * kTerm, (terms.hEnd - terms.h) * kTerm, middle);
      x = wide, h = middle;
    } else {
      x = ofX + terms.x * kTerm, h = ofH + terms.h * kTerm;
    }
    const float* now = k > 0 ? sums : from;
    float* then = end < depth ? sums : to;
    // Blocks are as even as possible: four rows are two and two, not three and one.
    for (size_t block = 0; block < blocks; block++) {
      const size_t row = rows * block / blocks, next = rows * (block + 1) / blocks;
      compute<K, 1>(next - row, Block<float>{weights, pass, panel, tile.begin + row, terms, x, h, now == nullptr ? nullptr : now + row * kSumRow,
                                             then == nullptr ? nullptr : then + row * kSumRow, 0});
    }
    if (end == depth) return;
  }
}

// Adds the summed terms of a matrix, times their scale, to `start`, whose stride is 0 if all rows start with the same values.
template <class K>
void addScaled(const float* scale, const float* products, const float* start, size_t stride, size_t rows, float* sums) {
  for (size_t row = 0; row < rows; row++) {
    for (int sum = 0; sum < K::kUsed; sum++) {
      const size_t at = sum * kLanes;
      store(sums + row * kSumRow + at, fma(load(scale + at), load(products + row * kSumRow + at), load(start + row * stride + at)));
    }
  }
}

// Computes a tile whose matrices have scales: the terms of each matrix are summed separately, from 0 on.
template <class K>
void computeScaled(const Weights& weights, const Pass& pass, size_t panel, Tile tile, const float* from, float* to) {
  const size_t rows = tile.end - tile.begin;
  float sums[kTile * kSumRow], products[kTile * kSumRow];
  const auto multiplyBy = [&](Stretch terms) {
    for (size_t i = 0; i < rows * kSumRow; i += kLanes) store(products + i, Floats{});
    advance<K, int8_t>(weights, pass, panel, tile, terms, products, products);
  };
  if (pass.part != Pass::kHidden) {
    float* now = to == nullptr ? sums : to;
    multiplyBy({0, weights.sizes.I, 0, 0});
    addScaled<K>(weights.input(panel) + kSumRow, products, weights.input(panel), 0, rows, now);
    from = now;
  }
  if (pass.part == Pass::kInput) return;
  multiplyBy({0, 0, 0, weights.sizes.Hi});
  addScaled<K>(weights.hidden(panel), products, from, kSumRow, rows, sums);
  finish<K>(weights, pass, panel, tile, sums);
}

template <class K, class Element>
void computePanels(const Weights& weights, const Pass& pass, size_t panel, size_t end) {
  const Stretch terms{0, pass.part == Pass::kHidden ? 0 : weights.sizes.I, 0, pass.part == Pass::kInput ? 0 : weights.sizes.Hi};
  const size_t panelStride = pass.sumRows * kSumRow;
  // Where an earlier pass has left its sums, and where this one leaves them.
  const auto from = [&](size_t row) { return pass.part == Pass::kHidden ? pass.sums + panel * panelStride + row * kSumRow : nullptr; };
  const auto to = [&](size_t row) { return pass.part == Pass::kInput ? pass.sums + panel * panelStride + row * kSumRow : nullptr; };
  // A single row's sums wait for one another, so two panels are computed together to keep the multipliers busy. Narrow weights
  // need no such pairs, because widening them keeps the processor busy enough.
  if constexpr (!isNarrow<Element>) {
    for (; pass.rows == 1 && panel + 2 <= end; panel += 2) {
      compute<K, 2, 1>(Block<Element>{weights, pass, panel, 0, terms, termsOfX<Element>(weights, panel), termsOfH<Element>(weights, panel), from(0), to(0), panelStride});
    }
  }
  for (; panel < end; panel++) {
    for (size_t row = 0; row < pass.rows; row += kTile) {
      const Tile tile{row, row + kTile < pass.rows ? row + kTile : pass.rows};
      if constexpr (std::is_same_v<Element, int8_t>) {
        computeScaled<K>(weights, pass, panel, tile, from(row), to(row));
      } else {
        advance<K, Element>(weights, pass, panel, tile, terms, from(row), to(row));
      }
    }
  }
}

template <class K>
void computePanels(const Weights& weights, const Pass& pass, size_t panel, size_t end) {
  using cellserve::Precision;
  switch (weights.precision) {
    case Precision::kF32: return computePanels<K, float>(weights, pass, panel, end);
    case Precision::kBf16: return computePanels<K, uint16_t>(weights, pass, panel, end);
    case Precision::kInt8: return computePanels<K, int8_t>(weights, pass, panel, end);
  }
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
                                 ::readValues,   ::inverses,   each<exp>, each<log>, each<sigmoid>, each<tanh>};
}  // namespace cellserve
