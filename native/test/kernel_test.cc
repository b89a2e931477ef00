// Tests of the kernel without Node.js, for the sanitizers: every buffer is on the heap, with no byte to spare.
//
//     kernel_test [stride]      sweeps the activations over every stride-th float; 1 is all of them
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "../kernel/kernels.h"
#include "../program/threads.h"

#define CELLSERVE_LANES 4
#include "../kernel/vector.h"
#include "expect.h"

using namespace cellserve;
using Buffer = std::vector<float>;

static std::mt19937 generator(7);

static Buffer randomBuffer(size_t size, float scale = 1) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Buffer buffer(size);
  for (float& value : buffer) value = uniform(generator);
  return buffer;
}

static bool same(const Buffer& a, const Buffer& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

static float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Exactly the kernels for which this CPU has the instructions, by Linux's names, are supported.
static void testSupport() {
#if defined(__x86_64__) && defined(__linux__)
  std::string flags;
  std::ifstream file("/proc/cpuinfo");
  while (flags.rfind("flags", 0) != 0 && std::getline(file, flags)) {}
  const auto has = [&](const char* name) { return (flags + ' ').find(' ' + std::string(name) + ' ') != std::string::npos; };
  const bool avx2 = has("avx2") && has("fma");
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    const std::string name = (*kernel)->name;
    const bool expected = name == "portable" || (avx2 && (name != "avx512" || has("avx512f")));
    EXPECT((*kernel)->supported() == expected, "%s is %ssupported", name.c_str(), expected ? "not " : "");
  }
#endif
}

// Tests the emulated multiply-add against the C library's, over all exponents and with sums that nearly cancel.
static void testFma() {
  for (int n = 0; n < 2000000; n++) {
    float a[4], b[4], c[4], result[4];
    for (int lane = 0; lane < 4; lane++) {
      a[lane] = floatOf(generator());
      b[lane] = floatOf(generator());
      c[lane] = lane < 2 ? floatOf(generator()) : -a[lane] * b[lane] * (1 + (generator() % 5) * 0x1p-24f);
      if (lane == 3) a[lane] = floatOf((generator() & 0x803fffff) | 0x3f000000);
    }
    store(result, fma(load(a), load(b), load(c)));
    for (int lane = 0; lane < 4; lane++) {
      const float expected = std::fma(a[lane], b[lane], c[lane]);
      EXPECT(std::memcmp(&expected, &result[lane], 4) == 0 || (std::isnan(expected) && std::isnan(result[lane])),
             "fma(%a, %a, %a) is %a, not %a", a[lane], b[lane], c[lane], result[lane], expected);
    }
  }
}

// The error in units of the exact result's last place.
static double ulps(float found, double exact) {
  if (std::isinf(found) && std::fabs(exact) > 0x1.fffffep127) return 0;
  const int exponent = exact == 0 ? -149 : std::max(std::ilogb(exact) - 23, -149);
  return std::fabs(found - exact) / std::ldexp(1, exponent);
}

static double sigmoidOf(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

static void testActivations(const Kernel& kernel, uint64_t stride) {
  const struct {
    const char* name;
    void (*found)(const float*, float*, size_t);
    double (*exact)(double);
    double bound;
    float least;  // of its arguments
  } functions[] = {{"exp", kernel.exp, std::exp, 2, -INFINITY},
                   {"log", kernel.log, std::log, 2, 0x1p-126f},
                   {"sigmoid", kernel.sigmoid, sigmoidOf, 3.5, -INFINITY},
                   {"tanh", kernel.tanh, std::tanh, 3.5, -INFINITY}};
  for (const auto& [name, found, exact, bound, least] : functions) {
    double worst = 0;
    float at = 0;
    Buffer x(1021), y(1021);
    size_t count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride) {
      const float next = floatOf(static_cast<uint32_t>(bits));
      if (least < 0 || (next >= least && std::isfinite(next))) x[count++] = next;
      if (count < x.size() && bits + stride <= UINT32_MAX) continue;
      found(x.data(), y.data(), count);
      for (size_t i = 0; i < count; i++) {
        if (std::isnan(x[i])) {
          EXPECT(std::isnan(y[i]), "%s %s(NaN) is %a", kernel.name, name, y[i]);
          continue;
        }
        const double distance = ulps(y[i], exact(x[i]));
        if (!(distance <= worst)) worst = distance, at = x[i];
      }
      count = 0;
    }
    std::printf("%-9s %-8s within %.3f ulp, at %a\n", kernel.name, name, worst, at);
    EXPECT(worst <= bound, "%s %s is off by %f ulp at %a", kernel.name, name, worst, at);
  }
}

