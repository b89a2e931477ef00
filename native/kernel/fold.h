// Sums of sixteen partial sums, folded in one order on every instruction set: 16 to 8, to 4, to 2, to 1.
#pragma once

#include "vector.h"

namespace {

constexpr int kPartials = 16;
constexpr int kParts = kPartials / kLanes;  // vectors that hold sixteen

// Folds as far as adding whole vectors can.
INLINE Floats foldParts(const Floats (&parts)[kParts]) {
  if constexpr (kParts == 1) return parts[0];
  if constexpr (kParts == 2) return parts[0] + parts[1];
  if constexpr (kParts == 4) return (parts[0] + parts[2]) + (parts[1] + parts[3]);
}

// Folds a and b, each of which contains several sums of `Width` lanes. The result has first the sums of a, then those of b.
template <int Width>
INLINE Floats foldPair(Floats a, Floats b) {
#if CELLSERVE_LANES == 16
  if constexpr (Width == 16) return SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) + SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  if constexpr (Width == 8) return SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) + SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  if constexpr (Width == 4) return SHUFFLE(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) + SHUFFLE(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
  if constexpr (Width == 2) return SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) + SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif CELLSERVE_LANES == 8
  if constexpr (Width == 8) return SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  if constexpr (Width == 4) return SHUFFLE(a, b, 0, 1, 4, 5, 8, 9, 12, 13) + SHUFFLE(a, b, 2, 3, 6, 7, 10, 11, 14, 15);
  if constexpr (Width == 2) return SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14) + SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  if constexpr (Width == 4) return SHUFFLE(a, b, 0, 1, 4, 5) + SHUFFLE(a, b, 2, 3, 6, 7);
  if constexpr (Width == 2) return SHUFFLE(a, b, 0, 2, 4, 6) + SHUFFLE(a, b, 1, 3, 5, 7);
#endif
}

// The sums of as many vectors as a vector has lanes, one per lane.
template <int Width = kLanes>
INLINE Floats fold(const Floats* sums) {
  if constexpr (Width == 1) {
    return sums[0];
  } else {
    Floats halves[Width / 2];
    for (int i = 0; i < Width / 2; i++) halves[i] = foldPair<Width>(sums[2 * i], sums[2 * i + 1]);
    return fold<Width / 2>(halves);
  }
}

// One sum.
INLINE float foldOne(const Floats (&parts)[kParts]) {
  float of[kLanes];
  store(of, foldParts(parts));
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) of[i] += of[i + width];
  }
  return of[0];
}

}  // namespace
