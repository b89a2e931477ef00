#include "decimal.h"

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight characters are read and written as one word");

namespace cellserve {
namespace {

constexpr int kLargestPower = 64;

// 10^-64 to 10^64, each rounded to the nearest double.
#define TENS(n) 1e##n##0, 1e##n##1, 1e##n##2, 1e##n##3, 1e##n##4, 1e##n##5, 1e##n##6, 1e##n##7, 1e##n##8, 1e##n##9
#define TENTHS(n) 1e-##n##9, 1e-##n##8, 1e-##n##7, 1e-##n##6, 1e-##n##5, 1e-##n##4, 1e-##n##3, 1e-##n##2, 1e-##n##1, 1e-##n##0
constexpr double kPowers[] = {
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, TENTHS(5), TENTHS(4), TENTHS(3), TENTHS(2), TENTHS(1),
    1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1,
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
    TENS(1), TENS(2), TENS(3), TENS(4), TENS(5), 1e60, 1e61, 1e62, 1e63, 1e64};
#undef TENS
#undef TENTHS
static_assert(sizeof kPowers / sizeof *kPowers == 2 * kLargestPower + 1, "one for each power");

double power(int exponent) { return kPowers[kLargestPower + exponent]; }

bool isDigit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// How many of the eight characters in a word are leading digits. The first character is in the lowest byte.
int countDigits(uint64_t word) {
  const uint64_t values = word ^ 0x3030303030303030;
  // A byte above 9 carries into its own top bit, or into the bytes after it.
  const uint64_t others = ((values + 0x7676767676767676) | values) & 0x8080808080808080;
  return others == 0 ? 8 : __builtin_ctzll(others) / 8;
}

// The value of eight digits in a word: joins pairs of digits, then pairs of pairs, then fours, each with one multiplication.
uint64_t valueOf(uint64_t word) {
  word = (word & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
  word = (word & 0x00ff00ff00ff00ff) * 6553601 >> 16;
  return (word & 0x0000ffff0000ffff) * 42949672960001 >> 32;
}

// The inverse: the digits of a number below 10^8 with leading zeros, as values, not characters.
uint64_t digitsOf(uint32_t value) {
  const uint64_t fours = value / 10000 | static_cast<uint64_t>(value % 10000) << 32;
  const uint64_t hundreds = (fours * 10486 >> 20) & 0x7f0000007f;
  const uint64_t pairs = hundreds | (fours - 100 * hundreds) << 16;
  const uint64_t tens = (pairs * 103 >> 10) & 0x000f000f000f000f;
  return tens | (pairs - 10 * tens) << 8;
}

// Appends the digits from `at` on to `mantissa`, modulo 2^64.
const char* readFewDigits(const char* at, const char* end, uint64_t& mantissa) {
  for (; at < end && isDigit(*at); at++) mantissa = mantissa * 10 + static_cast<uint64_t>(*at - '0');
  return at;
}

// The same, but faster for many digits.
const char* readDigits(const char* at, const char* end, uint64_t& mantissa) {
  while (end - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    const int count = countDigits(word);
    if (count == 8) {
      mantissa = mantissa * 100000000 + valueOf(word);
      at += 8;
      continue;
    }
    if (count == 0) return at;
    constexpr uint64_t kTens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    mantissa = mantissa * kTens[count] + valueOf(word << (64 - 8 * count));
    return at + count;
  }
  return readFewDigits(at, end, mantissa);
}

// The C library's nearest double, rounded to float: correct for every number, but slow. Returns false if that is not finite.
bool readSlowly(const char* begin, const char* end, float& value) {
  // The library stops at a character that is not part of a number.
  char text[64];
  const auto length = static_cast<size_t>(end - begin);
  if (length < sizeof text) {
    std::memcpy(text, begin, length);
    text[length] = '\0';
    value = static_cast<float>(std::strtod(text, nullptr));
  } else {
    value = static_cast<float>(std::strtod(std::string(begin, end).c_str(), nullptr));
  }
  return std::isfinite(value);
}

}  // namespace

const char* readDecimal(const char* at, const char* end, float& value) {
  const char* const begin = at;
  const bool negative = at < end && *at == '-';
  at += negative;

  const char* const first = at;
  uint64_t mantissa = 0;
  at = readFewDigits(at, end, mantissa);
  ptrdiff_t digits = at - first;
  if (digits == 0 || (*first == '0' && digits > 1)) return nullptr;
  ptrdiff_t exponent = 0;
  if (at < end && *at == '.') {
    const char* const fraction = ++at;
    at = readDigits(at, end, mantissa);
    if (at == fraction) return nullptr;
    digits += at - fraction;
    exponent = fraction - at;
  }
  if (digits > 19) {
    for (const char* zero = first; zero < at && (*zero == '0' || *zero == '.'); zero++) digits -= *zero == '0';
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    const bool down = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    uint64_t given = 0;
    const char* const last = readFewDigits(at, end, given);
    if (last == at) return nullptr;
    if (last - at > 3) given = 1000;
    at = last;
    exponent += down ? -static_cast<ptrdiff_t>(given) : static_cast<ptrdiff_t>(given);
  }
  const auto slowly = [&] { return readSlowly(begin, at, value) ? at : nullptr; };
  if (digits > 19) return slowly();  // more than 64 bits
  if (mantissa == 0) {
    value = negative ? -0.0f : 0.0f;
    return at;
  }
  if (exponent < -kLargestPower || exponent > kLargestPower) return slowly();

  // There are three roundings: of the mantissa, of the power and of their product. So the nearest double is at most two units away.
  const double approximate = static_cast<double>(mantissa) * power(static_cast<int>(exponent));
  if (!(approximate > FLT_MIN * 1.000001 && approximate < FLT_MAX)) return slowly();
  // The bits beyond the float's 24: if they are close to a half, one unit could decide the rounding.
  uint64_t bits;
  std::memcpy(&bits, &approximate, 8);
  const int64_t fromHalf = static_cast<int64_t>(bits & 0x1fffffff) - 0x10000000;
  if (fromHalf >= -4 && fromHalf <= 4) return slowly();
  value = static_cast<float>(negative ? -approximate : approximate);
  return at;
}

namespace {

// A decimal, `digits` times ten to the `exponent`.
struct Decimal {
  uint32_t digits;
  int exponent;
};

// Returns the decimal with the fewest digits that rounds to `value`, which is normal and positive.
Decimal shortest(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const int binary = static_cast<int>(bits >> 23) - 127;
  // All numbers between the midpoints to its neighbours round to `value`; below a power of two, the midpoint is half as far
  // away.
  const double v = value;
  uint64_t unit = static_cast<uint64_t>(binary - 24 + 1023) << 52;
  double half;
  std::memcpy(&half, &unit, 8);
  const double low = v - ((bits & 0x7fffff) == 0 ? half / 2 : half), high = v + half;

  // 10^tens <= v < 2 x 10^(tens + 1), so the first attempt has eight or nine digits, which is enough for every float32.
  const int tens = (binary * 1233) >> 12;
  // The midpoints themselves round to even, which not every reader does. A reader's double has a rounding error of 2^-53 of
  // itself, and so have the power, the product and the product below. So decimals that close to a midpoint are left out.
  constexpr double kInside = 1 - 0x1p-51, kOutside = 1 + 0x1p-51;
  Decimal found{0, 0};
  const auto fits = [&](int exponent) {
    const double scale = power(-exponent);
    const double least = low * scale * kOutside, most = high * scale * kInside;
    // Below 2^52 this rounds to the nearest integer, and ties to even.
    double digits = v * scale + 0x1p52 - 0x1p52;
    // An integer can be checked exactly.
    const bool exact = exponent > 0 && static_cast<float>(digits * power(exponent)) == value;
    if (!exact) {
      if (digits < least) digits++;
      if (digits > most) digits--;
      if (digits < least || digits == 0) return false;
    }
    found = {static_cast<uint32_t>(digits), exponent};
    return true;
  };
  for (int exponent = tens - 7; fits(exponent);) exponent++;
  return found;
}

// Subnormal floats, for which a double has spare bits.
Decimal shortestSubnormal(float value) {
  char text[kMaxDecimal];
  for (int precision = 0;; precision++) {
    std::snprintf(text, sizeof text, "%.*e", precision, static_cast<double>(value));
    if (precision < 8 && static_cast<float>(std::strtod(text, nullptr)) != value) continue;
    uint32_t digits = 0;
    const char* at = text;
    for (; *at != 'e'; at++) {
      if (isDigit(*at)) digits = digits * 10 + static_cast<uint32_t>(*at - '0');
    }
    return {digits, std::atoi(at + 1) - precision};
  }
}

// Writes at most ten digits; up to ten characters after `at` are overwritten in any case.
char* writeInteger(char* at, uint32_t value) {
  if (value >= 100000000) {
    const uint32_t most = value / 100000000;
    if (most >= 10) *at++ = static_cast<char>('0' + most / 10);
    *at++ = static_cast<char>('0' + most % 10);
    const uint64_t rest = digitsOf(value % 100000000) | 0x3030303030303030;
    std::memcpy(at, &rest, 8);
    return at + 8;
  }
  const uint64_t digits = digitsOf(value);
  const int zeros = digits == 0 ? 7 : __builtin_ctzll(digits) / 8;
  const uint64_t text = (digits | 0x3030303030303030) >> (8 * zeros);
  std::memcpy(at, &text, 8);
  return at + 8 - zeros;
}

char* fill(char* at, char c, int count) {
  for (; count > 0; count--) *at++ = c;
  return at;
}

}  // namespace

char* writeDecimal(char* at, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  *at = '-';
  at += bits >> 31;
  value = std::fabs(value);
  if (value == 0) {
    *at++ = '0';
    return at;
  }
  const Decimal decimal = value < FLT_MIN ? shortestSubnormal(value) : shortest(value);

  char digits[12];
  const int count = static_cast<int>(writeInteger(digits, decimal.digits) - digits);
  const int point = count + decimal.exponent;  // its position in the digits
  if (point > 21 || point <= -6) {
    *at++ = digits[0];
    if (count > 1) *at++ = '.';
    std::memcpy(at, digits + 1, 9);
    at += count - 1;
    *at++ = 'e';
    *at++ = point > 0 ? '+' : '-';
    return writeInteger(at, static_cast<uint32_t>(point > 0 ? point - 1 : 1 - point));
  }
  if (point <= 0) {
    *at++ = '0';
    *at++ = '.';
    at = fill(at, '0', -point);
    std::memcpy(at, digits, 10);
    return at + count;
  }
  if (point >= count) {
    std::memcpy(at, digits, 10);
    return fill(at + count, '0', point - count);
  }
  std::memcpy(at, digits, 10);
  std::memmove(at + point + 1, at + point, static_cast<size_t>(count - point));
  at[point] = '.';
  return at + count + 1;
}

}  // namespace cellserve
