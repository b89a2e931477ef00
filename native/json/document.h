// Reads the bytes of a JSON request into float32 tensors, without creating a JavaScript number for each element.
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

// What a document may contain.
struct Schema {
  std::vector<std::string> known;  // the document's own fields
  std::vector<Field> tensors;
  size_t mostNumbers;  // of one tensor, with its rows padded to the longest
  size_t mostRest;     // bytes outside the tensors
};

// A tensor of the document.
struct Nested {
  size_t field;
  size_t rank = 0;
  size_t shape[3] = {0, 0, 0};    // for [B][T][W], the longest T
  std::vector<uint32_t> lengths;  // how many entries each row of [B][T][W] has, if they differ
  size_t count;                   // of its numbers, which follow those of the previous tensor; rows are not padded
};

struct Document {
  std::string rest;  // the document with a 0 in place of each tensor
  std::vector<Nested> tensors;
  std::unique_ptr<float[]> numbers;  // of all tensors
  size_t count = 0;                  // of those
  size_t capacity = 0;
};

// Returns true if the tensors are those in the text, and `rest` is JSON if and only if the text is. Returns false for
// everything else (errors, and what the schema does not allow), and leaves it to a reader that can report what is wrong.
bool readDocument(const char* text, size_t length, const Schema&, Document&);

}  // namespace cellserve
