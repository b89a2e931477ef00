// Attention in the kernel: the scores of a query with the keys of a set, their softmax, and the weighted sum of the set's
// values.
//
//     dot       q . k                            cosine   (q . k) * (1 / max(|q|, 1e-8)) * (1 / max(|k|, 1e-8))
//     additive  v . activation(q + k)            and each times the scale
//
// Every sum has a fixed order. A sum over a query's index, like that of a softmax, consists of sixteen partial sums, one for
// each index modulo 16, which are then folded: 16 to 8, to 4, to 2, to 1. The weighted sum adds the supports one after the
// other. So no bit depends on the other rows, the vector width or the thread. A score beyond float32's range makes the read
// NaN.
#pragma once

#include <cstddef>

#include "layer.h"

namespace cellserve {

enum class Score { kDot, kCosine, kAdditive };

// Rows of keys, values and queries are padded with zeros to this many floats.
constexpr size_t kPartialSums = 16;
constexpr size_t padded(size_t width) { return (width + kPartialSums - 1) / kPartialSums * kPartialSums; }

struct Reading {
  Score score;
  Activation activation;  // of an additive score
  float scale;
  size_t width;       // of a query and of a key
  size_t valueWidth;
  const float* v;     // [padded(width)], of an additive score
};

// The supports that a row reads.
struct Set {
  size_t count;
  const float* keys;      // [count][padded(width)]
  const float* inverses;  // [count], 1 / max(|k|, 1e-8), for cosine
  const float* values;    // [count][padded(valueWidth)]
};

}  // namespace cellserve
