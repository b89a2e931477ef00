// The nonlinearities. They use no tables and no branches, so every lane of every width does the same arithmetic.
// NaN comes out as NaN: the clamps are written so that a comparison with NaN, which is false, keeps it.
#pragma once

#include "vector.h"

namespace {

// x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite), so e^x = 2^n e^r.
struct Reduced {
  Ints n;
  Floats expm1;  // e^r - 1, which near 0 is more precise than e^r
};

INLINE Reduced reduce(Floats x) {
  // Adding 1.5 * 2^23 leaves no bits for a fraction: the last bits of the sum are x / ln 2 rounded to an integer.
  const Floats shift = fill(0x1.8p23f);
  const Floats shifted = fma(x, fill(0x1.715476p0f), shift);
  const Floats n = shifted - shift;
  // ln 2 in two parts, the first short enough for n * ln2High to be exact.
  Floats r = fma(n, fill(-0x1.62e4p-1f), x);
  r = fma(n, fill(-0x1.7f7d1cp-20f), r);
  // (e^r - 1 - r) / r^2, a minimax polynomial.
  Floats q = fill(0x1.6d9978p-10f);
  q = fma(q, r, fill(0x1.122868p-7f));
  q = fma(q, r, fill(0x1.555488p-5f));
  q = fma(q, r, fill(0x1.5554bp-3f));
  q = fma(q, r, fill(0.5f));
  return {bitsOf(shifted) - bitsOf(shift), fma(r * r, q, r)};
}

// 2^n for n in [-126, 127].
INLINE Floats powerOfTwo(Ints n) { return floatsOf((n + 127) << 23); }

INLINE Floats atLeast(Floats x, float low) { return x < fill(low) ? fill(low) : x; }
INLINE Floats atMost(Floats x, float high) { return x > fill(high) ? fill(high) : x; }

// -|x|
INLINE Floats negative(Floats x) { return floatsOf(bitsOf(x) | INT32_MIN); }

// Within 2 ulp, from the overflow to infinity down to denormals and 0.
INLINE Floats exp(Floats x) {
  const Reduced e = reduce(atLeast(atMost(x, 89), -105));
  // 2^n itself may not be a float, but each half of it is.
  const Ints half = e.n >> 1;
  return (e.expm1 + 1) * powerOfTwo(half) * powerOfTwo(e.n - half);
}

// 1 / (1 + e^-x), and for negative x the same times e^x / e^x, so that small results keep their precision.
INLINE Floats sigmoid(Floats x) {
  const Floats e = exp(negative(x));
  return (x < Floats{} ? e : fill(1)) / (e + 1);
}

// With t = e^(-2|x|) - 1: |tanh x| = -t / (t + 2). Near 0 t is precise, and far away it is -1.
INLINE Floats tanh(Floats x) {
  const Reduced e = reduce(atLeast(negative(x) * 2, -40));
  const Floats scale = powerOfTwo(e.n);
  const Floats t = fma(scale, e.expm1, scale - 1);
  const Ints sign = bitsOf(x) & INT32_MIN;
  return floatsOf((bitsOf(-t / (t + 2)) & INT32_MAX) | sign);
}

// Within 2 ulp for normal positive x: x = 2^n m with m in [sqrt(1/2), sqrt(2)), so log x = n ln 2 + log m.
INLINE Floats log(Floats x) {
  const Ints n = (bitsOf(x) - 0x3f3504f3) >> 23;
  const Floats f = floatsOf(bitsOf(x) - (n << 23)) - 1;
  const Floats power = __builtin_convertvector(n, Floats);
  // (log(1 + f) - f + f^2 / 2) / f^3, a minimax polynomial.
  Floats q = fill(-0x1.38919ep-4f);
  q = fma(q, f, fill(0x1.055402p-3f));
  q = fma(q, f, fill(-0x1.0d8894p-3f));
  q = fma(q, f, fill(0x1.22db5ap-3f));
  q = fma(q, f, fill(-0x1.54720cp-3f));
  q = fma(q, f, fill(0x1.999ffap-3f));
  q = fma(q, f, fill(-0x1.000228p-2f));
  q = fma(q, f, fill(0x1.555554p-2f));
  // ln 2 in two parts, the first short enough for n times it to be exact. Small terms are added first.
  const Floats square = f * f;
  const Floats rest = fma(f * square, q, power * fill(-0x1.bd0106p-13f));
  return fma(power, fill(0x1.63p-1f), f + fma(square, fill(-0.5f), rest));
}

INLINE Floats relu(Floats x) { return x < Floats{} ? Floats{} : x; }

// The line through (0, 0.5) with that slope, clamped to [0, 1].
INLINE Floats hardSigmoid(Floats x, Floats slope) { return atMost(atLeast(fma(slope, x, fill(0.5f)), 0), 1); }

// 0, or NaN if x is infinite or NaN. An overflowed sum is meaningless, but a sigmoid would still turn it into a number. With
// this added, the result is NaN, and the caller can detect it.
INLINE Floats lost(Floats x) { return x - x; }

}  // namespace