// The nearest multiple of `unit`, divided by `unit`; a tie goes to the even multiple.
static double nearest(double value, double unit) {
  const double below = std::floor(value / unit), part = value / unit - below;
  const bool up = part > 0.5 || (part == 0.5 && std::fmod(below, 2) != 0);
  return below + (up ? 1 : 0);
}

// A matrix as a precision stores it: whole numbers for int8, with one scale per row.
struct Held {
  Held(const Buffer& matrix, size_t rows, Precision precision) : values(matrix), scales(rows, 1.0f) {
    const size_t width = rows == 0 ? 0 : matrix.size() / rows;
    for (size_t row = 0; row < rows; row++) {
      float* const of = values.data() + row * width;
      float largest = 0;
      for (size_t k = 0; k < width; k++) largest = std::max(largest, std::fabs(of[k]));
      if (precision == Precision::kInt8) scales[row] = largest / 127;
      for (size_t k = 0; k < width; k++) {
        if (precision == Precision::kInt8) of[k] = largest == 0 ? 0 : static_cast<float>(nearest(of[k], scales[row]));
        if (precision == Precision::kBf16 && of[k] != 0) {
          const double unit = std::ldexp(1, std::max(std::ilogb(of[k]), -126) - 7);
          of[k] = static_cast<float>(nearest(of[k], unit) * unit);
        }
      }
    }
  }
  // The value that it represents.
  double at(size_t row, size_t k) const { return double(scales[row]) * values[row * (values.size() / scales.size()) + k]; }
  Buffer values, scales;
};

// Weights of a cell or a linear layer.
struct Trained {
  Trained(Kind kind, Activation activation, Sizes sizes, float slope, Precision precision)
      : kind(kind),
        activation(activation),
        slope(slope),
        precision(precision),
        sizes(sizes),
        gates(kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1),
        weightIh(randomBuffer(gates * sizes.Ho * sizes.I, 1 / std::sqrt(float(sizes.I + sizes.Hi)))),
        weightHh(randomBuffer(gates * sizes.Ho * sizes.Hi, 1 / std::sqrt(float(sizes.I + sizes.Hi)))),
        biasIh(randomBuffer(gates * sizes.Ho)),
        biasHh(randomBuffer(gates * sizes.Ho)),
        ih(weightIh, gates * sizes.Ho, precision),
        hh(weightHh, gates * sizes.Ho, precision) {}
  bool isLinear() const { return sizes.Hi == 0; }
  Weights pack(const Kernel& kernel) const {
    return packWeights(kernel, {kind, activation, sizes, weightIh.data(), weightHh.data(), biasIh.data(), isLinear() ? nullptr : biasHh.data(), slope, precision});
  }
  // The same with float32 weights that are already rounded.
  Weights packRounded(const Kernel& kernel) const {
    return packWeights(kernel, {kind, activation, sizes, ih.values.data(), hh.values.data(), biasIh.data(), isLinear() ? nullptr : biasHh.data(), slope});
  }
  // The gate function of an LSTM and a GRU.
  double gate(double x) const { return slope == 0 ? sigmoidOf(x) : std::min(std::max(slope * x + 0.5, 0.0), 1.0); }
  double f(double x) const { return activation == Activation::kRelu ? std::max(x, 0.0) : std::tanh(x); }
  Kind kind;
  Activation activation;
  float slope;
  Precision precision;
  Sizes sizes;
  size_t gates;
  Buffer weightIh, weightHh, biasIh, biasHh;
  Held ih, hh;
};

static double activate(Activation activation, double x) {
  if (activation == Activation::kNone) return x;
  if (activation == Activation::kTanh) return std::tanh(x);
  return activation == Activation::kRelu ? std::max(x, 0.0) : sigmoidOf(x);
}

