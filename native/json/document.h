// Reads the bytes of a JSON request into float32 tensors, without a JavaScript number for each of their numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cellserve {

// A place for a tensor: a field of the document, or of the object in its field `group`.
struct Field {
  std::string group;  // empty for a field of the document
  std::string name;
};

// A tensor of the document.
struct Nested {
  size_t field;
  size_t rank = 0;
  size_t shape[3] = {0, 0, 0};    // for [B][T][W], T is the longest
  std::vector<uint32_t> lengths;  // how many entries each row of [B][T][W] has, if the rows differ
  size_t begin;                   // index of its first number among the document's, whose rows are not padded
  size_t size;                    // how many numbers it has after padding its rows to the longest

  // Writes the padded numbers, row-major, from the document's numbers.
  void place(const float* numbers, float* out) const;
};

struct Document {
  std::string rest;  // the document with each tensor replaced by a 0: ASCII
  std::vector<Nested> tensors;
  std::unique_ptr<float[]> numbers;  // of all tensors
  size_t capacity = 0;
};

// Reads what is certain. Returns true if `rest` is JSON exactly if the text is, and the tensors are those of the text.
// Leaves everything else, errors and tensors larger than `mostNumbers` included, to a reader that can say what is wrong, and
// returns false.
bool readDocument(const char* text, size_t length, const std::vector<Field>& fields, size_t mostNumbers, Document&);

}  // namespace cellserve
