// Tests of the JSON reader and writer without Node.js, for the sanitizers: every text is on the heap, with no byte to spare.
//
//     json_test [stride]      writes and reads every stride-th float; 1 is all of them
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../json/decimal.h"
#include "../json/document.h"
#include "expect.h"

using namespace cellserve;

static std::mt19937 generator(7);

// The significant digits: no point, exponent, or zeros at the ends.
static std::string digitsOf(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == 'e') break;
    if (c >= '0' && c <= '9' && !(digits.empty() && c == '0')) digits += c;
  }
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return digits;
}

// Whether our text is as good as the library's: the library's text does not read back through a double, or it is as long as ours and no
// closer as far as a double can tell.
static bool isAsGood(const std::string& written, const char* shortest, const char* end, float value) {
  double ours, theirs;
  std::from_chars(written.data(), written.data() + written.size(), ours);
  std::from_chars(shortest, end, theirs);
  if (static_cast<float>(theirs) != value) return true;
  const double apart = std::fabs(ours - value) - std::fabs(theirs - value);
  return digitsOf(written).size() == digitsOf({shortest, end}).size() && std::fabs(apart) <= 4e-16 * value;
}

static void testFloats(uint32_t stride) {
  for (uint64_t bits = 0; bits < 0x7f800000; bits += stride) {
    const auto word = static_cast<uint32_t>(bits);
    float value, back;
    std::memcpy(&value, &word, 4);
    std::vector<char> text(kMaxDecimal);
    text.resize(static_cast<size_t>(writeDecimal(text.data(), value) - text.data()));
    text.shrink_to_fit();
    const char* const end = text.data() + text.size();
    const std::string written(text.data(), text.size());
    std::from_chars(text.data(), end, back);
    EXPECT(back == value, "%s is not %.9g", written.c_str(), value);

    char shortest[64];
    const auto to = std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::scientific);
    EXPECT(digitsOf(written) == digitsOf({shortest, to.ptr}) || isAsGood(written, shortest, to.ptr, value), "%s has other digits than %.9e", written.c_str(), value);

    const char* const read = readDecimal(text.data(), end, back);
    EXPECT(read == end && back == value, "%s is read as %.9g", written.c_str(), back);
  }
}

// Tests decimals of up to 64 bits against the C++ library's nearest double, rounded to float.
static void testDecimals() {
  for (size_t n = 0; n < 300000; n++) {
    const uint64_t digits = (uint64_t{generator()} << 32 | generator()) >> (generator() % 64);
    char buffer[64];
    const int exponent = static_cast<int>(generator() % 140) - 80;
    const int length = std::snprintf(buffer, sizeof buffer, "%s%llu%se%d", generator() % 2 ? "-" : "", static_cast<unsigned long long>(digits),
                                     generator() % 2 ? ".5" : "", exponent);
    const std::vector<char> text(buffer, buffer + length);
    const char* const end = text.data() + text.size();
    float value;
    const char* const read = readDecimal(text.data(), end, value);
    double nearest;
    std::from_chars(text.data(), end, nearest);
    const auto expected = static_cast<float>(nearest);
    const bool right = std::isfinite(expected) ? read == end && std::memcmp(&value, &expected, 4) == 0 : read == nullptr;
    EXPECT(right, "%.*s is read as %.9g", length, buffer, value);
  }
}

static bool read(const std::string& given, Document& document) {
  static const Schema schema = {{"x", "h_in", "steps", "note", "context"}, {{"", "x"}, {"", "h_in"}, {"context", "vectors"}}, 1 << 20, 1000};
  const std::vector<char> text(given.begin(), given.end());
  return readDocument(text.data(), text.size(), schema, document);
}

static void testDocuments() {
  const std::string whole =
      "{\"x\": [[[1, -2.5e3], [3,4]], [[0.123456789012345678, 6]]],\"steps\":3 , \"note\": {\"a\": \"\\\"]\", \"b\": [1, {}]},"
      "\"context\":{ \"vectors\" : [1,2 ,3], \"weights\": true}, \"h_in\":[[1e-5],[2]]}";
  Document document;
  EXPECT(read(whole, document), "the document is not read");
  EXPECT(document.rest == "{\"x\": 0,\"steps\":3 , \"note\": {\"a\": \"\\\"]\", \"b\": [1, {}]},\"context\":{ \"vectors\" : 0, \"weights\": true}, \"h_in\":0}",
         "the rest is %s", document.rest.c_str());
  EXPECT(document.tensors.size() == 3 && document.tensors[0].count == 6 && document.tensors[0].lengths.size() == 2, "the tensors are others");
  EXPECT(document.count == 11 && document.numbers[5] == 6 && document.numbers[8] == 3, "the numbers are others");
  EXPECT(!read("{\"x\": [1], \"y\": 2}", document), "an unknown field is read");
  EXPECT(!read("{\"x\": [1], \"steps\": 2, \"steps\": 3}", document), "a field is read twice");
  EXPECT(read("{\"x\": [1], \"note\": \"" + std::string(900, 'a') + "\"}", document), "900 bytes beside the tensors are too many");
  EXPECT(!read("{\"x\": [1], \"note\": \"" + std::string(1000, 'a') + "\"}", document), "more than 1000 bytes beside the tensors are read");
  EXPECT(!read("{\"x\": [1]" + std::string(1000, ' ') + "}", document), "more than 1000 spaces are read");

  for (size_t length = 0; length < whole.size(); length++) EXPECT(!read(whole.substr(0, length), document), "%zu bytes are a document", length);
  const std::string alphabet = "[]{}\",:.-+eE019 \\x\n\xff";
  for (int n = 0; n < 300000; n++) {
    std::string text = whole;
    for (uint32_t edits = 1 + generator() % 3; edits > 0; edits--) {
      const size_t at = generator() % text.size();
      const char c = alphabet[generator() % alphabet.size()];
      if (generator() % 2) text[at] = c;
      else if (generator() % 2) text.insert(at, 1 + generator() % 20, c);
      else text.erase(at, 1 + generator() % 4);
    }
    read(text, document);
  }
  EXPECT(read(whole, document), "the document is not read again");
}

int main(int argc, char** argv) {
  testFloats(argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1009);
  testDecimals();
  testDocuments();
  std::printf(failures == 0 ? "ok\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