// Rows of vectors within wider rows, on the heap and no longer than necessary: the last vector ends where its memory ends.
struct Rows {
  Rows(size_t rows, size_t width, size_t gap) : rows(rows), width(width), stride(width + gap), data(randomBuffer(rows == 0 ? 0 : (rows - 1) * stride + width)) {}
  float& at(size_t row, size_t i) { return data[row * stride + i]; }
  Vectors vectors(size_t from = 0) { return {data.data() + from * stride, stride}; }
  // The same numbers in memory with another stride.
  Rows inside(size_t gap, size_t from, size_t to) const {
    Rows other(to - from, width, gap);
    for (size_t row = from; row < to; row++) std::copy_n(data.begin() + row * stride, width, other.data.begin() + (row - from) * other.stride);
    return other;
  }
  // Whether its rows from `from` on have the same bits as `other`'s rows.
  bool has(const Rows& other, size_t from) const {
    for (size_t row = 0; row < other.rows; row++) {
      if (other.width > 0 && std::memcmp(&data[(from + row) * stride], &other.data[row * other.stride], other.width * sizeof(float)) != 0) return false;
    }
    return true;
  }
  size_t rows, width, stride;
  Buffer data;
};

// The exact results of a step of all rows.
struct Exact {
  std::vector<double> out, kept, gates;
};

// One step of all rows, by hand and with the C library.
static Exact reference(const Trained& layer, size_t rows, Rows x, Rows h, Rows carry) {
  Exact exact;
  auto& [out, kept, gates] = exact;
  const auto [I, Hi, Ho] = layer.sizes;
  if (layer.kind != Kind::kRnn) gates.resize(rows * layer.gates * Ho);
  for (size_t row = 0; row < rows; row++) {
    for (size_t unit = 0; unit < Ho; unit++) {
      double* const told = gates.data() + row * layer.gates * Ho + unit;
      double ofX[4] = {}, ofH[4] = {};
      for (size_t gate = 0; gate < layer.gates; gate++) {
        const size_t n = gate * Ho + unit;
        ofX[gate] = layer.biasIh[n];
        ofH[gate] = layer.isLinear() ? 0 : layer.biasHh[n];
        for (size_t k = 0; k < I; k++) ofX[gate] += layer.ih.at(n, k) * x.at(row, k);
        for (size_t k = 0; k < Hi; k++) ofH[gate] += layer.hh.at(n, k) * h.at(row, k);
      }
      if (layer.kind == Kind::kRnn) {
        out.push_back(activate(layer.activation, ofX[0] + ofH[0]));
      } else if (layer.kind == Kind::kGru) {
        const double r = layer.gate(ofX[0] + ofH[0]), z = layer.gate(ofX[1] + ofH[1]), n = layer.f(ofX[2] + r * ofH[2]);
        out.push_back((1 - z) * n + z * carry.at(row, unit));
        kept.push_back(out.back());
        told[0] = r, told[Ho] = z, told[2 * Ho] = n;
      } else {
        const double i = layer.gate(ofX[0] + ofH[0]), f = layer.gate(ofX[1] + ofH[1]), g = layer.f(ofX[2] + ofH[2]), o = layer.gate(ofX[3] + ofH[3]);
        kept.push_back(f * carry.at(row, unit) + i * g);
        out.push_back(o * layer.f(kept.back()));
        told[0] = i, told[Ho] = f, told[2 * Ho] = g, told[3 * Ho] = o;
      }
    }
  }
  return exact;
}

// A layer's results for a step of some rows.
struct Made {
  Rows out, kept, gates;
  // Whether its rows from `from` on have the same bits as `other`'s.
  bool has(const Made& other, size_t from) const { return out.has(other.out, from) && kept.has(other.kept, from) && gates.has(other.gates, from); }
};

