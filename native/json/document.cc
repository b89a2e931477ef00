#include "document.h"

#include <algorithm>
#include <cstring>

#include "decimal.h"

namespace cellserve {
namespace {

// A deeper value could exceed the nesting that a document is allowed.
constexpr size_t kMaxDepth = 32;

class Reader {
 public:
  Reader(const char* text, size_t length, const Schema& schema, Document& out)
      : at_(text), end_(text + length), copied_(text), schema_(schema), out_(out), known_(schema.known.size()), tensors_(schema.tensors.size()) {}

  bool read() {
    skipSpace();
    if (!take('{') || !readObject("")) return false;
    skipSpace();
    return at_ == end_ && copyRest();
  }

 private:
  // Reads an object after its opening brace: the document, or the named group.
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

  // Rejects a key with an escape, which could be another spelling of a field.
  bool readKey(std::string& key) {
    if (!take('"')) return false;
    const char* const begin = at_;
    while (at_ < end_ && *at_ != '"' && *at_ != '\\') at_++;
    key.assign(begin, at_);
    return take('"');
  }

  bool readField(const std::string& group, const std::string& key) {
    if (group.empty()) {
      const auto found = std::find(schema_.known.begin(), schema_.known.end(), key);
      if (found == schema_.known.end() || !first(known_, found - schema_.known.begin())) return false;
    }
    for (size_t i = 0; i < schema_.tensors.size(); i++) {
      const Field& field = schema_.tensors[i];
      if (field.group == group && field.name == key) {
        if (!first(tensors_, i)) return false;
        return at_ < end_ && *at_ == '[' ? readTensor(i) : skipValue();
      }
      if (group.empty() && field.group == key && take('{')) return readObject(key);
    }
    return skipValue();
  }

  // Whether the field has not occurred before.
  template <typename Index>
  static bool first(std::vector<bool>& seen, Index index) {
    const auto i = static_cast<size_t>(index);
    const bool before = seen[i];
    seen[i] = true;
    return !before;
  }

  // Skips a value, up to where it must end if it is JSON. Its text stays in the rest.
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
    return at_ > begin && static_cast<size_t>(at_ - begin) <= schema_.mostRest;
  }

  bool readTensor(size_t field) {
    if (!copyRest()) return false;
    out_.rest += '0';
    Nested tensor;
    tensor.field = field;
    const size_t before = out_.count;
    const char* first = at_;
    for (; first < end_ && (*first == '[' || isSpace(*first)); first++) tensor.rank += *first == '[';
    if (tensor.rank > 3 || !readAxis(tensor, 0)) return false;
    copied_ = at_;
    tensor.count = out_.count - before;
    size_t padded = 1;
    for (size_t axis = 0; axis < tensor.rank; axis++) {
      if (__builtin_mul_overflow(padded, tensor.shape[axis], &padded) || padded > schema_.mostNumbers) return false;
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
        at_ = readDecimal(at_, end_, out_.numbers[out_.count]);
        if (at_ == nullptr) return false;
        out_.count++;
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

  bool copyRest() {
    const auto more = static_cast<size_t>(at_ - copied_);
    if (more > left_) return false;
    left_ -= more;
    out_.rest.append(copied_, at_);
    return true;
  }

  const char* at_;
  const char* const end_;
  const char* copied_;  // the rest is copied up to here
  const Schema& schema_;
  size_t left_ = schema_.mostRest;  // how much longer the rest can get, without the zeros
  Document& out_;
  std::vector<bool> known_;    // the fields that have occurred
  std::vector<bool> tensors_;  // the tensors that have occurred
};

}  // namespace

bool readDocument(const char* text, size_t length, const Schema& schema, Document& out) {
  out.rest.clear();
  out.count = 0;
  out.tensors.clear();
  // A number takes at least one character, and a comma or a bracket.
  const size_t most = length / 2 + 1;
  if (out.capacity < most) {
    out.numbers.reset(new float[most]);
    out.capacity = most;
  }
  return Reader(text, length, schema, out).read();
}

}  // namespace cellserve
