// The arguments of a call from JavaScript. They are checked, so that no argument can cause access outside its buffer.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace cellserve {

static_assert(sizeof(size_t) == 8, "sizes are checked in 64 bits");

// An error that becomes a JavaScript error of the class in `kind`.
struct Refusal {
  enum Kind { kError, kType, kRange } kind;
  std::string message;
};

// A JavaScript exception is pending already.
struct Pending {};

// @throws Pending or Refusal if a Node-API call failed.
void check(napi_env, napi_status);

napi_value errorOf(napi_env, const Refusal&);

// Runs the body of a callback, and turns its exceptions into JavaScript exceptions.
napi_value guarded(napi_env, napi_value (*body)(napi_env, napi_callback_info), napi_callback_info);

// A Float32Array's memory, valid until JavaScript runs again.
struct Floats {
  const char* name;
  napi_value array;
  float* data;
  size_t length;
};

// @throws Refusal if it is not a Float32Array, or has fewer elements than needed; a detached array has no elements.
Floats floatsOf(napi_env, napi_value, const char* name, size_t needed);

// The memory of a Uint8Array.
struct Bytes {
  const char* data;
  size_t length;
};

// The memory of a typed array of another element type.
template <typename Element>
struct Numbers {
  const Element* data;
  size_t length;
};

// The number of elements of a tensor.
// @throws Refusal if there are more than an array can have.
size_t elements(const char* name, std::initializer_list<size_t> shape);

class Arguments {
 public:
  static constexpr size_t kMost = 6;

  Arguments(napi_env, napi_callback_info);

  // An integer of at least `least` and below 2^31.
  size_t integer(size_t index, const char* name, size_t least) const;
  // A number of at least 0; infinity is allowed.
  double number(size_t index, const char* name) const;
  // An unsigned integer of 32 bits, as a set of bits.
  uint32_t bits(size_t index, const char* name) const;
  std::string string(size_t index, const char* name) const;
  Floats floats(size_t index, const char* name, size_t needed) const;
  std::vector<Floats> tensors(size_t index, const char* name) const;  // an array of Float32Arrays
  Numbers<int32_t> words(size_t index, const char* name) const;       // an Int32Array
  Numbers<uint32_t> counts(size_t index, const char* name) const;     // a Uint32Array
  Numbers<double> doubles(size_t index, const char* name, size_t needed) const;  // a Float64Array
  Bytes bytes(size_t index, const char* name) const;
  std::vector<std::string> strings(size_t index, const char* name) const;
  bool given(size_t index) const;  // not undefined
  void* data;  // of the called function

 private:
  napi_env env_;
  napi_value values_[kMost];
};

}  // namespace cellserve
