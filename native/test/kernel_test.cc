// Tests of the kernel without Node.js, for the sanitizers: every buffer is on the heap, with no byte to spare.
//
//     kernel_test [stride]      sweeps the activations over every stride-th float; 1 is all of them
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "../kernel/cell.h"
#include "../program/sequence.h"
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

// The emulated multiply-add against the C library's, over all exponents and with sums that nearly cancel.
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

// The distance in units of the last place of the exact result.
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
  } functions[] = {{"exp", kernel.exp, std::exp, 2}, {"sigmoid", kernel.sigmoid, sigmoidOf, 3.5}, {"tanh", kernel.tanh, std::tanh, 3.5}};
  for (const auto& [name, found, exact, bound] : functions) {
    double worst = 0;
    float at = 0;
    Buffer x(1021), y(1021);
    size_t count = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += stride) {
      x[count++] = floatOf(static_cast<uint32_t>(bits));
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

struct Cell {
  explicit Cell(Sizes sizes)
      : sizes(sizes),
        weightIh(randomBuffer(4 * sizes.Ho * sizes.I, 1 / std::sqrt(float(sizes.I)))),
        weightHh(randomBuffer(4 * sizes.Ho * sizes.Hi, 1 / std::sqrt(float(sizes.Hi)))),
        biasIh(randomBuffer(4 * sizes.Ho)),
        biasHh(randomBuffer(4 * sizes.Ho)) {}
  Weights pack(const Kernel& kernel) const {
    return packWeights(kernel, sizes, weightIh.data(), weightHh.data(), biasIh.data(), biasHh.data());
  }
  Sizes sizes;
  Buffer weightIh, weightHh, biasIh, biasHh;
};

// One step of all rows, by hand and with the C library.
static void reference(const Cell& cell, size_t rows, const Buffer& x, const Buffer& h, const Buffer& c, Buffer& hOut, Buffer& cOut) {
  const auto [I, Hi, Ho] = cell.sizes;
  for (size_t at = 0; at < rows * Ho; at++) {
    const size_t row = at / Ho, unit = at % Ho;
    double gates[4];
    for (size_t gate = 0; gate < 4; gate++) {
      const size_t n = gate * Ho + unit;
      gates[gate] = double(cell.biasIh[n]) + cell.biasHh[n];
      for (size_t k = 0; k < I; k++) gates[gate] += double(cell.weightIh[n * I + k]) * x[row * I + k];
      for (size_t k = 0; k < Hi; k++) gates[gate] += double(cell.weightHh[n * Hi + k]) * h[row * Hi + k];
    }
    const double state = sigmoidOf(gates[1]) * c[at] + sigmoidOf(gates[0]) * std::tanh(gates[2]);
    cOut[at] = float(state);
    hOut[at] = float(sigmoidOf(gates[3]) * std::tanh(state));
  }
}

static void testStep(Sizes sizes, size_t rows) {
  const auto [I, Hi, Ho] = sizes;
  const Cell cell(sizes);
  const Buffer x = randomBuffer(rows * I), h = randomBuffer(rows * Hi), c = randomBuffer(rows * Ho);
  Buffer hExact(rows * Ho), cExact(rows * Ho), hFirst, cFirst;
  reference(cell, rows, x, h, c, hExact, cExact);
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    const Weights weights = cell.pack(**kernel);
    Buffer hOut(rows * Ho), cOut(rows * Ho);
    // In two shares, as two threads would.
    for (size_t member = 0; member < 2; member++) {
      const Share panels = share(weights.panels, member, 2);
      (*kernel)->pass(weights, {rows, x.data(), h.data(), nullptr, 0, c.data(), cOut.data(), hOut.data()}, panels.begin, panels.end);
    }
    for (size_t i = 0; i < rows * Ho; i++) {
      EXPECT(std::fabs(hOut[i] - hExact[i]) < 3e-6 && std::fabs(cOut[i] - cExact[i]) < 3e-6, "%s I %zu Hi %zu Ho %zu rows %zu: h %g for %g",
             (*kernel)->name, I, Hi, Ho, rows, hOut[i], hExact[i]);
    }
    if (hFirst.empty()) hFirst = hOut, cFirst = cOut;
    EXPECT(same(hOut, hFirst) && same(cOut, cFirst), "%s I %zu Hi %zu Ho %zu rows %zu: other bits", (*kernel)->name, I, Hi, Ho, rows);

    // A row alone, in buffers that hold nothing else.
    const size_t row = generator() % rows;
    const Buffer x1(&x[row * I], &x[row * I] + I), h1(&h[row * Hi], &h[row * Hi] + Hi);
    Buffer c1(&c[row * Ho], &c[row * Ho] + Ho), hOut1(Ho);
    (*kernel)->pass(weights, {1, x1.data(), h1.data(), nullptr, 0, c1.data(), c1.data(), hOut1.data()}, 0, weights.panels);
    EXPECT(std::memcmp(hOut1.data(), &hOut[row * Ho], Ho * sizeof(float)) == 0, "%s: a row alone has other bits", (*kernel)->name);
  }
}

