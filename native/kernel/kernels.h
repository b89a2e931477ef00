// The kernel: one source, compiled for several instruction sets.
#pragma once

#include "attention.h"
#include "layer.h"

namespace cellserve {

struct Kernel {
  const char* name;
  size_t lanes;
  bool (*supported)();  // by this CPU

  void (*pass)(const Weights&, const Pass&, size_t firstPanel, size_t endPanel);

  // Scores of rows that read the same set with its supports [begin, end). Queries are padded like keys.
  void (*score)(const Reading&, const Set&, size_t rows, Vectors queries, Vectors scores, size_t begin, size_t end);
  // y can be x. NaN everywhere if a value of x is NaN or infinite.
  void (*softmax)(const float* x, float* y, size_t n);
  // x - max - log(sum of e^(x - max)), otherwise the same.
  void (*logSoftmax)(const float* x, float* y, size_t n);
  // The weighted sums of values, for the columns [begin, end); `begin` is a multiple of kPartialSums.
  void (*read)(const Reading&, const Set&, size_t rows, Vectors weights, float* const* out, size_t begin, size_t end);
  // 1 / max(|v|, 1e-8) of each vector, of a padded width.
  void (*inverses)(size_t rows, Vectors vectors, size_t width, float* out);

  void (*exp)(const float* x, float* y, size_t n);  // these four are for tests
  void (*log)(const float* x, float* y, size_t n);
  void (*sigmoid)(const float* x, float* y, size_t n);
  void (*tanh)(const float* x, float* y, size_t n);
};

// The kernels of this build, best first; ends with null.
extern const Kernel* const kKernels[];

// The best kernel that this CPU supports, or the one with that name; null if this CPU supports no such kernel.
const Kernel* chooseKernel(const char* name = nullptr);

}  // namespace cellserve
