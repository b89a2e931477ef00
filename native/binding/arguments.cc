#include "arguments.h"

#include <cmath>
#include <new>
#include <system_error>

namespace cellserve {
namespace {

std::string described(const char* name, const char* what, double found) {
  const bool integer = found == std::floor(found) && std::fabs(found) < 1e15;
  return std::string(name) + " must be " + what + ", not " +
         (integer ? std::to_string(static_cast<long long>(found)) : std::to_string(found));
}

std::string stringOf(napi_env env, napi_value value, const char* name) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a string"};
  }
  std::string text(length + 1, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  return text;
}

void checkLength(const char* name, size_t length, size_t needed) {
  if (length >= needed) return;
  throw Refusal{Refusal::kRange, std::string(name) + " must have at least " + std::to_string(needed) + " elements, not " +
                                     std::to_string(length)};
}

template <typename Element>
Numbers<Element> numbersOf(napi_env env, napi_value value, napi_typedarray_type wanted, const char* name, const char* what) {
  napi_typedarray_type type;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != wanted) {
    throw Refusal{Refusal::kType, std::string(name) + " must be " + what};
  }
  return {static_cast<const Element*>(data), data == nullptr ? 0 : length};
}

}  // namespace

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw Pending{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw Refusal{Refusal::kError, info != nullptr && info->error_message != nullptr ? info->error_message : "Node-API failed"};
}

napi_value errorOf(napi_env env, const Refusal& refusal) {
  napi_value message, error = nullptr;
  if (napi_create_string_utf8(env, refusal.message.data(), refusal.message.size(), &message) != napi_ok) return nullptr;
  const auto create = refusal.kind == Refusal::kType    ? napi_create_type_error
                      : refusal.kind == Refusal::kRange ? napi_create_range_error
                                                        : napi_create_error;
  create(env, nullptr, message, &error);
  return error;
}

napi_value guarded(napi_env env, napi_value (*body)(napi_env, napi_callback_info), napi_callback_info info) {
  const auto refuse = [env](const Refusal& refusal) { napi_throw(env, errorOf(env, refusal)); };
  try {
    return body(env, info);
  } catch (const Pending&) {
  } catch (const Refusal& refusal) {
    refuse(refusal);
  } catch (const std::bad_alloc&) {
    refuse({Refusal::kError, "out of memory"});
  } catch (const std::system_error& error) {
    refuse({Refusal::kError, std::string("cannot start a compute thread: ") + error.what()});
  }
  return nullptr;
}

Floats floatsOf(napi_env env, napi_value value, const char* name, size_t needed) {
  napi_typedarray_type type;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok || type != napi_float32_array) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a Float32Array"};
  }
  if (data == nullptr) length = 0;
  checkLength(name, length, needed);
  return {name, value, static_cast<float*>(data), length};
}

size_t elements(const char* name, std::initializer_list<size_t> shape) {
  size_t count = 1;
  for (const size_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count) || count > size_t{1} << 53) {
      throw Refusal{Refusal::kRange, std::string(name) + " would be larger than any array"};
    }
  }
  return count;
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = kMost;  // missing ones are undefined
  check(env, napi_get_cb_info(env, info, &count, values_, nullptr, &data));
}

size_t Arguments::integer(size_t index, const char* name, size_t least) const {
  double value;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a number"};
  }
  if (!(value >= static_cast<double>(least) && value < 0x1p31 && value == std::floor(value))) {
    throw Refusal{Refusal::kRange, described(name, least == 0 ? "a non-negative integer" : "a positive integer", value)};
  }
  return static_cast<size_t>(value);
}

double Arguments::number(size_t index, const char* name) const {
  double value;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a number"};
  }
  if (!(value >= 0)) throw Refusal{Refusal::kRange, described(name, "no less than 0", value)};
  return value;
}

uint32_t Arguments::bits(size_t index, const char* name) const {
  double value;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a number"};
  }
  if (!(value >= 0 && value < 0x1p32 && value == std::floor(value))) {
    throw Refusal{Refusal::kRange, described(name, "an integer of 32 bits", value)};
  }
  return static_cast<uint32_t>(value);
}

std::string Arguments::string(size_t index, const char* name) const { return stringOf(env_, values_[index], name); }

std::vector<std::string> Arguments::strings(size_t index, const char* name) const {
  uint32_t length;
  if (napi_get_array_length(env_, values_[index], &length) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be an array of strings"};
  }
  std::vector<std::string> strings;
  napi_value element;
  for (uint32_t i = 0; i < length; i++) {
    check(env_, napi_get_element(env_, values_[index], i, &element));
    strings.push_back(stringOf(env_, element, name));
  }
  return strings;
}

Bytes Arguments::bytes(size_t index, const char* name) const {
  napi_typedarray_type type;
  void* data = nullptr;
  size_t length = 0;
  if (napi_get_typedarray_info(env_, values_[index], &type, &length, &data, nullptr, nullptr) != napi_ok || type != napi_uint8_array) {
    throw Refusal{Refusal::kType, std::string(name) + " must be a Uint8Array"};
  }
  return {static_cast<const char*>(data), data == nullptr ? 0 : length};
}

Floats Arguments::floats(size_t index, const char* name, size_t needed) const {
  return floatsOf(env_, values_[index], name, needed);
}

bool Arguments::given(size_t index) const {
  napi_valuetype type;
  check(env_, napi_typeof(env_, values_[index], &type));
  return type != napi_undefined;
}

std::vector<Floats> Arguments::tensors(size_t index, const char* name) const {
  uint32_t length;
  if (napi_get_array_length(env_, values_[index], &length) != napi_ok) {
    throw Refusal{Refusal::kType, std::string(name) + " must be an array of Float32Arrays"};
  }
  // An element can be a getter that changes the arrays before it, so their memory is read only after all elements.
  std::vector<napi_value> elements(length);
  for (uint32_t i = 0; i < length; i++) check(env_, napi_get_element(env_, values_[index], i, &elements[i]));
  std::vector<Floats> tensors;
  for (const napi_value element : elements) tensors.push_back(floatsOf(env_, element, name, 0));
  return tensors;
}

Numbers<int32_t> Arguments::words(size_t index, const char* name) const {
  return numbersOf<int32_t>(env_, values_[index], napi_int32_array, name, "an Int32Array");
}

Numbers<uint32_t> Arguments::counts(size_t index, const char* name) const {
  return numbersOf<uint32_t>(env_, values_[index], napi_uint32_array, name, "a Uint32Array");
}

Numbers<double> Arguments::doubles(size_t index, const char* name, size_t needed) const {
  const auto numbers = numbersOf<double>(env_, values_[index], napi_float64_array, name, "a Float64Array");
  checkLength(name, numbers.length, needed);
  return numbers;
}

}  // namespace cellserve
