#include "document.h"

#include <algorithm>
#include <cstring>

#include "decimal.h"

namespace cellserve {
namespace {

// A deeper value may exceed the nesting that a document is allowed.
constexpr size_t kMaxDepth = 32;

class Reader {
 public:
  Reader(const char* text, size_t length, const std::vector<Field>& fields, size_t mostNumbers, Document& out)
      : at_(text), end_(text + length), copied_(text), fields_(fields), mostNumbers_(mostNumbers), out_(out), seen_(fields.size()) {}

  bool read() {
    skipSpace();
    if (!take('{') || !readObject("")) return false;
    skipSpace();
    if (at_ != end_) return false;
    copyRest();
    return std::all_of(out_.rest.begin(), out_.rest.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  }

 private:
  // Reads the object whose opening brace was read: the document, or the group of that name.
  bool readObject(const std::string& group) {
    skipSpace();
    if (take('}')) return true;
    do {
      skipSpace();
      std::string key;
      if (!readKey(key)) return false;
      skipSpace();
      if (!take(':')) return false;
      skipSpace();
      if (!readField(group, key)) return false;
      skipSpace();
    } while (take(','));
    return take('}');
  }

  // A key with an escape could be another spelling of a field.
  bool readKey(std::string& key) {
    if (!take('"')) return false;
    const char* const begin = at_;
    while (at_ < end_ && *at_ != '"' && *at_ != '\\') at_++;
    key.assign(begin, at_);
    return take('"');
  }

  bool readField(const std::string& group, const std::string& key) {
    for (size_t i = 0; i < fields_.size(); i++) {
      const Field& field = fields_[i];
      if (field.group == group && field.name == key) {
        if (seen_[i]) return false;  // the last of two counts, whatever its value
        seen_[i] = true;
        return at_ < end_ && *at_ == '[' ? readTensor(i) : skipValue();
      }
      if (group.empty() && field.group == key) {
        if (std::find(groups_.begin(), groups_.end(), key) != groups_.end()) return false;
        groups_.push_back(key);
        return take('{') ? readObject(key) : skipValue();
      }
    }
    return skipValue();
  }

  // Skips a value, up to its end if it is JSON; its text stays in the rest.
  bool skipValue() {
    const char* const begin = at_;
    size_t depth = 0;
    for (; at_ < end_; at_++) {
      const char c = *at_;
      if (c == '"') {
        for (at_++; at_ < end_ && *at_ != '"'; at_++) {
          if (*at_ == '\\') at_++;
        }
        if (at_ >= end_) return false;
      } else if (c == '[' || c == '{') {
        if (++depth > kMaxDepth) return false;
      } else if (c == ']' || c == '}') {
        if (depth == 0) break;
        depth--;
      } else if (c == ',' && depth == 0) {
        break;
      }
    }
    return at_ > begin;
  }

  bool readTensor(size_t field) {
    copyRest();
    out_.rest += '0';
    Nested tensor;
    tensor.field = field;
    tensor.begin = count_;
    const char* first = at_;
    for (; first < end_ && (*first == '[' || isSpace(*first)); first++) tensor.rank += *first == '[';
    if (tensor.rank > 3 || !readAxis(tensor, 0)) return false;
    copied_ = at_;
    tensor.size = 1;
    for (size_t axis = 0; axis < tensor.rank; axis++) {
      if (__builtin_mul_overflow(tensor.size, tensor.shape[axis], &tensor.size) || tensor.size > mostNumbers_) return false;
    }
    const bool ragged = tensor.rank == 3 && std::any_of(tensor.lengths.begin(), tensor.lengths.end(),
                                                        [&](uint32_t length) { return length != tensor.shape[1]; });
    if (!ragged) tensor.lengths.clear();
    out_.tensors.push_back(std::move(tensor));
    return true;
  }

  bool readAxis(Nested& tensor, size_t axis) {
    if (axis > 2 || !take('[')) return false;
    size_t count = 0;
    do {
      skipSpace();
      if (axis + 1 < tensor.rank) {
        if (!readAxis(tensor, axis + 1)) return false;
      } else {
        at_ = readDecimal(at_, end_, out_.numbers[count_]);
        if (at_ == nullptr) return false;
        count_++;
      }
      count++;
      skipSpace();
    } while (take(','));
    size_t& size = tensor.shape[axis];
    if (tensor.rank == 3 && axis == 1) {
      tensor.lengths.push_back(static_cast<uint32_t>(count));
      size = std::max(size, count);
    } else {
      if (size != 0 && size != count) return false;
      size = count;
    }
    return take(']');
  }

  static bool isSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  void skipSpace() {
    while (at_ < end_ && isSpace(*at_)) at_++;
  }

  bool take(char c) {
    const bool there = at_ < end_ && *at_ == c;
    at_ += there;
    return there;
  }

  void copyRest() { out_.rest.append(copied_, at_); }

  const char* at_;
  const char* const end_;
  const char* copied_;  // the text is copied up to here
  const std::vector<Field>& fields_;
  const size_t mostNumbers_;
  Document& out_;
  std::vector<bool> seen_;
  std::vector<std::string> groups_;
  size_t count_ = 0;  // of all numbers
};

}  // namespace

void Nested::place(const float* numbers, float* out) const {
  if (lengths.empty()) {
    std::copy_n(numbers + begin, size, out);
    return;
  }
  std::fill_n(out, size, 0.0f);
  const float* row = numbers + begin;
  for (const uint32_t length : lengths) {
    std::copy_n(row, length * shape[2], out);
    row += length * shape[2];
    out += shape[1] * shape[2];
  }
}

bool readDocument(const char* text, size_t length, const std::vector<Field>& fields, size_t mostNumbers, Document& out) {
  out.rest.clear();
  out.tensors.clear();
  // A number takes at least one character, and a comma or a bracket.
  const size_t most = length / 2 + 1;
  if (out.capacity < most) {
    out.numbers.reset(new float[most]);
    out.capacity = most;
  }
  return Reader(text, length, fields, mostNumbers, out).read();
}

}  // namespace cellserve
