#include "json.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "../json/decimal.h"
#include "../json/document.h"
#include "arguments.h"

namespace cellserve {
namespace {

// Scratch memory is kept from call to call up to these sizes.
constexpr size_t kKeptNumbers = 1 << 18;
constexpr size_t kKeptText = 1 << 20;

napi_value read(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& schema = *static_cast<Schema*>(arguments.data);
  const Bytes bytes = arguments.bytes(0, "bytes");

  thread_local Document document;
  if (!readDocument(bytes.data, bytes.length, schema, document)) return nullptr;

  const size_t total = document.count;
  std::vector<uint32_t> layout;
  const auto tell = [&](size_t value) { layout.push_back(static_cast<uint32_t>(value)); };
  for (const Nested& tensor : document.tensors) {
    tell(tensor.field);
    tell(tensor.rank);
    for (const size_t size : tensor.shape) tell(size);
    tell(tensor.count);
    tell(tensor.lengths.size());
    layout.insert(layout.end(), tensor.lengths.begin(), tensor.lengths.end());
  }

  napi_value result, rest, buffer, values, sizes;
  void* data;
  check(env, napi_create_object(env, &result));
  check(env, napi_create_string_utf8(env, document.rest.data(), document.rest.size(), &rest));
  check(env, napi_create_arraybuffer(env, (total + layout.size()) * 4, &data, &buffer));
  check(env, napi_create_typedarray(env, napi_float32_array, total, buffer, 0, &values));
  check(env, napi_create_typedarray(env, napi_uint32_array, layout.size(), buffer, total * 4, &sizes));
  std::copy_n(document.numbers.get(), total, static_cast<float*>(data));
  std::copy(layout.begin(), layout.end(), static_cast<uint32_t*>(data) + total);
  check(env, napi_set_named_property(env, result, "rest", rest));
  check(env, napi_set_named_property(env, result, "values", values));
  check(env, napi_set_named_property(env, result, "layout", sizes));
  if (document.capacity > kKeptNumbers) document = {};
  return result;
}

class Writer {
 public:
  explicit Writer(std::vector<char>& text) : text_(text) {}

  const float* write(const float* data, const std::vector<size_t>& shape, size_t axis) {
    const bool last = axis + 1 == shape.size();
    put('[');
    if (last) reserve(shape[axis] * (kMaxDecimal + 1));
    for (size_t i = 0; i < shape[axis]; i++) {
      if (i > 0) put(',');
      if (!last) data = write(data, shape, axis + 1);
      else writeNumber(*data++);
    }
    put(']');
    return data;
  }

  size_t length() const { return length_; }

 private:
  void reserve(size_t more) {
    if (text_.size() < length_ + more) text_.resize(std::max(2 * text_.size(), length_ + more));
  }

  void put(char c) {
    reserve(1);
    text_[length_++] = c;
  }

  void writeNumber(float value) {
    char* const at = text_.data() + length_;
    if (std::isfinite(value)) length_ += static_cast<size_t>(writeDecimal(at, value) - at);
    else length_ += std::string("null").copy(at, 4);
  }

  std::vector<char>& text_;
  size_t length_ = 0;
};

}  // namespace

napi_value createReader(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto schema = std::make_unique<Schema>();
  schema->known = arguments.strings(0, "known");
  for (const std::string& name : arguments.strings(1, "tensors")) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos) schema->tensors.push_back({"", name});
    else schema->tensors.push_back({name.substr(0, slash), name.substr(slash + 1)});
  }
  schema->mostNumbers = arguments.integer(2, "mostNumbers", 0);
  schema->mostRest = arguments.integer(3, "mostRest", 0);

  napi_value function;
  const auto callback = [](napi_env env, napi_callback_info info) { return guarded(env, read, info); };
  check(env, napi_create_function(env, "read", NAPI_AUTO_LENGTH, callback, schema.get(), &function));
  check(env, napi_add_finalizer(
                 env, function, schema.get(), [](napi_env, void* data, void*) { delete static_cast<Schema*>(data); }, nullptr,
                 nullptr));
  schema.release();
  return function;
}

napi_value writeTensor(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  std::vector<size_t> shape;
  size_t needed = 1;
  for (size_t axis = 0; axis < 3 && (axis == 0 || arguments.given(axis + 1)); axis++) {
    shape.push_back(arguments.integer(axis + 1, "shape", 0));
    needed = elements("data", {needed, shape.back()});
  }
  const Floats data = arguments.floats(0, "data", needed);

  thread_local std::vector<char> text;
  Writer writer(text);
  writer.write(data.data, shape, 0);
  napi_value result;
  check(env, napi_create_string_latin1(env, text.data(), writer.length(), &result));
  if (text.size() > kKeptText) text = {};
  return result;
}

}  // namespace cellserve
