// The Node-API module:
//
//     kernels: string[]                                               those that this CPU runs, best first
//     createEngine(kernel, threads, inlineBelow) -> { load }
//     load(I, Hi, Ho, weightIh, weightHh, biasIh, biasHh) -> { step, run, dispose }
//     step(rows, x, hIn, cIn, hOut, cOut) -> undefined | Promise
//     run(steps, rows, x, sameX, hIn, c, output, repeat, vectors?, perStep, projectionWeight?, projectionBias?)
//         -> undefined | Promise
//     createReader, writeTensor: see json.h
//
// The functions are closures: what they work on is theirs, and no JavaScript object can stand in for it.
#include "engine.h"
#include "json.h"

namespace cellserve {
namespace {

// A loaded cell, as JavaScript holds it.
struct Stepper {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<const Weights> weights;  // none once disposed

  ~Stepper() { dispose(); }

  void tell(int sign) const {
    int64_t total;
    napi_adjust_external_memory(engine->env, sign * static_cast<int64_t>(weights->panels * weights->panelFloats() * sizeof(float)),
                                &total);
  }

  void dispose() {
    if (weights == nullptr) return;
    tell(-1);
    weights.reset();  // a job under way has its own hold on them
  }

  const std::shared_ptr<const Weights>& live() const {
    if (weights == nullptr) throw Refusal{Refusal::kError, "the stepper has been disposed of"};
    return weights;
  }
};

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
Data& dataOf(const Arguments& arguments) {
  return **static_cast<std::shared_ptr<Data>*>(arguments.data);
}

struct StepJob final : EngineJob {
  using EngineJob::EngineJob;
  void work(size_t member) override {
    const Share panels = share(weights().panels, member, team.members);
    weights().kernel->pass(weights(), pass, panels.begin, panels.end);
  }
  Pass pass;
};

struct RunJob final : EngineJob {
  using EngineJob::EngineJob;
  void work(size_t member) override { run->work(member, team); }
  std::unique_ptr<SequenceRun> run;
};

napi_value step(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Stepper& stepper = dataOf<Stepper>(arguments);
  const auto& weights = stepper.live();
  const auto [I, Hi, Ho] = weights->sizes;

  const size_t rows = arguments.integer(0, "rows", 0);
  const size_t xSize = elements("x", {rows, I}), hSize = elements("hIn", {rows, Hi}), size = elements("cIn", {rows, Ho});
  const Floats x = arguments.floats(1, "x", xSize);
  const Floats hIn = arguments.floats(2, "hIn", hSize);
  const Floats cIn = arguments.floats(3, "cIn", size);
  const Floats hOut = arguments.floats(4, "hOut", size);
  const Floats cOut = arguments.floats(5, "cOut", size);
  for (const Floats* out : {&hOut, &cOut}) {
    checkApart(*out, size, x, xSize);
    checkApart(*out, size, hIn, hSize);
    checkApart(*out, size, cIn, size);
  }
  checkApart(hOut, size, cOut, size);
  if (rows == 0) return nullptr;

  const double multiplyAdds = static_cast<double>(size) * kGates * static_cast<double>(I + Hi);
  if (stepper.engine->isLight(multiplyAdds)) {
    weights->kernel->pass(*weights, {rows, x.data, hIn.data, nullptr, 0, cIn.data, cOut.data, hOut.data}, 0, weights->panels);
    return nullptr;
  }
  auto job = std::make_unique<StepJob>(*stepper.engine, weights, stepper.engine->teamFor(*weights, multiplyAdds));
  job->pass = {rows, job->copyOf(x, xSize), job->copyOf(hIn, hSize), nullptr, 0, job->copyOf(cIn, size),
               job->output(cOut, size), job->output(hOut, size)};
  return stepper.engine->start(std::move(job));
}

napi_value run(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Stepper& stepper = dataOf<Stepper>(arguments);
  const auto& weights = stepper.live();
  const auto [I, Hi, Ho] = weights->sizes;

  const size_t steps = arguments.integer(0, "steps", 0);
  const size_t rows = arguments.integer(1, "rows", 0);
  const bool sameX = arguments.boolean(3, "sameX");
  const size_t xSize = elements("x", {sameX ? 1 : steps, rows, I});
  const size_t hSize = elements("hIn", {rows, Hi}), cSize = elements("c", {rows, Ho});
  const size_t outputSize = elements("output", {steps, rows, Ho});
  const Floats x = arguments.floats(2, "x", xSize);
  const Floats hIn = arguments.floats(4, "hIn", hSize);
  const Floats c = arguments.floats(5, "c", cSize);
  const Floats output = arguments.floats(6, "output", outputSize);
  checkApart(c, cSize, x, xSize);
  checkApart(c, cSize, hIn, hSize);
  checkApart(output, outputSize, x, xSize);
  checkApart(output, outputSize, hIn, hSize);
  checkApart(output, outputSize, c, cSize);

  // The feedback, as floats of the caller's and as many of them as are read.
  Feedback feedback;
  feedback.repeat = arguments.integer(7, "repeat", 0);
  Floats vectors{}, projection{}, bias{};
  size_t vectorsSize = 0, projectionSize = 0;
  feedback.perStep = arguments.boolean(9, "perStep");
  if (arguments.given(10) || arguments.given(11)) {
    projectionSize = elements("projection.weight", {Hi, Ho});
    projection = arguments.floats(10, "projection.weight", projectionSize);
    bias = arguments.floats(11, "projection.bias", Hi);
    if (feedback.repeat > 0 || arguments.given(8)) {
      throw Refusal{Refusal::kRange, "projection fills h_in alone, without repeat or vectors"};
    }
  } else {
    const size_t repeated = elements("h_in", {feedback.repeat, Ho});
    feedback.vectorSize = repeated > Hi ? 0 : Hi - repeated;
    if (repeated > Hi || (feedback.vectorSize > 0) != arguments.given(8)) {
      throw Refusal{Refusal::kRange, "repeat and vectors must fill h_in: Hi = " + std::to_string(Hi) + ", Ho = " +
                                         std::to_string(Ho) + ", repeat = " + std::to_string(feedback.repeat) +
                                         (arguments.given(8) ? ", with vectors" : ", without vectors")};
    }
    if (feedback.vectorSize > 0) {
      vectorsSize = elements("vectors", {feedback.perStep ? (steps == 0 ? 0 : steps - 1) : 1, rows, feedback.vectorSize});
      vectors = arguments.floats(8, "vectors", vectorsSize);
      checkApart(c, cSize, vectors, vectorsSize);
      checkApart(output, outputSize, vectors, vectorsSize);
    }
  }
  if (projection.data != nullptr) {
    for (const Floats* out : {&c, &output}) {
      checkApart(*out, out == &c ? cSize : outputSize, projection, projectionSize);
      checkApart(*out, out == &c ? cSize : outputSize, bias, Hi);
    }
  }
  if (steps == 0 || rows == 0) return nullptr;

  const double multiplyAdds = static_cast<double>(outputSize) * kGates * static_cast<double>(I + Hi);
  if (stepper.engine->isLight(multiplyAdds)) {
    feedback.vectors = vectors.data;
    feedback.projection = projection.data;
    feedback.bias = bias.data;
    Team alone(1);
    SequenceRun(*weights, {steps, rows, x.data, sameX, hIn.data, c.data, output.data, feedback}).work(0, alone);
    return nullptr;
  }
  auto job = std::make_unique<RunJob>(*stepper.engine, weights,
                                      stepper.engine->teamFor(*weights, multiplyAdds / static_cast<double>(steps)));
  if (vectors.data != nullptr) feedback.vectors = job->copyOf(vectors, vectorsSize);
  if (projection.data != nullptr) {
    feedback.projection = job->copyOf(projection, projectionSize);
    feedback.bias = job->copyOf(bias, Hi);
  }
  job->run = std::make_unique<SequenceRun>(
      *weights, Sequence{steps, rows, job->copyOf(x, xSize), sameX, job->copyOf(hIn, hSize),
                         job->output(c, cSize, job->copyOf(c, cSize)), job->output(output, outputSize), feedback});
  return stepper.engine->start(std::move(job));
}

napi_value dispose(napi_env env, napi_callback_info info) {
  dataOf<Stepper>(Arguments(env, info)).dispose();
  return nullptr;
}

napi_value load(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const size_t I = arguments.integer(0, "I", 1), Hi = arguments.integer(1, "Hi", 1), Ho = arguments.integer(2, "Ho", 1);
  const Floats weightIh = arguments.floats(3, "weightIh", elements("weightIh", {kGates, Ho, I}));
  const Floats weightHh = arguments.floats(4, "weightHh", elements("weightHh", {kGates, Ho, Hi}));
  const Floats biasIh = arguments.floats(5, "biasIh", kGates * Ho);
  const Floats biasHh = arguments.floats(6, "biasHh", kGates * Ho);

  const auto& engine = *static_cast<std::shared_ptr<Engine>*>(arguments.data);
  auto stepper = std::make_shared<Stepper>();
  stepper->engine = engine;
  stepper->weights = std::make_shared<const Weights>(
      packWeights(engine->kernel, {I, Hi, Ho}, weightIh.data, weightHh.data, biasIh.data, biasHh.data));
  stepper->tell(1);

  napi_value object;
  check(env, napi_create_object(env, &object));
  addFunction(env, object, "step", [](napi_env env, napi_callback_info info) { return guarded(env, step, info); }, stepper);
  addFunction(env, object, "run", [](napi_env env, napi_callback_info info) { return guarded(env, run, info); }, stepper);
  addFunction(env, object, "dispose", [](napi_env env, napi_callback_info info) { return guarded(env, dispose, info); }, stepper);
  return object;
}

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
  addFunction(env, object, "load", [](napi_env env, napi_callback_info info) { return guarded(env, load, info); }, engine);
  return object;
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
    check(env, napi_set_named_property(env, exports, "kernels", kernels(env)));
    add("createEngine", [](napi_env env, napi_callback_info info) { return guarded(env, createEngine, info); });
    add("createReader", [](napi_env env, napi_callback_info info) { return guarded(env, createReader, info); });
    add("writeTensor", [](napi_env env, napi_callback_info info) { return guarded(env, writeTensor, info); });
  } catch (const Pending&) {
  } catch (const Refusal& refusal) {
    napi_throw(env, errorOf(env, refusal));
  }
  return exports;
}
