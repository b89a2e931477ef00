#include "memory.h"

#include <algorithm>

#include "functions.h"
#include "network.h"

namespace cellserve {
namespace {

struct Remembered {
  std::shared_ptr<Loaded> loaded;
  std::shared_ptr<Memory> memory;  // null after disposal
  uint64_t id = 0;
  bool busy = false;

  ~Remembered() { dispose(); }

  void dispose() {
    if (memory == nullptr) return;
    loaded->engine->tell(-1, memory->bytes());
    loaded->memories.erase(id);
    memory.reset();
  }
};

napi_value booleanOf(napi_env env, bool value) {
  napi_value boolean;
  check(env, napi_get_boolean(env, value, &boolean));
  return boolean;
}

class PrepareJob final : public EngineJob {
 public:
  PrepareJob(std::shared_ptr<Remembered> remembered, const float* from, size_t count)
      : EngineJob(*remembered->loaded->engine, 1), remembered_(std::move(remembered)), memory_(remembered_->memory), count_(count),
        supports_(from, from + count * memory_->program().support) {
    remembered_->busy = true;
  }
  ~PrepareJob() override { remembered_->busy = false; }
  void work(size_t) override { memory_->prepare(supports_.data(), count_); }

 private:
  napi_value settle(napi_env env) override {
    return booleanOf(env, memory_->isReady());
  }

  const std::shared_ptr<Remembered> remembered_;
  const std::shared_ptr<Memory> memory_;
  const size_t count_;
  const std::vector<float> supports_;  // a copy: JavaScript can change its own in the meantime
};

napi_value prepare(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& remembered = dataOf<Remembered>(arguments);
  remembered->loaded->live();
  if (remembered->memory == nullptr) throw Refusal{Refusal::kError, "the memory has been disposed of"};
  if (remembered->busy) throw Refusal{Refusal::kError, "the memory is being prepared"};
  Memory& memory = *remembered->memory;
  const size_t D = memory.program().support;
  const Floats support = arguments.floats(0, "support", memory.isReady() ? 0 : memory.supports() * D);
  const size_t count = memory.reach(arguments.number(1, "work"));
  if (count == 0) return booleanOf(env, true);
  const float* from = support.data + memory.prepared() * D;

  // Without layers, the supports are copied at once: to copy them for another thread would be the same work.
  const bool isCopied = memory.program().key == nullptr && memory.program().value == nullptr;
  if (!isCopied && !remembered->loaded->engine->isLight(memory.workOf(count))) {
    return remembered->loaded->engine->start(std::make_unique<PrepareJob>(remembered, from, count));
  }
  memory.prepare(from, count);
  return booleanOf(env, memory.isReady());
}

napi_value dispose(napi_env env, napi_callback_info info) {
  dataOf<Remembered>(Arguments(env, info))->dispose();
  return nullptr;
}

}  // namespace

napi_value remember(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& loaded = dataOf<Loaded>(arguments);
  const auto& program = loaded->live();
  if (!program->attends) throw Refusal{Refusal::kError, "the program reads no memory"};
  const auto given = arguments.counts(0, "counts");
  const std::vector<size_t> counts(given.data, given.data + given.length);
  size_t sum = 0;
  for (const size_t count : counts) sum += count;
  for (const size_t width : {program->support, padded(program->reading.width), padded(program->reading.valueWidth)}) {
    elements("support", {sum, width, sizeof(float)});
  }

  auto remembered = std::make_shared<Remembered>();
  remembered->loaded = loaded;
  remembered->memory = std::make_shared<Memory>(program, counts);
  remembered->id = ++loaded->lastMemory;
  loaded->memories.emplace(remembered->id, remembered->memory);
  loaded->engine->tell(1, remembered->memory->bytes());

  napi_value object, id;
  check(env, napi_create_object(env, &object));
  check(env, napi_create_double(env, static_cast<double>(remembered->id), &id));
  check(env, napi_set_named_property(env, object, "id", id));
  addFunction(env, object, "prepare", callback<prepare>, remembered);
  addFunction(env, object, "dispose", callback<dispose>, remembered);
  return object;
}

}  // namespace cellserve
