// A vector of CELLSERVE_LANES floats, with GCC's and Clang's vector extensions. This file adds what the extensions lack: a
// fused multiply-add, and unaligned loads and stores.
//
// A file that includes this is compiled once for each instruction set, so all of it is in an anonymous namespace: the
// linker must not take one set's code for another's.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define INLINE inline __attribute__((always_inline))

namespace {

constexpr int kLanes = CELLSERVE_LANES;
typedef float Floats __attribute__((vector_size(4 * CELLSERVE_LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * CELLSERVE_LANES)));

INLINE Floats load(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

INLINE void store(float* to, Floats v) { __builtin_memcpy(to, &v, sizeof v); }

// Loads only the leading lanes if the row ends within them, otherwise all.
INLINE Floats loadSome(const float* from, size_t lanes) {
  if (lanes >= kLanes) return load(from);
  float all[kLanes] = {};
  for (size_t lane = 0; lane < lanes; lane++) all[lane] = from[lane];
  return load(all);
}

INLINE void storeSome(float* to, Floats v, size_t lanes) {
  if (lanes >= kLanes) return store(to, v);
  float all[kLanes];
  store(all, v);
  for (size_t lane = 0; lane < lanes; lane++) to[lane] = all[lane];
}

// Selects lanes of a and b, which are counted as one vector of twice the lanes.
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Ints{__VA_ARGS__})
#endif

INLINE Floats fill(float value) { return value - Floats{}; }  // subtracting 0 keeps -0
INLINE Ints bitsOf(Floats v) { return (Ints)v; }
INLINE Floats floatsOf(Ints bits) { return (Floats)bits; }

// Numbers stored in fewer bits, widened exactly: a bfloat16 is the upper half of a float.
#if defined(__AVX512F__) && CELLSERVE_LANES == 16
INLINE Ints widened(const uint16_t* from) { return (Ints)_mm512_maskz_cvtepu16_epi32(0xffff, _mm256_loadu_si256((const __m256i*)from)); }
INLINE Ints widened(const int8_t* from) { return (Ints)_mm512_maskz_cvtepi8_epi32(0xffff, _mm_loadu_si128((const __m128i*)from)); }
#elif defined(__AVX2__) && CELLSERVE_LANES == 8
INLINE Ints widened(const uint16_t* from) { return (Ints)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)from)); }
INLINE Ints widened(const int8_t* from) { return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)from)); }
#elif defined(__ARM_NEON) && CELLSERVE_LANES == 4
INLINE Ints widened(const uint16_t* from) { return (Ints)vmovl_u16(vld1_u16(from)); }
INLINE Ints widened(const int8_t* from) {
  int32_t bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return (Ints)vmovl_s16(vget_low_s16(vmovl_s8((int8x8_t)vdup_n_s32(bytes))));
}
#else
template <typename Element>
INLINE Ints widened(const Element* from) {
  Ints bits;
  for (int lane = 0; lane < kLanes; lane++) bits[lane] = from[lane];
  return bits;
}
#endif
INLINE Floats load(const uint16_t* from) { return floatsOf(widened(from) << 16); }
INLINE Floats load(const int8_t* from) { return __builtin_convertvector(widened(from), Floats); }

// a * b + c, rounded once.
#if defined(__AVX512F__) && CELLSERVE_LANES == 16
INLINE Floats fma(Floats a, Floats b, Floats c) { return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(__FMA__) && CELLSERVE_LANES == 8
INLINE Floats fma(Floats a, Floats b, Floats c) { return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#elif defined(__FMA__) && CELLSERVE_LANES == 16
INLINE Floats fma(Floats a, Floats b, Floats c) {
  float of[3][16];
  store(of[0], a);
  store(of[1], b);
  store(of[2], c);
  for (int half = 0; half < 16; half += 8) {
    _mm256_storeu_ps(of[2] + half, _mm256_fmadd_ps(_mm256_loadu_ps(of[0] + half), _mm256_loadu_ps(of[1] + half),
                                                   _mm256_loadu_ps(of[2] + half)));
  }
  return load(of[2]);
}
#elif defined(__ARM_NEON) && CELLSERVE_LANES == 4
INLINE Floats fma(Floats a, Floats b, Floats c) {
  return (Floats)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
// Without the instruction: in double precision the product is exact, and the sum is off by an `error` that is known exactly.
// Rounding twice, to double and then to float, could differ from rounding once, but not if the first rounding is to odd: if the
// sum is inexact and its last bit even, it moves to its neighbour on the side of the error. (Boldo and Melquiond, "Emulation of
// FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008.)
INLINE Floats fma(Floats a, Floats b, Floats c) {
  typedef double Doubles __attribute__((vector_size(8 * CELLSERVE_LANES)));
  typedef int64_t Longs __attribute__((vector_size(8 * CELLSERVE_LANES)));
  const Doubles product = __builtin_convertvector(a, Doubles) * __builtin_convertvector(b, Doubles);
  const Doubles addend = __builtin_convertvector(c, Doubles);
  const Doubles sum = product + addend;
  const Doubles part = sum - product;
  const Doubles error = (product - (sum - part)) + (addend - part);
  const Longs bits = (Longs)sum;
  const Longs inexact = (Longs)(error < 0) | (Longs)(error > 0);  // 0 for infinities and NaN
  const Longs even = (bits & 1) - 1;
  const Longs opposite = (Longs)(error < 0) ^ (Longs)(sum < 0);  // -1 if the error points to zero, else 0
  const Longs odd = bits + (inexact & even & (opposite | 1));
  return __builtin_convertvector((Doubles)odd, Floats);
}
#endif

}  // namespace
