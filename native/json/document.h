// A JSON request from its bytes to float32 tensors, without a JavaScript number for each of theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cellserve {

// Where a tensor may stand: a field of the document, or of the object that is its field `group`.
struct Field {
  std::string group;  // empty for the document's own
  std::string name;
};

// A tensor of the document.
struct Nested {
  size_t field;
  size_t rank = 0;
  size_t shape[3] = {0, 0, 0};    // of [B][T][W] the longest T
  std::vector<uint32_t> lengths;  // how many entries each row of [B][T][W] has, where they differ
  size_t begin;                   // of its numbers among the document's, where the rows are not padded
  size_t size;                    // how many numbers it has with its rows padded to the longest

  // Writes those, row-major, given the document's.
  void place(const float* numbers, float* out) const;
};

struct Document {
  std::string rest;  // the document with each tensor replaced by a 0: ASCII
  std::vector<Nested> tensors;
  std::unique_ptr<float[]> numbers;  // of all tensors
  size_t capacity = 0;
};

// Reads what is certain: true where `rest` is JSON if and only if the text is, and the tensors are those of the text.
// Whatever else it meets, an error or a tensor larger than `mostNumbers` among it, it leaves to a reader that can say what
// is wrong, and returns false.
bool readDocument(const char* text, size_t length, const std::vector<Field>& fields, size_t mostNumbers, Document&);

}  // namespace cellserve