// A step in `shares` parts, as threads would share it, at once or in halves; with its gates, if it has any and they are asked for.
static Made step(const Weights& weights, Rows x, Rows h, Rows carry, size_t shares, bool halves, bool tells = true) {
  const size_t rows = x.rows, Ho = weights.sizes.Ho;
  Rows out(rows, Ho, generator() % 5), kept(rows, weights.kind == Kind::kRnn ? 0 : Ho, generator() % 5), gates(rows, tells ? weights.gates() : 0, generator() % 5);
  const size_t sumRows = rows + generator() % 3;
  Buffer sums(halves ? weights.panels() * sumRows * kSums * weights.kernel->lanes : 0);
  for (size_t member = 0; member < shares; member++) {
    const Share panels = share(weights.panels(), member, shares);
    Pass pass{};
    pass.rows = rows;
    pass.x = x.vectors(), pass.h = h.vectors(), pass.carry = carry.vectors(), pass.out = out.vectors();
    if (kept.width > 0) pass.carryOut = kept.vectors();
    if (gates.width > 0) pass.gates = gates.vectors();
    pass.sums = sums.data(), pass.sumRows = sumRows;
    for (const Pass::Part part : halves ? std::vector{Pass::kInput, Pass::kHidden} : std::vector{Pass::kWhole}) {
      pass.part = part;
      weights.kernel->pass(weights, pass, panels.begin, panels.end);
    }
  }
  return {out, kept, gates};
}

static void testLayer(Kind kind, Activation activation, Sizes sizes, size_t rows, Precision precision, float slope = 0) {
  const size_t I = sizes.I, Hi = sizes.Hi, Ho = sizes.Ho;
  const Trained layer(kind, activation, sizes, slope, precision);
  const Rows x(rows, I, 3), h(rows, Hi, 1), carry(rows, kind == Kind::kRnn ? 0 : Ho, 2);
  const Exact exact = reference(layer, rows, x, h, carry);
  std::unique_ptr<Made> first;
  const auto what = [&](const Kernel& kernel) {
    return std::string(kernel.name) + " kind " + std::to_string(int(kind)) + " I " + std::to_string(I) + " Hi " + std::to_string(Hi) + " Ho " +
           std::to_string(Ho) + " rows " + std::to_string(rows) + " activation " + std::to_string(int(activation)) + " slope " + std::to_string(slope) + " precision " + std::to_string(int(precision));
  };
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    const Weights weights = layer.pack(**kernel);
    auto all = step(weights, x, h, carry, 2, false);
    EXPECT(all.gates.width == exact.gates.size() / rows, "%s: %zu numbers of gates", what(**kernel).c_str(), all.gates.width);
    for (size_t row = 0; row < rows; row++) {
      for (size_t unit = 0; unit < Ho; unit++) {
        const double out = exact.out[row * Ho + unit];
        EXPECT(std::fabs(all.out.at(row, unit) - out) < 4e-6 * (1 + std::fabs(out)), "%s: %g for %g", what(**kernel).c_str(), all.out.at(row, unit), out);
        if (all.kept.width > 0) {
          EXPECT(std::fabs(all.kept.at(row, unit) - exact.kept[row * Ho + unit]) < 4e-6, "%s: other carry", what(**kernel).c_str());
        }
      }
      for (size_t n = 0; n < all.gates.width; n++) {
        const double gate = exact.gates[row * all.gates.width + n];
        EXPECT(std::fabs(all.gates.at(row, n) - gate) < 4e-6 * (1 + std::fabs(gate)), "%s: gate %zu, unit %zu is %g, not %g", what(**kernel).c_str(), n / Ho, n % Ho, all.gates.at(row, n), gate);
      }
    }
    if (first == nullptr) first = std::make_unique<Made>(all);
    EXPECT(first->has(all, 0), "%s: other bits", what(**kernel).c_str());
    EXPECT(all.has(step(weights, x, h, carry, 2, false, false), 0), "%s: other bits if nobody asks for gates", what(**kernel).c_str());
    if (precision == Precision::kBf16) {
      EXPECT(all.has(step(layer.packRounded(**kernel), x, h, carry, 2, false), 0), "%s: other bits than of float32 weights that are rounded", what(**kernel).c_str());
    }

    // Some of the rows alone, in their own memory.
    const size_t from = generator() % rows, to = from + 1 + generator() % (rows - from);
    const bool halves = I > 0 && Hi > 0 && generator() % 2 == 0;
    const auto some = step(weights, x.inside(0, from, to), h.inside(2, from, to), carry.inside(1, from, to), 1 + generator() % 3, halves);
    EXPECT(first->has(some, from), "%s: other bits of rows %zu to %zu%s", what(**kernel).c_str(), from, to,
           halves ? ", by halves" : "");
  }
}

