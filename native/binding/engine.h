// An engine of one JavaScript environment: its kernel, its threads, and the jobs that they have.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "../kernel/cell.h"
#include "../program/sequence.h"
#include "../program/threads.h"
#include "arguments.h"

namespace cellserve {

class Engine;

// Work that goes on off the event loop. JavaScript may do anything to its buffers meanwhile, as detach them, so the job
// has copies of its inputs, and its outputs are copied when it is done: little beside work that is heavy enough for this.
class EngineJob : public Job {
 public:
  EngineJob(Engine&, std::shared_ptr<const Weights>, size_t members);
  ~EngineJob() override;

  const Weights& weights() const { return *weights_; }
  float* copyOf(const Floats&, size_t length);
  // Memory for what is copied to the array in the end: a new buffer, or one that the job has.
  float* output(const Floats&, size_t length, float* buffer = nullptr);
  void done() final;

 private:
  friend class Engine;

  struct Output {
    const char* name;
    napi_ref array;
    const float* data;
    size_t length;
  };

  void settle();

  const std::shared_ptr<Engine> engine_;  // outlives its jobs
  const std::shared_ptr<const Weights> weights_;
  std::vector<std::unique_ptr<float[]>> buffers_;
  std::vector<Output> outputs_;
  napi_deferred deferred_ = nullptr;
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  static std::shared_ptr<Engine> create(napi_env, const Kernel&, size_t threads, double inlineBelow);
  ~Engine();

  // Whether so many multiply-adds are done at once, on the caller's thread.
  bool isLight(double multiplyAdds) const { return multiplyAdds < inlineBelow_; }
  // How many threads share a step of so many multiply-adds.
  size_t teamFor(const Weights&, double multiplyAdds) const;
  // Returns the promise.
  napi_value start(std::unique_ptr<EngineJob>);

  const napi_env env;
  const Kernel& kernel;
  const size_t threads;

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
