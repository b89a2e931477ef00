#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels.h"

namespace cellserve {
namespace {

// The weight, or start of a sum, that a panel has at this place of its row `k`.
float weightAt(const Layer& layer, size_t k, size_t column, size_t unit) {
  const auto [I, Hi, Ho] = layer.sizes;
  if (unit >= Ho) return 0;
  const size_t gate = layer.kind == Kind::kRnn ? 0 : column;
  const size_t row = gate * Ho + unit;
  if (k > I) return layer.weightHh[row * Hi + (k - 1 - I)];
  if (k > 0) return layer.weightIh[row * I + (k - 1)];
  // A GRU has n's two biases apart.
  if (layer.kind == Kind::kGru && gate == 2) return layer.biasIh[row];
  if (layer.kind == Kind::kGru && gate == 3) return layer.biasHh[row - Ho];
  return layer.biasHh == nullptr ? layer.biasIh[row] : layer.biasIh[row] + layer.biasHh[row];
}

}  // namespace

void FreeFloats::operator()(float* memory) const { std::free(memory); }

// A lone row is bound by reading the weights, so large ones ask for huge pages: fewer misses of the TLB.
FloatMemory allocateFloats(size_t floats) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
  size_t bytes;
  if (__builtin_mul_overflow(floats, sizeof(float), &bytes)) throw std::bad_alloc();
  const size_t unit = bytes < kHugePage ? kLine : kHugePage;
  const size_t rounded = bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
  void* memory = nullptr;
  if (rounded < bytes || posix_memalign(&memory, unit, rounded) != 0) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (unit == kHugePage) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return FloatMemory(static_cast<float*>(memory));
}

size_t Weights::units() const { return kind == Kind::kRnn ? kSums * kernel->lanes : kernel->lanes; }

size_t Weights::inputFloats() const { return (kSums + sizes.I * columns()) * kernel->lanes; }

size_t Weights::hiddenFloats() const { return sizes.Hi * columns() * kernel->lanes; }

Weights packWeights(const Kernel& kernel, const Layer& layer) {
  Weights weights{layer.kind, layer.activation, layer.slope, layer.sizes, &kernel, nullptr};
  weights.data = allocateFloats(weights.floats());
  float* to = weights.data.get();
  const auto pack = [&](size_t begin, size_t end) {
    for (size_t panel = 0; panel < weights.panels(); panel++) {
      for (size_t k = begin; k < end; k++) {
        for (size_t column = 0; column < (k == 0 ? kSums : weights.columns()); column++) {
          const size_t first = panel * weights.units() + (layer.kind == Kind::kRnn ? column * kernel.lanes : 0);
          for (size_t lane = 0; lane < kernel.lanes; lane++) *to++ = weightAt(layer, k, column, first + lane);
        }
      }
    }
  };
  const size_t inputs = 1 + layer.sizes.I;
  pack(0, inputs);
  pack(inputs, inputs + layer.sizes.Hi);
  return weights;
}

}  // namespace cellserve
