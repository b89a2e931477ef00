// Attention: scores, softmax, and the weighted sum of values.
#pragma once

#include "activations.h"
#include "attention.h"
#include "fold.h"

namespace {

using cellserve::padded;
using cellserve::Reading;
using cellserve::Score;
using cellserve::Set;
using cellserve::Vectors;

constexpr size_t least(size_t a, size_t b) { return a < b ? a : b; }

// The term that a number of the query and one of the key add to the score.
struct Product {
  static INLINE Floats add(Floats sum, Floats q, Floats k, const float*, size_t) { return fma(q, k, sum); }
};
template <Floats (*f)(Floats)>
struct Additive {
  static INLINE Floats add(Floats sum, Floats q, Floats k, const float* v, size_t at) {
    const Floats term = q + k;
    return fma(load(v + at), f(term) + lost(term), sum);
  }
};

// A block of queries and keys: as many sums as fill all but a few registers and form whole vectors of scores.
constexpr int kQueries = 4;
constexpr int keysFor(int queries) {
  if (kLanes == 4) return 4;
  if (kLanes == 8 && queries == 4) return 3;
  return kLanes / (queries == 3 ? 4 : queries);
}

// The sums of R queries with K keys, row by row, folded until the sixteen partial sums are one vector.
template <class Term, int R, int K>
INLINE void sumUp(const Reading& reading, const float* const (&queries)[R], const float* keys, size_t count, Floats* sums) {
  constexpr int kTogether = R == 1 ? 4 : K;  // few keys for a single query, so that memory is read in few streams
  const size_t width = padded(reading.width);
  for (int first = 0; first < K; first += kTogether) {
    const float* key[kTogether];
    // Beyond the last key, repeat the last one.
    for (int s = 0; s < kTogether; s++) key[s] = keys + least(first + s, count - 1) * width;
    Floats parts[R][kTogether][kParts];
    for (int part = 0; part < kParts; part++) {
      Floats of[R][kTogether] = {};
      for (size_t k = part * kLanes; k < width; k += kPartials) {
        Floats keyNow[kTogether];
        for (int s = 0; s < kTogether; s++) {
          keyNow[s] = load(key[s] + k);
          if (part == 0) __builtin_prefetch(key[s] + kTogether * width + k);  // of the next keys
        }
        for (int r = 0; r < R; r++) {
          const Floats query = load(queries[r] + k);
          for (int s = 0; s < kTogether; s++) of[r][s] = Term::add(of[r][s], query, keyNow[s], reading.v, k);
        }
      }
      for (int r = 0; r < R; r++) {
        for (int s = 0; s < kTogether; s++) parts[r][s][part] = of[r][s];
      }
    }
    for (int r = 0; r < R; r++) {
      for (int s = 0; s < kTogether; s++) sums[r * K + first + s] = foldParts(parts[r][s]);
    }
  }
}

template <class Term, int R>
void scoreBlock(const Reading& reading, const Set& set, Vectors queries, Vectors scores, size_t begin, size_t end) {
  constexpr int kKeys = keysFor(R);
  constexpr int kFolds = (R * kKeys + kLanes - 1) / kLanes;
  const float* query[R];
  for (int r = 0; r < R; r++) query[r] = queries.row(r);
  Floats sums[kFolds * kLanes] = {};
  for (size_t i = begin; i < end; i += kKeys) {
    sumUp<Term, R, kKeys>(reading, query, set.keys + i * padded(reading.width), end - i, sums);
    float of[kFolds * kLanes];
    for (int n = 0; n < kFolds; n++) store(of + n * kLanes, fold(sums + n * kLanes));
    for (int r = 0; r < R; r++) {
      if (i + kKeys <= end) {
        __builtin_memcpy(scores.row(r) + i, of + r * kKeys, kKeys * sizeof(float));
      } else {
        for (size_t s = 0; i + s < end; s++) scores.row(r)[i + s] = of[r * kKeys + s];
      }
    }
  }
}

template <class Term, int R = kQueries>
void scoreBlock(size_t rows, const Reading& reading, const Set& set, Vectors queries, Vectors scores, size_t begin, size_t end) {
  if constexpr (R > 1) {
    if (rows < R) return scoreBlock<Term, R - 1>(rows, reading, set, queries, scores, begin, end);
  }
  scoreBlock<Term, R>(reading, set, queries, scores, begin, end);
}

// Processes rows in blocks, and keys in slices of about 128 KiB, which stay in the L2 cache for all blocks.
template <class Term>
void scoreAll(const Reading& reading, const Set& set, size_t rows, Vectors queries, Vectors scores, size_t begin, size_t end) {
  constexpr size_t kWhole = 48;  // a multiple of all blocks' keys
  const size_t slice = (32768 / padded(reading.width) + kWhole) / kWhole * kWhole;
  const size_t blocks = (rows + kQueries - 1) / kQueries;
  for (size_t i = begin; i < end; i += slice) {
    for (size_t block = 0; block < blocks; block++) {
      const size_t row = rows * block / blocks, next = rows * (block + 1) / blocks;
      scoreBlock<Term>(next - row, reading, set, {queries.row(row), queries.stride}, {scores.row(row), scores.stride}, i,
                       least(i + slice, end));
    }
  }
}

void inverses(size_t rows, Vectors vectors, size_t width, float* out) {
  for (size_t row = 0; row < rows; row++) {
    Floats parts[kParts] = {};
    for (size_t k = 0; k < width; k += kPartials) {
      for (int part = 0; part < kParts; part++) {
        const Floats v = load(vectors.row(row) + k + part * kLanes);
        parts[part] = fma(v, v, parts[part]);
      }
    }
    const float sum = foldOne(parts);
    const float length = __builtin_sqrtf(sum);
    out[row] = 1 / (length < 1e-8f ? 1e-8f : length) + (sum - sum);
  }
}

void score(const Reading& reading, const Set& set, size_t rows, Vectors queries, Vectors scores, size_t begin, size_t end) {
  if (begin >= end) return;
  if (reading.score != Score::kAdditive) {
    scoreAll<Product>(reading, set, rows, queries, scores, begin, end);
  } else if (reading.activation == cellserve::Activation::kTanh) {
    scoreAll<Additive<tanh>>(reading, set, rows, queries, scores, begin, end);
  } else {
    scoreAll<Additive<relu>>(reading, set, rows, queries, scores, begin, end);
  }
  if (reading.score == Score::kCosine) {
    for (size_t row = 0; row < rows; row++) {
      float inverse;
      inverses(1, {queries.row(row), 0}, padded(reading.width), &inverse);
      float* of = scores.row(row);
      for (size_t i = begin; i < end; i++) of[i] = of[i] * inverse * set.inverses[i] * reading.scale;
    }
  } else if (reading.scale != 1) {
    for (size_t row = 0; row < rows; row++) {
      float* of = scores.row(row);
      for (size_t i = begin; i < end; i++) of[i] *= reading.scale;
    }
  }
}

// The largest value of x; and NaN if a value of x is NaN or infinite, else 0.
struct Largest {
  float value, odd;
};

Largest largestOf(const float* x, size_t n) {
  Floats largest = fill(x[0]), gone = {};
  const auto look = [&](Floats v) {
    largest = v > largest ? v : largest;
    gone += lost(v);
  };
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) look(load(x + i));
  for (; i < n; i++) look(fill(x[i]));
  float of[kLanes];
  Largest found{x[0], 0};
  store(of, largest);
  for (const float v : of) found.value = v > found.value ? v : found.value;
  store(of, gone);
  for (const float v : of) found.odd += v;
  return found;
}

