// Cells and linear layers in the kernel: what it computes, and the shapes of its arguments. Everything is float32, except
// matrices, which can be stored in fewer bits.
//
//     lstm  i, f, o = gate(W_ih x + b_ih + W_hh h + b_hh)       g = activation(same)
//           carryOut = f * carry + i * g                        out = o * activation(carryOut)
//     gru   r, z = gate(W_ih x + b_ih + W_hh h + b_hh)          n = activation(W_ih x + b_ih + r * (W_hh h + b_hh))
//           out = (1 - z) * n + z * carry
//     rnn   out = activation(W_ih x + b_ih + W_hh h + b_hh); without h it is a linear layer
//
// A pass can also return the gates themselves, as they are applied: i, f, g, o of an lstm, and r, z, n of a gru.
//
// `gate` is the sigmoid, or a hard one: slope * sum + 0.5, clamped to [0, 1].
//
// Every sum has a fixed order: the bias, the I input terms, the Hi hidden terms, one fused multiply-add each. Nothing below
// changes that order: not the batch, the vector width, the thread, nor where a sum is stored and resumed. That is why a row has
// the same bits however it is computed. A sum beyond float32's range makes everything computed from it NaN.
//
// Weights of bfloat16 widen to float32 exactly, and change nothing else. An int8 matrix has one scale per row: the integers
// widen exactly, their terms are summed separately, from 0 on and in the same order, and the scale multiplies that sum when it
// is added to the rest. So a sum is fma(scale_hh, W_hh h, fma(scale_ih, W_ih x, bias)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace cellserve {

struct Kernel;

enum class Kind { kLstm, kGru, kRnn };
enum class Activation { kNone, kTanh, kRelu, kSigmoid };
enum class Precision { kF32, kBf16, kInt8 };  // of the matrices

constexpr size_t bytesOf(Precision precision) {
  return precision == Precision::kF32 ? sizeof(float) : precision == Precision::kBf16 ? sizeof(uint16_t) : sizeof(int8_t);
}

struct Sizes {
  size_t I;   // input size, 0 if no x is read
  size_t Hi;  // input hidden size, what is read as h; 0 in a linear layer
  size_t Ho;  // output hidden size, what is written
};

// How many vectors of sums a row has per panel.
constexpr size_t kSums = 4;

// Frees what `allocateFloats` allocated.
struct FreeFloats {
  void operator()(float* memory) const;
};
using FloatMemory = std::unique_ptr<float[], FreeFloats>;

// Allocates memory for this many floats, aligned to a cache line; large blocks use huge pages if the system has them. The
// contents are uninitialized. @throws std::bad_alloc
FloatMemory allocateFloats(size_t floats);

// A layer's weights, packed once. A panel contains everything that a few units need, in order of use: first the start of the
// sums (the bias), then a row of columns for each term; a column is a vector of weights. All panels' terms of x come
// before those of h, so that steps which read only one half read memory without gaps: gaps of a power of two would crowd it
// into a part of the cache.
//
//     [panels]  start [4][lanes]  scale [4][lanes]  [I][columns][lanes]
//     [panels]                    scale [4][lanes]  [Hi][columns][lanes]
//
// Starts and scales are float32. Only int8 matrices have scales: one per sum, 0 if no column adds to it.
//
// lstm: a panel has `lanes` units, sums and columns are i, f, g, o. gru: `lanes` units, sums r, z, n of x, n of h, columns
// r, z, n. rnn: 4 x `lanes` units, of which each sum and column has a quarter. Units beyond Ho, in the last panel, are zeros.
struct Weights {
  Kind kind;
  Activation activation;  // for an lstm and a gru, tanh or relu
  float slope;            // of their gates' hard sigmoid; 0 for the sigmoid
  Precision precision;
  Sizes sizes;
  const Kernel* kernel;
  FloatMemory data;

  size_t columns() const { return kind == Kind::kGru ? 3 : 4; }
  // The numbers of a row's gates, as they are applied; an rnn and a linear layer have none.
  size_t gates() const { return kind == Kind::kRnn ? 0 : columns() * sizes.Ho; }
  size_t units() const;
  size_t panels() const { return (sizes.Ho + units() - 1) / units(); }
  bool isScaled() const { return precision == Precision::kInt8; }
  // A panel's bytes in each half, a multiple of a float's size.
  size_t inputBytes() const;
  size_t hiddenBytes() const;
  size_t bytes() const { return panels() * (inputBytes() + hiddenBytes()); }
  // A panel's start of the sums, followed by its scale and terms of x; and its scale and terms of h.
  const float* input(size_t panel) const { return data.get() + panel * inputBytes() / sizeof(float); }
  const float* hidden(size_t panel) const { return data.get() + (panels() * inputBytes() + panel * hiddenBytes()) / sizeof(float); }
};

// A layer before packing. Matrices are row-major, with each gate's rows after those of the previous gate.
struct Layer {
  Kind kind;
  Activation activation;
  Sizes sizes;
  const float* weightIh;
  const float* weightHh;
  const float* biasIh;
  const float* biasHh;  // null if there is only one bias
  float slope = 0;
  Precision precision = Precision::kF32;
};

// Rounds the matrices to their precision: bfloat16 to nearest, ties to even; int8 with the scale that maps a row's largest
// magnitude to 127. @throws std::bad_alloc
Weights packWeights(const Kernel&, const Layer&);

// One vector per row: row i's begins at `data + i * stride`.
struct Vectors {
  float* data = nullptr;
  size_t stride = 0;

  float* row(size_t i) const { return data + i * stride; }
};

// Rows to pass through a layer: a whole step, or one half of it.
struct Pass {
  enum Part { kWhole, kInput, kHidden };

  size_t rows;
  Part part;
  Vectors x, h;
  // For the halves, [panels][sumRows][4][lanes]: the first half stores its sums here, and the second continues from them.
  float* sums = nullptr;
  size_t sumRows = 0;
  // The rest is for passes that reach the end.
  Vectors carry;
  Vectors carryOut;  // without data if the carry is not kept separately from `out`
  Vectors out;
  Vectors gates;  // [gates][Ho] of each row; without data if they are not requested
};

}  // namespace cellserve