// Tests the sums themselves, in the order that layer.h defines.
static void testSums(Sizes sizes, size_t rows, Precision precision) {
  const auto [I, Hi, Ho] = sizes;
  const Trained layer(Kind::kRnn, Activation::kNone, sizes, 0, precision);
  Rows x(rows, I, 1), h(rows, Hi, 2);
  const bool isScaled = precision == Precision::kInt8;
  const auto add = [&](const Held& matrix, size_t unit, Rows& in, size_t row, size_t width, float start) {
    float sum = isScaled ? 0 : start;
    for (size_t k = 0; k < width; k++) sum = std::fma(matrix.values[unit * width + k], in.at(row, k), sum);
    return isScaled ? std::fma(width == 0 ? 0 : matrix.scales[unit], sum, start) : sum;
  };
  Rows exact(rows, Ho, 0);
  for (size_t row = 0; row < rows; row++) {
    for (size_t unit = 0; unit < Ho; unit++) {
      const float bias = layer.isLinear() ? layer.biasIh[unit] : layer.biasIh[unit] + layer.biasHh[unit];
      exact.at(row, unit) = add(layer.hh, unit, h, row, Hi, add(layer.ih, unit, x, row, I, bias));
    }
  }
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    for (const bool halves : {false, true}) {
      if (halves && (I == 0 || Hi == 0)) continue;
      const auto made = step(layer.pack(**kernel), x, h, Rows(rows, 0, 0), 1 + generator() % 2, halves);
      EXPECT(exact.has(made.out, 0), "%s: %zu, %zu, %zu, %zu rows, precision %d: other sums%s", (*kernel)->name, I, Hi, Ho, rows, int(precision), halves ? " by halves" : "");
    }
  }
}

// Tests the rounding of edge cases.
static void testRounding(const Kernel& kernel) {
  const auto held = [&](Buffer row, Precision precision) {
    const float zero = 0;
    const Sizes sizes{row.size(), 0, 1};
    const Weights weights = packWeights(kernel, {Kind::kRnn, Activation::kNone, sizes, row.data(), nullptr, &zero, nullptr, 0, precision});
    Buffer made;
    for (size_t k = 0; k < row.size(); k++) {
      Rows x(1, row.size(), 0), out(1, 1, 0);
      for (size_t i = 0; i < row.size(); i++) x.at(0, i) = i == k ? 1 : 0;
      Pass pass{};
      pass.rows = 1, pass.part = Pass::kWhole, pass.x = x.vectors(), pass.out = out.vectors();
      kernel.pass(weights, pass, 0, 1);
      made.push_back(out.at(0, 0));
    }
    return made;
  };
  EXPECT(same(held({1, 0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, -0x1.01p0f, 0x1.fep0f, 0x1.ffp0f, 0x1p-149f, 0x1p-133f}, Precision::kBf16),
              {1, 1, 0x1.04p0f, 0x1.02p0f, -1, 0x1.fep0f, 2, 0, 0x1p-133f}),
         "%s: bfloat16 rounds otherwise", kernel.name);
  EXPECT(same(held({127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127, 0.50001f, 126.6f}, Precision::kInt8), {127, 0, 2, 2, 0, -2, -127, 1, 127}), "%s: int8 rounds otherwise", kernel.name);
  EXPECT(same(held({0, 0, 0}, Precision::kInt8), {0, 0, 0}), "%s: a row of zeros", kernel.name);
  EXPECT(same(held({0x1p-149f, -0x1p-149f}, Precision::kInt8), {0, 0}), "%s: a row whose scale is no number", kernel.name);
}

// A set of supports, on the heap.
struct Supports {
  Supports(const Reading& reading, size_t count)
      : reading(reading), keys(count * padded(reading.width)), values(count * padded(reading.valueWidth)), inverses(count), count(count) {
    const auto fill = [&](Buffer& rows, size_t width) {
      for (size_t i = 0; i < count; i++) {
        const Buffer row = randomBuffer(width);
        std::copy(row.begin(), row.end(), rows.begin() + i * padded(width));
      }
    };
    fill(keys, reading.width);
    fill(values, reading.valueWidth);
  }
  Set on(const Kernel& kernel) {
    kernel.inverses(count, {keys.data(), padded(reading.width)}, padded(reading.width), inverses.data());
    return {count, keys.data(), inverses.data(), values.data()};
  }
  const Reading& reading;
  Buffer keys, values, inverses;
  size_t count;
};