// The sum of e^(x - shift). `keep` receives the terms and their positions.
template <typename Keep>
float sumOfPowers(const float* x, size_t n, float shift, Keep keep) {
  Floats parts[kParts] = {};
  for (size_t i = 0; i < n; i += kPartials) {
    for (int part = 0; part < kParts; part++) {
      const size_t at = i + part * kLanes;
      if (at >= n) break;
      const Floats e = exp(loadSome(x + at, n - at) - shift);
      keep(at, e);
      if (at + kLanes <= n) {
        parts[part] += e;
        continue;
      }
      float of[kLanes];
      store(of, e);
      parts[part] += loadSome(of, n - at);
    }
  }
  return foldOne(parts);
}

void softmax(const float* x, float* y, size_t n) {
  if (n == 0) return;
  const auto [shift, odd] = largestOf(x, n);
  const float sum = sumOfPowers(x, n, shift, [&](size_t at, Floats e) { storeSome(y + at, e, n - at); });
  const float share = 1 / (sum + odd);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, load(y + i) * share);
  for (; i < n; i++) y[i] *= share;
}

void logSoftmax(const float* x, float* y, size_t n) {
  if (n == 0) return;
  const auto [shift, odd] = largestOf(x, n);
  float of[kLanes];
  store(of, log(fill(sumOfPowers(x, n, shift, [](size_t, Floats) {}))));
  const float less = of[0] + odd;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, load(x + i) - shift - less);
  for (; i < n; i++) y[i] = x[i] - shift - less;
}

