// The Node-API module:
//
//     interface: number                                           kInterface
//     kernels: string[]                                           those that this CPU runs, best first
//     createEngine(kernel, threads, inlineBelow) -> { load, loadBeside }      see network.h
//     createReader, writeTensor                                   see json.h
#include "functions.h"
#include "json.h"
#include "network.h"

namespace cellserve {
namespace {

// Must equal INTERFACE in src/engine/addon.ts, which says when to raise it.
constexpr uint32_t kInterface = 1;

napi_value createEngine(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const std::string name = arguments.string(0, "kernel");
  const Kernel* kernel = chooseKernel(name.c_str());
  if (kernel == nullptr) throw Refusal{Refusal::kRange, "kernel must be one that this CPU runs, not " + name};
  const size_t threads = arguments.integer(1, "threads", 1);
  if (threads > 1024) throw Refusal{Refusal::kRange, "threads must be at most 1024"};
  const auto engine = Engine::create(env, *kernel, threads, arguments.number(2, "inlineBelow"));

  napi_value object;
  check(env, napi_create_object(env, &object));
  addFunction(env, object, "load", callback<load>, engine);
  addFunction(env, object, "loadBeside", callback<loadBeside>, engine);
  return object;
}

napi_value interfaceNumber(napi_env env) {
  napi_value number;
  check(env, napi_create_uint32(env, kInterface, &number));
  return number;
}

napi_value kernels(napi_env env) {
  napi_value names, name;
  check(env, napi_create_array(env, &names));
  uint32_t count = 0;
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    check(env, napi_create_string_utf8(env, (*kernel)->name, NAPI_AUTO_LENGTH, &name));
    check(env, napi_set_element(env, names, count++, name));
  }
  return names;
}

}  // namespace
}  // namespace cellserve

NAPI_MODULE_INIT() {
  using namespace cellserve;
  const auto add = [&](const char* name, napi_callback callback) {
    napi_value function;
    check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
    check(env, napi_set_named_property(env, exports, name, function));
  };
  try {
    check(env, napi_set_named_property(env, exports, "interface", interfaceNumber(env)));
    check(env, napi_set_named_property(env, exports, "kernels", kernels(env)));
    add("createEngine", callback<createEngine>);
    add("createReader", callback<createReader>);
    add("writeTensor", callback<writeTensor>);
  } catch (const Pending&) {
  } catch (const Refusal& refusal) {
    napi_throw(env, errorOf(env, refusal));
  }
  return exports;
}