static void testAttention(Score score, Activation activation, size_t width, size_t valueWidth, size_t count, size_t rows) {
  Buffer v = randomBuffer(padded(width));
  std::fill(v.begin() + width, v.end(), 0.0f);
  const Reading reading{score, activation, generator() % 2 == 0 ? 1 : 0.7f, width, valueWidth, v.data()};
  Supports supports(reading, count);
  Buffer queries(rows * padded(width));
  for (size_t row = 0; row < rows; row++) {
    const Buffer query = randomBuffer(width);
    std::copy(query.begin(), query.end(), queries.begin() + row * padded(width));
  }
  Buffer weightsFirst, readFirst;
  for (const Kernel* const* at = kKernels; *at != nullptr; at++) {
    const Kernel& kernel = **at;
    if (!kernel.supported()) continue;
    const Set set = supports.on(kernel);
    // Attends for some rows, with the scores and the columns in shares.
    const auto attend = [&](size_t from, size_t to, size_t shares, Buffer& weights, Buffer& read) {
      Buffer scores((to - from) * count);
      weights.resize(scores.size());
      read.assign((to - from) * valueWidth, 7);
      std::vector<float*> out;
      for (size_t row = from; row < to; row++) out.push_back(read.data() + (row - from) * valueWidth);
      const auto shareOf = [&](size_t things, size_t member) {
        const Share blocks = share(padded(things) / kPartialSums, member, shares);
        return Share{blocks.begin * kPartialSums, std::min(blocks.end * kPartialSums, things)};
      };
      for (size_t member = 0; member < shares; member++) {
        const Share part = shareOf(count, member);
        kernel.score(reading, set, to - from, {queries.data() + from * padded(width), padded(width)}, {scores.data(), count}, part.begin, part.end);
      }
      for (size_t row = 0; row < to - from; row++) kernel.softmax(scores.data() + row * count, weights.data() + row * count, count);
      for (size_t member = 0; member < shares; member++) {
        const Share part = shareOf(valueWidth, member);
        if (part.begin < part.end) kernel.read(reading, set, to - from, {weights.data(), count}, out.data(), part.begin, part.end);
      }
    };
    Buffer weights, read;
    attend(0, rows, 1, weights, read);
    for (size_t row = 0; row < rows; row++) {
      std::vector<double> exact(count);
      const auto dot = [&](const float* a, const float* b) {
        double sum = 0;
        for (size_t k = 0; k < width; k++) sum += double(a[k]) * b[k];
        return sum;
      };
      const float* q = &queries[row * padded(width)];
      for (size_t i = 0; i < count; i++) {
        const float* k = &supports.keys[i * padded(width)];
        if (score == Score::kAdditive) {
          for (size_t j = 0; j < width; j++) exact[i] += v[j] * activate(activation, double(q[j]) + k[j]);
        } else {
          exact[i] = dot(q, k);
          if (score == Score::kCosine) exact[i] /= std::max(std::sqrt(dot(q, q)), 1e-8) * std::max(std::sqrt(dot(k, k)), 1e-8);
        }
        exact[i] *= reading.scale;
      }
      double sum = 0;
      for (double& one : exact) sum += one = std::exp(one);
      for (size_t i = 0; i < count; i++) {
        EXPECT(std::fabs(weights[row * count + i] - exact[i] / sum) < 1e-5, "%s score %d width %zu of %zu: weight %g for %g", kernel.name, int(score), width, count,
               weights[row * count + i], exact[i] / sum);
      }
      for (size_t j = 0; j < valueWidth; j++) {
        double value = 0;
        for (size_t i = 0; i < count; i++) value += exact[i] / sum * supports.values[i * padded(valueWidth) + j];
        EXPECT(std::fabs(read[row * valueWidth + j] - value) < 1e-5, "%s: read %g for %g", kernel.name, read[row * valueWidth + j], value);
      }
    }
    if (weightsFirst.empty()) weightsFirst = weights, readFirst = read;
    EXPECT(same(weights, weightsFirst) && same(read, readFirst), "%s score %d width %zu, %zu of %zu, %zu rows: other bits", kernel.name, int(score), width, valueWidth, count, rows);
    const size_t from = generator() % rows, to = from + 1 + generator() % (rows - from);
    attend(from, to, 1 + generator() % 3, weights, read);
    EXPECT(std::equal(weights.begin(), weights.end(), weightsFirst.begin() + from * count) && std::equal(read.begin(), read.end(), readFirst.begin() + from * valueWidth),
           "%s score %d width %zu, %zu of %zu: other bits of rows %zu to %zu", kernel.name, int(score), width, valueWidth, count, from, to);
  }
}

