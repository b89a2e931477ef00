// What the kernel computes, and the shapes of what it is given. Everything is float32 and row-major.
//
//     i, f, o = sigmoid(W_ih x + b_ih + W_hh h_in + b_hh)    g = tanh(same)
//     c_out = f * c_in + i * g        h_out = o * tanh(c_out)
//
// Every gate is summed in one order: the bias, the I input terms, the Hi hidden terms, one fused multiply-add each.
// Nothing below changes that order: not the batch, the vector width, the thread, nor where a sum is put down and
// picked up again. That is why a row has the same bits however it is computed.
#pragma once

#include <cstddef>
#include <memory>

namespace cellserve {

constexpr size_t kGates = 4;  // i, f, g, o

struct Sizes {
  size_t I;   // input size
  size_t Hi;  // input hidden size, what the cell reads
  size_t Ho;  // output hidden size, what the cell writes
};

struct Kernel;

// A cell's weights, packed once. A panel holds all that one vector of hidden units needs, in the order of its use:
//
//     [1 + I + Hi][4 gates][lanes]        the first row is the bias, b_ih + b_hh
//
// Units past Ho, in the last panel, are zeros.
struct Weights {
  Sizes sizes;
  const Kernel* kernel;
  size_t panels;
  std::unique_ptr<float, void (*)(void*)> data;

  size_t panelFloats() const;
  const float* panel(size_t index) const { return data.get() + index * panelFloats(); }
};

// Rows to take through the cell: a whole step, or either half of one.
struct Pass {
  size_t rows;
  const float* x;      // [rows, I]; null where `gates` already holds the bias and the input terms
  const float* h;      // [rows, Hi]; null to stop after the input terms and leave the sums in `gates`
  float* gates;        // [panels, gateRows, 4, lanes], for the halves
  size_t gateRows;
  const float* c;      // [rows, Ho]; the rest is for passes that reach the end
  float* cOut;         // [rows, Ho], may be `c`
  float* hOut;         // [rows, Ho]
};

// The same source, compiled for one instruction set.
struct Kernel {
  const char* name;
  size_t lanes;
  bool (*supported)();  // by this CPU
  void (*pass)(const Weights&, const Pass&, size_t firstPanel, size_t endPanel);
  void (*exp)(const float* x, float* y, size_t n);      // the three for tests
  void (*sigmoid)(const float* x, float* y, size_t n);
  void (*tanh)(const float* x, float* y, size_t n);
};

// The kernels of this build, best first; ends with null.
extern const Kernel* const kKernels[];

// The best kernel that this CPU supports; by its name where one is given; null where there is none.
const Kernel* chooseKernel(const char* name = nullptr);

// @throws std::bad_alloc
Weights packWeights(const Kernel&, const Sizes&, const float* weightIh, const float* weightHh, const float* biasIh,
                    const float* biasHh);

}  // namespace cellserve
