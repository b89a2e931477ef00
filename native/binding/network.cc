#include "network.h"

#include <new>
#include <optional>
#include <utility>

#include "batch.h"
#include "decode.h"
#include "functions.h"
#include "memory.h"

namespace cellserve {

void Loaded::dispose() {
  if (program == nullptr) return;
  engine->tell(-1, program->bytes());
  program.reset();  // a running job keeps it alive
}

const std::shared_ptr<const Program>& Loaded::live() const {
  if (program == nullptr) throw Refusal{Refusal::kError, "the network has been disposed of"};
  return program;
}

namespace {

napi_value dispose(napi_env env, napi_callback_info info) {
  dataOf<Loaded>(Arguments(env, info))->dispose();
  return nullptr;
}

napi_value objectOf(napi_env env, const std::shared_ptr<Engine>& engine, std::shared_ptr<const Program> program) {
  auto loaded = std::make_shared<Loaded>();
  loaded->engine = engine;
  loaded->program = std::move(program);
  engine->tell(1, loaded->program->bytes());

  napi_value object;
  check(env, napi_create_object(env, &object));
  addFunction(env, object, "batch", callback<createBatch>, loaded);
  addFunction(env, object, "remember", callback<remember>, loaded);
  addFunction(env, object, "dispose", callback<dispose>, loaded);
  return object;
}

// Decodes a program on one of libuv's threads, because the engine's own threads have rows to compute.
struct Loading {
  Loading(napi_env env, const std::shared_ptr<Engine>& engine, Numbers<int32_t> given, std::vector<Floats> floats)
      : engine(engine), words(given.data, given.data + given.length), tensors(std::move(floats)) {
    for (const Floats& tensor : tensors) {
      napi_ref reference;
      check(env, napi_create_reference(env, tensor.array, 1, &reference));
      references.push_back(reference);
    }
  }

  void forget(napi_env env) {
    for (const napi_ref reference : references) napi_delete_reference(env, reference);
    references.clear();
    napi_delete_async_work(env, work);
  }

  const std::shared_ptr<Engine> engine;
  const std::vector<int32_t> words;
  const std::vector<Floats> tensors;
  std::vector<napi_ref> references;  // they keep the tensors' memory alive
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  std::shared_ptr<const Program> program;
  std::optional<Refusal> refusal;
};

void decodeAside(napi_env, void* data) {
  auto& loading = *static_cast<Loading*>(data);
  try {
    loading.program = decode(loading.engine->kernel, loading.engine->packed, {loading.words.data(), loading.words.size()}, loading.tensors);
  } catch (const Refusal& refusal) {
    loading.refusal = refusal;
  } catch (const std::bad_alloc&) {
    loading.refusal = Refusal{Refusal::kError, "out of memory"};
  }
}

void settle(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Loading> loading(static_cast<Loading*>(data));
  loading->forget(env);
  try {
    if (loading->refusal) throw *loading->refusal;
    if (loading->program == nullptr) return;  // the environment is ending
    check(env, napi_resolve_deferred(env, loading->deferred, objectOf(env, loading->engine, std::move(loading->program))));
  } catch (const Refusal& refusal) {
    napi_reject_deferred(env, loading->deferred, errorOf(env, refusal));
  } catch (const Pending&) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_reject_deferred(env, loading->deferred, error);
  }
}

}  // namespace

napi_value load(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& engine = dataOf<Engine>(arguments);
  // Tensors first: reading them can run JavaScript, which could change the words.
  const auto tensors = arguments.tensors(1, "tensors");
  return objectOf(env, engine, decode(engine->kernel, engine->packed, arguments.words(0, "words"), tensors));
}

napi_value loadBeside(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto tensors = arguments.tensors(1, "tensors");
  auto loading = std::make_unique<Loading>(env, dataOf<Engine>(arguments), arguments.words(0, "words"), std::move(tensors));
  napi_value name, promise;
  check(env, napi_create_string_utf8(env, "cellserve load", NAPI_AUTO_LENGTH, &name));
  check(env, napi_create_async_work(env, nullptr, name, decodeAside, settle, loading.get(), &loading->work));
  check(env, napi_create_promise(env, &loading->deferred, &promise));
  check(env, napi_queue_async_work(env, loading->work));
  loading.release();
  return promise;
}

}  // namespace cellserve