struct SequenceJob final : Job {
  SequenceJob(const Weights& weights, const Sequence& sequence, size_t members) : Job(members), run(weights, sequence) {}
  void work(size_t member) override { run.work(member, team); }
  void done() override { finished.advance(); }
  SequenceRun run;
  Turnstile finished;
};

static void testSequence(Sizes sizes, size_t steps, size_t rows, bool sameX, Feedback feedback) {
  const auto [I, Hi, Ho] = sizes;
  const Cell cell(sizes);
  const Buffer x = randomBuffer((sameX ? 1 : steps) * rows * I), hIn = randomBuffer(rows * Hi), cIn = randomBuffer(rows * Ho);
  const Buffer projection = randomBuffer(Hi * Ho), bias = randomBuffer(Hi);
  feedback.vectorSize = feedback.projection != nullptr ? 0 : Hi - feedback.repeat * Ho;
  const Buffer vectors = randomBuffer((feedback.perStep ? steps - 1 : 1) * rows * feedback.vectorSize);
  if (feedback.vectorSize > 0) feedback.vectors = vectors.data();
  if (feedback.projection != nullptr) feedback.projection = projection.data(), feedback.bias = bias.data();
  Buffer outputFirst, cFirst;
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    const Weights weights = cell.pack(**kernel);
    for (size_t threads = 1; threads <= 3; threads++) {
      Buffer output(steps * rows * Ho), c = cIn;
      Pool pool(threads);
      SequenceJob job(weights, {steps, rows, x.data(), sameX, hIn.data(), c.data(), output.data(), feedback}, threads);
      pool.submit(job);
      job.finished.wait(0);
      pool.stop();
      if (outputFirst.empty()) outputFirst = output, cFirst = c;
      EXPECT(same(output, outputFirst) && same(c, cFirst), "%s, %zu threads: other bits", (*kernel)->name, threads);
    }
  }
}

int main(int argc, char** argv) {
  const uint64_t stride = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 40009;
  if (stride < 1) return 2;
  testFma();
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if ((*kernel)->supported()) testActivations(**kernel, stride);
  }
  for (size_t size : {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 97, 211}) {
    for (size_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 64, 65}) {
      if (size * rows > 3000) continue;
      testStep({size, size, size}, rows);
      testStep({1 + generator() % 40, 1 + generator() % 40, size}, rows);
    }
  }
  const float projected = 0;
  for (bool sameX : {false, true}) {
    for (size_t rows : {1, 2, 5, 40}) {
      testSequence({5, 17, 17}, 7, rows, sameX, {.repeat = 1});
      testSequence({9, 66, 33}, 70 / rows + 1, rows, sameX, {.repeat = 2});
      testSequence({9, 40, 33}, 4, rows, sameX, {.repeat = 1});
      testSequence({9, 40, 33}, 4, rows, sameX, {.repeat = 1, .perStep = true});
      testSequence({9, 21, 33}, 4, rows, sameX, {.projection = &projected});
    }
  }
  std::printf(failures == 0 ? "the kernel's tests pass\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
