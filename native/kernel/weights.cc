#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels.h"

namespace cellserve {
namespace {

// A column's row in a layer's matrices; kNone beyond Ho.
constexpr size_t kNone = SIZE_MAX;
size_t rowOf(const Layer& layer, size_t column, size_t unit) {
  if (unit >= layer.sizes.Ho) return kNone;
  return (layer.kind == Kind::kRnn ? 0 : column * layer.sizes.Ho) + unit;
}

// The start value of a sum.
float startOf(const Layer& layer, size_t sum, size_t unit) {
  const size_t row = rowOf(layer, sum, unit);
  if (row == kNone) return 0;
  // A GRU keeps n's two biases separate.
  if (layer.kind == Kind::kGru && sum == 2) return layer.biasIh[row];
  if (layer.kind == Kind::kGru && sum == 3) return layer.biasHh[row - layer.sizes.Ho];
  return layer.biasHh == nullptr ? layer.biasIh[row] : layer.biasIh[row] + layer.biasHh[row];
}

// One of a layer's matrices, with the columns that add to each sum.
struct Matrix {
  const float* data;
  size_t width;
  size_t lastSum;  // the sum that a GRU's last column adds to
};

float scaleOf(const Matrix& matrix, size_t row) {
  float largest = 0;
  for (size_t k = 0; k < matrix.width; k++) largest = std::max(largest, std::fabs(matrix.data[row * matrix.width + k]));
  return largest / 127;
}

// How each precision stores a weight, given its row's scale.
struct Float32 {
  using Element = float;
  static Element hold(float weight, float) { return weight; }
};
struct Bfloat16 {
  using Element = uint16_t;
  static Element hold(float weight, float) {
    uint32_t bits;
    std::memcpy(&bits, &weight, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    // A weight is finite, and so is its rounded value: the largest number instead of infinity.
    return static_cast<Element>((rounded & 0x7fff) == 0x7f80 ? rounded - 1 : rounded);
  }
};
struct Integer8 {
  using Element = int8_t;
  // Ties go to even, as the processor rounds.
  static Element hold(float weight, float scale) {
    const double quotient = scale == 0 ? 0 : static_cast<double>(weight) / static_cast<double>(scale);
    return static_cast<Element>(std::nearbyint(std::min(std::max(quotient, -127.0), 127.0)));
  }
};

template <class Precision>
void pack(const Layer& layer, Weights& weights) {
  const size_t lanes = weights.kernel->lanes;
  char* to = reinterpret_cast<char*>(weights.data.get());
  const auto put = [&](auto value) {
    std::memcpy(to, &value, sizeof value);
    to += sizeof value;
  };
  const auto unitOf = [&](size_t panel, size_t column, size_t lane) {
    return panel * weights.units() + (layer.kind == Kind::kRnn ? column * lanes : 0) + lane;
  };
  const auto putMatrix = [&](const Matrix& matrix, const std::vector<float>& scales, size_t panel) {
    for (size_t sum = 0; sum < kSums && weights.isScaled(); sum++) {
      // A GRU's last column adds to one of its last two sums, and no column adds to the other.
      const size_t column = layer.kind != Kind::kGru || sum < 2 ? sum : sum == matrix.lastSum ? 2 : kNone;
      for (size_t lane = 0; lane < lanes; lane++) {
        const size_t row = column == kNone ? kNone : rowOf(layer, column, unitOf(panel, column, lane));
        put(row == kNone ? 0.0f : scales[row]);
      }
    }
    for (size_t k = 0; k < matrix.width; k++) {
      for (size_t column = 0; column < weights.columns(); column++) {
        for (size_t lane = 0; lane < lanes; lane++) {
          const size_t row = rowOf(layer, column, unitOf(panel, column, lane));
          put(row == kNone ? typename Precision::Element{} : Precision::hold(matrix.data[row * matrix.width + k], scales.empty() ? 0 : scales[row]));
        }
      }
    }
  };
  const auto scalesOf = [&](const Matrix& matrix) {
    std::vector<float> scales(weights.isScaled() ? (layer.kind == Kind::kRnn ? 1 : weights.columns()) * layer.sizes.Ho : 0);
    for (size_t row = 0; row < scales.size(); row++) scales[row] = scaleOf(matrix, row);
    return scales;
  };

  const Matrix ih{layer.weightIh, layer.sizes.I, 2}, hh{layer.weightHh, layer.sizes.Hi, 3};
  const std::vector<float> ihScales = scalesOf(ih), hhScales = scalesOf(hh);
  for (size_t panel = 0; panel < weights.panels(); panel++) {
    for (size_t sum = 0; sum < kSums; sum++) {
      for (size_t lane = 0; lane < lanes; lane++) put(startOf(layer, sum, unitOf(panel, sum, lane)));
    }
    putMatrix(ih, ihScales, panel);
  }
  for (size_t panel = 0; panel < weights.panels(); panel++) putMatrix(hh, hhScales, panel);
}

}  // namespace

void FreeFloats::operator()(float* memory) const { std::free(memory); }

// A single row's speed is limited by reading the weights, so large blocks ask for huge pages, which cause fewer TLB misses. The
// last part does not ask, because it does not fill a huge page but would take a whole one.
FloatMemory allocateFloats(size_t floats) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
  size_t bytes;
  if (__builtin_mul_overflow(floats, sizeof(float), &bytes)) throw std::bad_alloc();
  if (bytes > SIZE_MAX - kLine) throw std::bad_alloc();
  const size_t huge = bytes / kHugePage * kHugePage;
  void* memory = nullptr;
  if (posix_memalign(&memory, huge == 0 ? kLine : kHugePage, (bytes / kLine + 1) * kLine) != 0) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (huge > 0) madvise(memory, huge, MADV_HUGEPAGE);
#endif
  return FloatMemory(static_cast<float*>(memory));
}

size_t Weights::units() const { return kind == Kind::kRnn ? kSums * kernel->lanes : kernel->lanes; }

size_t Weights::inputBytes() const {
  return kernel->lanes * (kSums * sizeof(float) * (isScaled() ? 2 : 1) + sizes.I * columns() * bytesOf(precision));
}

size_t Weights::hiddenBytes() const {
  return kernel->lanes * (kSums * sizeof(float) * (isScaled() ? 1 : 0) + sizes.Hi * columns() * bytesOf(precision));
}

Weights packWeights(const Kernel& kernel, const Layer& layer) {
  Weights weights{layer.kind, layer.activation, layer.slope, layer.precision, layer.sizes, &kernel, nullptr};
  weights.data = allocateFloats(weights.bytes() / sizeof(float));
  switch (layer.precision) {
    case Precision::kF32: pack<Float32>(layer, weights); break;
    case Precision::kBf16: pack<Bfloat16>(layer, weights); break;
    case Precision::kInt8: pack<Integer8>(layer, weights); break;
  }
  return weights;
}

}  // namespace cellserve
