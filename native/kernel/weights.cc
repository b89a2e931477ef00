#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "cell.h"

namespace cellserve {
namespace {

// A lone row is bound by reading the weights, so large ones ask for huge pages: fewer misses of the TLB.
float* allocate(size_t floats) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
  const size_t bytes = floats * sizeof(float);
  const size_t unit = bytes < kHugePage ? kLine : kHugePage;
  const size_t rounded = (bytes + unit - 1) / unit * unit;
  void* memory = nullptr;
  if (rounded < bytes || posix_memalign(&memory, unit, rounded) != 0) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (unit == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return static_cast<float*>(memory);
}

}  // namespace

size_t Weights::panelFloats() const { return (1 + sizes.I + sizes.Hi) * kGates * kernel->lanes; }

Weights packWeights(const Kernel& kernel, const Sizes& sizes, const float* weightIh, const float* weightHh,
                    const float* biasIh, const float* biasHh) {
  const auto [I, Hi, Ho] = sizes;
  const size_t lanes = kernel.lanes;
  Weights weights{sizes, &kernel, (Ho + lanes - 1) / lanes, {nullptr, std::free}};
  weights.data.reset(allocate(weights.panels * weights.panelFloats()));
  float* to = weights.data.get();
  for (size_t panel = 0; panel < weights.panels; panel++) {
    for (size_t k = 0; k < 1 + I + Hi; k++) {
      for (size_t gate = 0; gate < kGates; gate++) {
        for (size_t lane = 0; lane < lanes; lane++) {
          const size_t unit = panel * lanes + lane;
          const size_t row = gate * Ho + unit;
          *to++ = unit >= Ho  ? 0
                  : k == 0    ? biasIh[row] + biasHh[row]
                  : k - 1 < I ? weightIh[row * I + (k - 1)]
                              : weightHh[row * Hi + (k - 1 - I)];
        }
      }
    }
  }
  return weights;
}

}  // namespace cellserve
