#include "engine.h"

#include <algorithm>

namespace cellserve {

EngineJob::EngineJob(Engine& engine, std::shared_ptr<const Weights> weights, size_t members)
    : Job(members), engine_(engine.shared_from_this()), weights_(std::move(weights)) {}

EngineJob::~EngineJob() {
  for (const Output& output : outputs_) napi_delete_reference(engine_->env, output.array);
}

float* EngineJob::copyOf(const Floats& floats, size_t length) {
  buffers_.emplace_back(new float[length]);
  std::copy_n(floats.data, length, buffers_.back().get());
  return buffers_.back().get();
}

float* EngineJob::output(const Floats& floats, size_t length, float* buffer) {
  if (buffer == nullptr) {
    buffers_.emplace_back(new float[length]);
    buffer = buffers_.back().get();
  }
  outputs_.reserve(outputs_.size() + 1);  // nothing may throw between making the reference and keeping it
  napi_ref reference;
  check(engine_->env, napi_create_reference(engine_->env, floats.array, 1, &reference));
  outputs_.push_back({floats.name, reference, buffer, length});
  return buffer;
}

void EngineJob::done() { napi_call_threadsafe_function(engine_->settled_, this, napi_tsfn_nonblocking); }

void EngineJob::settle() {
  const napi_env env = engine_->env;
  napi_value value;
  try {
    std::vector<Floats> arrays;  // all are checked before one is written
    for (const Output& output : outputs_) {
      check(env, napi_get_reference_value(env, output.array, &value));
      arrays.push_back(floatsOf(env, value, output.name, output.length));
    }
    for (size_t i = 0; i < arrays.size(); i++) std::copy_n(outputs_[i].data, outputs_[i].length, arrays[i].data);
    check(env, napi_get_undefined(env, &value));
    napi_resolve_deferred(env, deferred_, value);
  } catch (const Refusal& refusal) {
    napi_reject_deferred(env, deferred_, errorOf(env, refusal));
  } catch (const Pending&) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_reject_deferred(env, deferred_, error);
  }
}

Engine::Engine(napi_env env, const Kernel& kernel, size_t threads, double inlineBelow)
    : env(env), kernel(kernel), threads(threads), inlineBelow_(inlineBelow), pool_(threads) {}

std::shared_ptr<Engine> Engine::create(napi_env env, const Kernel& kernel, size_t threads, double inlineBelow) {
  std::shared_ptr<Engine> engine(new Engine(env, kernel, threads, inlineBelow));
  napi_value name;
  check(env, napi_create_string_utf8(env, "cellserve", NAPI_AUTO_LENGTH, &name));
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, settle,
                                             &engine->settled_));
  // Only a job that is under way keeps the process from ending.
  check(env, napi_unref_threadsafe_function(env, engine->settled_));
  // Hooks run in the reverse order, so this one before the function's own: the threads are gone when the function is.
  check(env, napi_add_env_cleanup_hook(env, close, engine.get()));
  return engine;
}

Engine::~Engine() {
  if (settled_ == nullptr) return;
  napi_remove_env_cleanup_hook(env, close, this);
  pool_.stop();
  napi_release_threadsafe_function(settled_, napi_tsfn_release);
}

size_t Engine::teamFor(const Weights& weights, double multiplyAdds) const {
  // Threads meet after every step. It takes about a microsecond, and far longer where one of them has lost its core to
  // somebody else, so a step has to be worth it: some ten microseconds.
  constexpr double kWorthMeeting = 1 << 19;
  return multiplyAdds < std::min(inlineBelow_, kWorthMeeting) ? 1 : std::min(threads, weights.panels);
}

napi_value Engine::start(std::unique_ptr<EngineJob> job) {
  napi_value promise;
  check(env, napi_create_promise(env, &job->deferred_, &promise));
  EngineJob& started = *job;
  const bool first = jobs_.empty();
  jobs_.emplace(&started, std::move(job));
  try {
    pool_.submit(started);
  } catch (...) {
    jobs_.erase(&started);
    throw;
  }
  if (first) napi_ref_threadsafe_function(env, settled_);
  return promise;
}

void Engine::settle(napi_env env, napi_value, void*, void* data) {
  if (env == nullptr) return;  // the environment is ending, and `close` has been there
  auto& engine = *static_cast<EngineJob*>(data)->engine_;
  const std::shared_ptr<Engine> alive = engine.shared_from_this();
  const auto found = engine.jobs_.extract(static_cast<EngineJob*>(data));
  if (engine.jobs_.empty()) napi_unref_threadsafe_function(env, engine.settled_);
  found.mapped()->settle();
}

// The environment is ending: gives up what is under way.
void Engine::close(void* data) {
  const std::shared_ptr<Engine> engine = static_cast<Engine*>(data)->shared_from_this();
  engine->pool_.stop();
  engine->jobs_.clear();
  napi_release_threadsafe_function(engine->settled_, napi_tsfn_abort);
  engine->settled_ = nullptr;
}

}  // namespace cellserve
