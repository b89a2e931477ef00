#include "engine.h"

#include <algorithm>

namespace cellserve {

EngineJob::EngineJob(Engine& engine, size_t members) : Job(members), engine_(engine.shared_from_this()) {}

void EngineJob::done() { napi_call_threadsafe_function(engine_->settled_, this, napi_tsfn_nonblocking); }

Engine::Engine(napi_env env, const Kernel& kernel, size_t threads, double inlineBelow)
    : env(env), kernel(kernel), threads(threads), inlineBelow_(inlineBelow), pool_(threads) {}

std::shared_ptr<Engine> Engine::create(napi_env env, const Kernel& kernel, size_t threads, double inlineBelow) {
  std::shared_ptr<Engine> engine(new Engine(env, kernel, threads, inlineBelow));
  napi_value name;
  check(env, napi_create_string_utf8(env, "cellserve", NAPI_AUTO_LENGTH, &name));
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, settle,
                                             &engine->settled_));
  // Only a running job keeps the process alive.
  check(env, napi_unref_threadsafe_function(env, engine->settled_));
  // Hooks run in reverse order, so this one runs before the function's own: the threads end before the function does.
  check(env, napi_add_env_cleanup_hook(env, close, engine.get()));
  return engine;
}

Engine::~Engine() {
  if (settled_ == nullptr) return;
  napi_remove_env_cleanup_hook(env, close, this);
  pool_.stop();
  napi_release_threadsafe_function(settled_, napi_tsfn_release);
}

bool Engine::isWorthMeeting(double multiplyAdds) const {
  // A meeting takes about a microsecond, and far longer if another process has taken a thread's core, so the work between two
  // meetings must be worth it: about ten microseconds.
  constexpr double kWorthMeeting = 1 << 19;
  return multiplyAdds >= std::min(inlineBelow_, kWorthMeeting);
}

void Engine::tell(int sign, size_t bytes) const {
  int64_t total;
  napi_adjust_external_memory(env, sign * static_cast<int64_t>(bytes), &total);
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
  if (env == nullptr) return;  // the environment is ending, and `close` has run
  auto& engine = *static_cast<EngineJob*>(data)->engine_;
  const std::shared_ptr<Engine> alive = engine.shared_from_this();
  const auto found = engine.jobs_.extract(static_cast<EngineJob*>(data));
  if (engine.jobs_.empty()) napi_unref_threadsafe_function(env, engine.settled_);
  EngineJob& job = *found.mapped();
  try {
    napi_resolve_deferred(env, job.deferred_, job.settle(env));
  } catch (const Refusal& refusal) {
    napi_reject_deferred(env, job.deferred_, errorOf(env, refusal));
  } catch (const Pending&) {
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_reject_deferred(env, job.deferred_, error);
  }
}

// Called when the environment ends: abandons the jobs in progress.
void Engine::close(void* data) {
  const std::shared_ptr<Engine> engine = static_cast<Engine*>(data)->shared_from_this();
  engine->pool_.stop();
  engine->jobs_.clear();
  napi_release_threadsafe_function(engine->settled_, napi_tsfn_abort);
  engine->settled_ = nullptr;
}

}  // namespace cellserve
