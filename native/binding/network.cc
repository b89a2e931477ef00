#include "network.h"

#include "batch.h"
#include "decode.h"
#include "functions.h"
#include "memory.h"

namespace cellserve {

void Loaded::dispose() {
  if (program == nullptr) return;
  engine->tell(-1, program->bytes());
  program.reset();  // a job under way has its own hold on it
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

}  // namespace

napi_value load(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& engine = dataOf<Engine>(arguments);
  // Tensors first: to look at them may run JavaScript, after which the words could be others.
  const auto tensors = arguments.tensors(1, "tensors");
  auto loaded = std::make_shared<Loaded>();
  loaded->engine = engine;
  loaded->program = decode(engine->kernel, engine->packed, arguments.words(0, "words"), tensors);
  engine->tell(1, loaded->program->bytes());

  napi_value object;
  check(env, napi_create_object(env, &object));
  addFunction(env, object, "batch", callback<createBatch>, loaded);
  addFunction(env, object, "remember", callback<remember>, loaded);
  addFunction(env, object, "dispose", callback<dispose>, loaded);
  return object;
}

}  // namespace cellserve