// Tests softmax and its logarithm: their values, also in place, with the same bits everywhere; overflow gives NaN.
static void testSoftmax(size_t count, float scale) {
  const Buffer x = randomBuffer(count, scale);
  double largest = -INFINITY, sum = 0;
  for (const float value : x) largest = std::max<double>(largest, value);
  for (const float value : x) sum += std::exp(value - largest);
  Buffer first[2];
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    for (const bool isLog : {false, true}) {
      const auto make = isLog ? (*kernel)->logSoftmax : (*kernel)->softmax;
      Buffer y(count), inPlace = x, odd = x;
      make(x.data(), y.data(), count);
      make(inPlace.data(), inPlace.data(), count);
      for (size_t i = 0; i < count; i++) {
        const double log = x[i] - largest - std::log(sum), exact = isLog ? log : std::exp(log);
        EXPECT(std::fabs(y[i] - exact) <= 1e-6 * std::max(1.0, std::fabs(exact)), "%s %s of %zu: %g for %g", (*kernel)->name, isLog ? "log_softmax" : "softmax", count, y[i], exact);
      }
      EXPECT(same(y, inPlace), "%s: other bits in place", (*kernel)->name);
      if (first[isLog].empty()) first[isLog] = y;
      EXPECT(same(y, first[isLog]), "%s: other bits", (*kernel)->name);
      odd[generator() % count] = generator() % 2 == 0 ? INFINITY : NAN;
      make(odd.data(), y.data(), count);
      EXPECT(std::all_of(y.begin(), y.end(), [](float value) { return std::isnan(value); }), "%s: what has overflown is a number", (*kernel)->name);
    }
  }
}

int main(int argc, char** argv) {
  const uint64_t stride = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 40009;
  if (stride < 1) return 2;
  testSupport();
  testFma();
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if ((*kernel)->supported()) testActivations(**kernel, stride);
  }
  const auto upTo = [](size_t most) { return 1 + generator() % most; };
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if ((*kernel)->supported()) testRounding(**kernel);
  }
  size_t turn = 0;
  const auto drawn = [&] { return static_cast<Precision>(turn++ % 3); };
  for (size_t size : {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 97, 211}) {
    for (size_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 64, 65}) {
      if (size * rows > 3000) continue;
      for (const Kind kind : {Kind::kLstm, Kind::kGru, Kind::kRnn}) {
        const Activation activation = generator() % 2 == 0 ? Activation::kTanh : Activation::kRelu;
        testLayer(kind, activation, {size, size, size}, rows, drawn());
        testLayer(kind, activation, {generator() % 4 == 0 ? 0 : upTo(40), upTo(40), size}, rows, drawn());
        if (kind != Kind::kRnn) testLayer(kind, activation, {upTo(40), upTo(40), size}, rows, drawn(), generator() % 2 == 0 ? 0.2f : 1 / 6.0f);
      }
      testLayer(Kind::kRnn, static_cast<Activation>(generator() % 4), {upTo(60), 0, size}, rows, drawn());
      for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
        testSums({generator() % 4 == 0 ? 0 : upTo(700), generator() % 4 == 0 ? 0 : upTo(300), size}, rows, precision);
      }
    }
  }
  for (size_t count : {1, 2, 3, 7, 8, 15, 16, 17, 40, 67, 1000, 20000}) {
    for (const float scale : {0.1f, 3.0f, 60.0f, 1000.0f}) testSoftmax(count, scale);
  }
  for (size_t count : {1, 2, 3, 5, 15, 16, 17, 40, 67, 200}) {
    for (size_t rows : {1, 2, 3, 4, 5, 7, 13, 30}) {
      for (const Score score : {Score::kDot, Score::kCosine, Score::kAdditive}) {
        testAttention(score, generator() % 2 == 0 ? Activation::kTanh : Activation::kRelu, upTo(70), upTo(300), count, rows);
      }
    }
  }
  std::printf(failures == 0 ? "the kernel's tests pass\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
