// Functions for JavaScript as closures: each keeps its own data, for which JavaScript cannot substitute another object.
#pragma once

#include <memory>

#include "arguments.h"

namespace cellserve {

// A callback that throws what `body` throws.
template <napi_value (*body)(napi_env, napi_callback_info)>
napi_value callback(napi_env env, napi_callback_info info) {
  return guarded(env, body, info);
}

// Adds to `object` a function that keeps `data` alive.
template <typename Data>
void addFunction(napi_env env, napi_value object, const char* name, napi_callback callback, const std::shared_ptr<Data>& data) {
  napi_value function;
  auto held = std::make_unique<std::shared_ptr<Data>>(data);
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, held.get(), &function));
  check(env, napi_add_finalizer(
                 env, function, held.get(), [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Data>*>(data); },
                 nullptr, nullptr));
  held.release();
  check(env, napi_set_named_property(env, object, name, function));
}

template <typename Data>
const std::shared_ptr<Data>& dataOf(const Arguments& arguments) {
  return *static_cast<std::shared_ptr<Data>*>(arguments.data);
}

}  // namespace cellserve
