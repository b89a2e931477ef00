// float32 to decimal and back.
//
// Reading goes through double, as `JSON.parse` does: the decimal rounds to the nearest double, and that to the nearest float32.
// Writing produces the fewest digits that read back as the same float32 and, among those, the closest as far as a double can
// tell, in JavaScript's number format. `src/wire/decimal.ts` produces the same text with the same arithmetic.
#pragma once

#include <cstddef>

namespace cellserve {

// The most characters of a float32: -1.23456789e-38.
constexpr size_t kMaxDecimal = 32;

// Reads the JSON number that starts at `at`. Returns its end, or nullptr if there is no number, or one that is not finite
// as a float32.
const char* readDecimal(const char* at, const char* end, float& value);

// Writes a finite float32. Returns the end of the text, at most `kMaxDecimal` characters after `at`.
char* writeDecimal(char* at, float value);

}  // namespace cellserve
