// The engine of one JavaScript environment: its kernel, its threads and their jobs.
#pragma once

#include <memory>
#include <unordered_map>

#include "../kernel/kernels.h"
#include "../program/packed.h"
#include "../program/threads.h"
#include "arguments.h"

namespace cellserve {

class Engine;

// Work off the event loop. It keeps alive everything it works on, because JavaScript may release it in the meantime.
class EngineJob : public Job {
 public:
  EngineJob(Engine&, size_t members);
  void done() final;

 protected:
  // Called on the event loop when the work is done. Returns the value that resolves the promise.
  virtual napi_value settle(napi_env) = 0;

 private:
  friend class Engine;

  const std::shared_ptr<Engine> engine_;  // outlives its jobs
  napi_deferred deferred_ = nullptr;
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  static std::shared_ptr<Engine> create(napi_env, const Kernel&, size_t threads, double inlineBelow);
  ~Engine();

  // Whether work of this many multiply-adds runs at once, on the caller's thread.
  bool isLight(double multiplyAdds) const { return multiplyAdds < inlineBelow_; }
  // Whether this many multiply-adds are worth a meeting of the threads.
  bool isWorthMeeting(double multiplyAdds) const;
  // Returns the promise.
  napi_value start(std::unique_ptr<EngineJob>);
  // Tells the garbage collector about memory that the engine now holds, or no longer holds.
  void tell(int sign, size_t bytes) const;

  const napi_env env;
  const Kernel& kernel;
  const size_t threads;
  PackedLayers packed;

 private:
  friend class EngineJob;

  Engine(napi_env, const Kernel&, size_t threads, double inlineBelow);
  static void close(void* engine);
  static void settle(napi_env, napi_value, void* context, void* job);

  const double inlineBelow_;
  napi_threadsafe_function settled_ = nullptr;
  std::unordered_map<EngineJob*, std::unique_ptr<EngineJob>> jobs_;
  Pool pool_;
};

}  // namespace cellserve