// How many values ahead their columns are prefetched: successive values are too far apart for the processor to detect a stream.
constexpr size_t kValuesAhead = 8;

// Reads P vectors of the values' columns for R rows.
template <int R, int P>
void readBlock(const float* values, size_t stride, size_t count, const float* const (&weights)[R], float* const* out, size_t column,
               size_t end) {
  Floats sums[R][P] = {};
  for (size_t i = 0; i < count; i++) {
    const float* value = values + i * stride + column;
    for (int p = 0; p < P * kLanes; p += 16) __builtin_prefetch(value + kValuesAhead * stride + p);
    Floats weight[R];
    for (int r = 0; r < R; r++) weight[r] = fill(weights[r][i]);
    for (int p = 0; p < P; p++) {
      const Floats of = load(value + p * kLanes);
      for (int r = 0; r < R; r++) sums[r][p] = fma(weight[r], of, sums[r][p]);
    }
  }
  for (int r = 0; r < R; r++) {
    for (int p = 0; p < P; p++) storeSome(out[r] + column + p * kLanes, sums[r][p], end - column - p * kLanes);
  }
}

template <int P, int R>
void readRows(size_t rows, const Reading& reading, const Set& set, Vectors weights, float* const* out, size_t column, size_t end) {
  if constexpr (R > 1) {
    if (rows < R) return readRows<P, R - 1>(rows, reading, set, weights, out, column, end);
  }
  const float* of[R];
  for (int r = 0; r < R; r++) of[r] = weights.row(r);
  readBlock<R, P>(set.values, padded(reading.valueWidth), set.count, of, out, column, end);
}

// Reads the columns from `column` on, P vectors at a time, then fewer. All rows read the same columns before the next ones, so
// that these columns of the values stay in the L2 cache.
template <int P, int R>
void readColumns(const Reading& reading, const Set& set, size_t rows, Vectors weights, float* const* out, size_t column, size_t end) {
  const size_t blocks = (rows + R - 1) / R;
  for (; column + (P - 1) * kLanes < end; column += P * kLanes) {
    for (size_t block = 0; block < blocks; block++) {
      const size_t row = rows * block / blocks, next = rows * (block + 1) / blocks;
      readRows<P, R>(next - row, reading, set, {weights.row(row), weights.stride}, out + row, column, end);
    }
  }
  if constexpr (P > 1) {
    if (column < end) readColumns<P / 2, R>(reading, set, rows, weights, out, column, end);
  }
}

void readValues(const Reading& reading, const Set& set, size_t rows, Vectors weights, float* const* out, size_t begin, size_t end) {
  // A single row reads whole values, one after the other, as far as the registers allow.
  constexpr int kWide = kLanes == 16 ? 16 : 8;
  if (rows == 1) return readColumns<kWide, 1>(reading, set, rows, weights, out, begin, end);
  readColumns<4, CELLSERVE_ROWS>(reading, set, rows, weights, out, begin, end);
}

}  // namespace
