// What the kernel computes of cells and linear layers, and the shapes of what it is given. Everything is float32, except that
// matrices may be held in fewer bits.
//
//     lstm  i, f, o = gate(W_ih x + b_ih + W_hh h + b_hh)       g = activation(same)
//           carryOut = f * carry + i * g                        out = o * activation(carryOut)
//     gru   r, z = gate(W_ih x + b_ih + W_hh h + b_hh)          n = activation(W_ih x + b_ih + r * (W_hh h + b_hh))
//           out = (1 - z) * n + z * carry
//     rnn   out = activation(W_ih x + b_ih + W_hh h + b_hh); without h it is a linear layer
//
// The gates themselves, as they are applied, can be had beside: i, f, g, o of an lstm, r, z, n of a gru.
//
// `gate` is the sigmoid, or a hard one: slope * sum + 0.5, kept between 0 and 1.
//
// Every sum is made in one order: the bias, the I input terms, the Hi hidden terms, one fused multiply-add each. Nothing
// below changes that order: not the batch, the vector width, the thread, nor where a sum is put down and picked up again.
// That is why a row has the same bits however it is computed. A sum past float32's range makes NaN of what is made from it.
//
// Weights of bfloat16 widen to float32 exactly, and change nothing else. An int8 matrix has a scale for each of its rows: the
// integers widen exactly, their terms are summed alone, from 0 on in the same order, and the scale multiplies that sum as it is
// added to the rest. So a sum is fma(scale_hh, W_hh h, fma(scale_ih, W_ih x, bias)).
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

// The vectors of sums that a row has in a panel.
constexpr size_t kSums = 4;

// Frees what `allocateFloats` gave.
struct FreeFloats {
  void operator()(float* memory) const;
};
using FloatMemory = std::unique_ptr<float[], FreeFloats>;

// Memory for this many floats, aligned to a cache line; large ones are on huge pages if the system has them. Its contents
// are not set. @throws std::bad_alloc
FloatMemory allocateFloats(size_t floats);

// A layer's weights, packed once. A panel holds all that a few units need, in the order of its use: first the sums' start,
// the bias, then a row of columns for each term, a column being a vector of weights. The panels' terms of x come first, those
// of h after them, so that steps which read one half alone read memory without gaps: gaps of a power of two would crowd it
// into a part of the cache.
//
//     [panels]  start [4][lanes]  scale [4][lanes]  [I][columns][lanes]
//     [panels]                    scale [4][lanes]  [Hi][columns][lanes]
//
// Starts and scales are float32, and int8 matrices alone have scales: of each sum, 0 if no column adds to it.
//
// lstm: a panel has `lanes` units, sums and columns are i, f, g, o. gru: `lanes` units, sums r, z, n of x, n of h, columns
// r, z, n. rnn: 4 x `lanes` units, of which each sum and column has a quarter. Units past Ho, in the last panel, are zeros.
struct Weights {
  Kind kind;
  Activation activation;  // of an lstm and a gru tanh or relu
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
  // A panel's bytes in either half, a multiple of a float's.
  size_t inputBytes() const;
  size_t hiddenBytes() const;
  size_t bytes() const { return panels() * (inputBytes() + hiddenBytes()); }
  // A panel's start of the sums, which scale and terms of x follow; and its scale and terms of h.
  const float* input(size_t panel) const { return data.get() + panel * inputBytes() / sizeof(float); }
  const float* hidden(size_t panel) const { return data.get() + (panels() * inputBytes() + panel * hiddenBytes()) / sizeof(float); }
};

// What is known of a layer before it is packed. Matrices are row-major, a gate's rows after those of the gate before.
struct Layer {
  Kind kind;
  Activation activation;
  Sizes sizes;
  const float* weightIh;
  const float* weightHh;
  const float* biasIh;
  const float* biasHh;  // null if there is one bias alone
  float slope = 0;
  Precision precision = Precision::kF32;
};

// Rounds the matrices to their precision: bfloat16 to nearest, ties to even; int8 with the scale that makes 127 of a row's
// largest magnitude. @throws std::bad_alloc
Weights packWeights(const Kernel&, const Layer&);

// A vector of each row: row i's begins at `data + i * stride`.
struct Vectors {
  float* data = nullptr;
  size_t stride = 0;

  float* row(size_t i) const { return data + i * stride; }
};

// Rows to take through a layer: a whole step, or either half of one.
struct Pass {
  enum Part { kWhole, kInput, kHidden };

  size_t rows;
  Part part;
  Vectors x, h;
  // For the halves, [panels][sumRows][4][lanes]: the first leaves its sums here, the second goes on from them.
  float* sums = nullptr;
  size_t sumRows = 0;
  // The rest is for passes that reach the end.
  Vectors carry;
  Vectors carryOut;  // without data if the carry is not kept beside `out`
  Vectors out;
  Vectors gates;  // [gates][Ho] of each row; without data if nobody asks for them
};

}  // namespace cellserve
