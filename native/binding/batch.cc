#include "batch.h"

#include <algorithm>

#include "../program/run.h"
#include "functions.h"
#include "network.h"

namespace cellserve {
namespace {

// Memory shared by JavaScript's arrays and the engine. It lives as long as either of them holds it.
struct Buffer {
  std::shared_ptr<float> data;
  size_t floats = 0;

  // Zeroed, so that JavaScript never sees old contents.
  void allocate(size_t count) {
    FloatMemory memory = allocateFloats(count);
    std::fill_n(memory.get(), count, 0.0f);
    data = std::shared_ptr<float>(memory.release(), FreeFloats());
    floats = count;
  }
};

struct BatchData {
  BatchData(std::shared_ptr<const Program> given, size_t maxRows) : program(std::move(given)), maxRows(maxRows), run(*program), streams(program->places() - kStreams) {
    const size_t state = elements("the states", {maxRows, program->state}), most = elements("scratch", {maxRows, program->scratch});
    states[0].allocate(state);
    states[1].allocate(state);
    scratch.allocate(most);
  }

  const std::shared_ptr<const Program> program;
  const size_t maxRows;
  Run run;
  Team alone{1};
  Buffer states[2];
  Buffer scratch;
  std::vector<Buffer> streams;  // inputs, then outputs
  Buffer attention;
  bool busy = false;
};

struct Batch {
  std::shared_ptr<Loaded> loaded;
  std::shared_ptr<BatchData> data;  // null after disposal

  BatchData& live() const {
    loaded->live();
    if (data == nullptr) throw Refusal{Refusal::kError, "the batch has been disposed of"};
    if (data->busy) throw Refusal{Refusal::kError, "the batch is busy with another call"};
    return *data;
  }
};

// A call that runs off the event loop.
class BatchJob final : public EngineJob {
 public:
  BatchJob(Engine& engine, std::shared_ptr<BatchData> data, std::vector<std::shared_ptr<const Memory>> memories, size_t members)
      : EngineJob(engine, members), data_(std::move(data)), memories_(std::move(memories)) {
    data_->busy = true;
  }
  ~BatchJob() override { data_->busy = false; }
  void work(size_t member) override { data_->run.work(member, team); }

 private:
  napi_value settle(napi_env env) override {
    napi_value undefined;
    check(env, napi_get_undefined(env, &undefined));
    return undefined;
  }

  const std::shared_ptr<BatchData> data_;
  const std::vector<std::shared_ptr<const Memory>> memories_;
};

// Finds the sets that the rows read, and keeps their memories alive.
std::vector<std::shared_ptr<const Memory>> attach(const Loaded& loaded, Numbers<double> attached, Call& call) {
  std::vector<std::shared_ptr<const Memory>> memories;
  double last = 0;
  for (size_t row = 0; row < call.rows; row++) {
    const double id = attached.data[2 * row], set = attached.data[2 * row + 1];
    const auto refuse = [row](const char* what) { throw Refusal{Refusal::kRange, "row " + std::to_string(row) + what}; };
    if (id != last || memories.empty()) {
      const auto found = id >= 1 && id < 0x1p53 ? loaded.memories.find(static_cast<uint64_t>(id)) : loaded.memories.end();
      const auto memory = found == loaded.memories.end() ? nullptr : found->second.lock();
      if (memory == nullptr) refuse(" has no memory attached");
      if (!memory->isReady()) refuse(" has a memory attached that is not prepared");
      memories.push_back(memory);
      last = id;
    }
    const auto& sets = memories.back()->sets();
    if (!(set >= 0 && set < static_cast<double>(sets.size()))) refuse(" reads a set that its memory has not");
    call.sets.push_back(&sets[static_cast<size_t>(set)]);
  }
  return memories;
}

void checkStream(const char* kind, size_t index, const Buffer& buffer, size_t needed) {
  if (buffer.floats >= needed) return;
  throw Refusal{Refusal::kRange, std::string(kind) + " " + std::to_string(index) + " must have at least " + std::to_string(needed) +
                                     " elements, not " + std::to_string(buffer.floats)};
}

// Checks that the buffers that a call's instructions read and write exist.
void checkStreams(const BatchData& data, const Call& call) {
  const Program& program = *data.program;
  const size_t inputs = program.inputs.size();
  uint64_t used = 0;
  for (size_t i = call.first; i < call.end; i++) used |= program.streams[i];
  for (size_t stream = 0; stream < data.streams.size(); stream++) {
    if ((used >> stream & 1) == 0) continue;
    if (stream < inputs) {
      const size_t steps = (call.repeated >> stream & 1) != 0 ? 1 : call.steps;
      checkStream("input", stream, data.streams[stream], elements("an input", {steps, call.rows, program.inputs[stream]}));
    } else {
      const auto [width, asked] = program.outputs[stream - inputs];
      if (asked && (call.asked >> (stream - inputs) & 1) == 0) continue;
      checkStream("output", stream - inputs, data.streams[stream], elements("an output", {call.steps, call.rows, width}));
    }
  }
}

// How many threads share the work of a step.
size_t teamFor(const Engine& engine, const Program& program, const Call& call, double work) {
  size_t shares = call.sets.empty() ? 1 : engine.threads;
  for (size_t i = call.first; i < call.end; i++) {
    if (program.instructions[i].layer != nullptr) shares = std::max(shares, program.instructions[i].layer->panels());
  }
  const size_t members = std::min(engine.threads, shares);
  if (members == 1) return 1;
  const double meets = static_cast<double>(std::max<size_t>(1, program.plan(members).meets));
  return engine.isWorthMeeting(work / meets) ? members : 1;
}

// Runs the call. All its arguments are set, except those that depend on its rows.
napi_value start(const Batch& batch, const Arguments& arguments, size_t attached) {
  BatchData& data = *batch.data;
  const Program& program = *data.program;
  Engine& engine = *batch.loaded->engine;
  Call& call = data.run.call;
  call.sets.clear();
  call.attention = nullptr;
  bool attends = false;
  double work = 0;  // of one row's step
  for (size_t i = call.first; i < call.end; i++) {
    attends |= program.instructions[i].op == Op::kAttend;
    work += Program::workOf(program.instructions[i]);
  }
  work *= static_cast<double>(call.rows);

  std::vector<std::shared_ptr<const Memory>> memories;
  if (attends) {
    memories = attach(*batch.loaded, arguments.doubles(attached, "attached", 2 * call.rows), call);
    size_t most = 0;
    double supports = 0;
    for (const Set* set : call.sets) {
      most = std::max(most, set->count);
      supports += static_cast<double>(set->count);
    }
    work += supports * program.workOfRead();
    if (call.attentionWidth > 0) {
      if (call.attentionWidth < most) {
        throw Refusal{Refusal::kRange, "attention must be at least " + std::to_string(most) + " wide, not " + std::to_string(call.attentionWidth)};
      }
      const size_t needed = elements("attention", {call.steps, call.rows, call.attentionWidth});
      if (data.attention.floats < needed) {
        throw Refusal{Refusal::kRange, "attention must have at least " + std::to_string(needed) + " elements, not " + std::to_string(data.attention.floats)};
      }
      call.attention = data.attention.data.get();
    }
  }
  checkStreams(data, call);
  if (call.rows == 0 || call.steps == 0 || call.first == call.end) return nullptr;

  call.scratch = data.scratch.data.get();
  call.streams.clear();
  for (const Buffer& stream : data.streams) call.streams.push_back(stream.data.get());
  if (engine.isLight(work * static_cast<double>(call.steps))) {
    data.run.begin(1);
    data.run.work(0, data.alone);
    return nullptr;
  }
  const size_t members = teamFor(engine, program, call, work);
  data.run.begin(members);
  return engine.start(std::make_unique<BatchJob>(engine, batch.data, std::move(memories), members));
}

size_t rowsOf(const Arguments& arguments, const BatchData& data) {
  const size_t rows = arguments.integer(0, "rows", 0);
  if (rows <= data.maxRows) return rows;
  throw Refusal{Refusal::kRange, "rows must be at most " + std::to_string(data.maxRows) + ", not " + std::to_string(rows)};
}

napi_value advance(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& batch = dataOf<Batch>(arguments);
  BatchData& data = batch->live();
  Call& call = data.run.call;
  call.rows = rowsOf(arguments, data);
  call.steps = arguments.integer(1, "steps", 0);
  call.repeated = arguments.bits(2, "repeated");
  call.asked = arguments.bits(3, "asked");
  call.attentionWidth = arguments.integer(4, "attention", 0);
  call.first = 0;
  call.end = data.program->instructions.size();
  call.states[0] = data.states[0].data.get();
  call.states[1] = data.states[1].data.get();
  return start(*batch, arguments, 5);
}

napi_value startStep(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& batch = dataOf<Batch>(arguments);
  BatchData& data = batch->live();
  Call& call = data.run.call;
  call.rows = rowsOf(arguments, data);
  call.first = arguments.integer(1, "from", 0);
  const size_t end = data.program->instructions.size();
  if (call.first < data.program->read || call.first > end) {
    throw Refusal{Refusal::kRange, "from must be where the program's read begins, or after that"};
  }
  call.end = arguments.integer(2, "to", 0);
  if (call.end < call.first || call.end > end) throw Refusal{Refusal::kRange, "to must be between from and the end of the program"};
  call.attentionWidth = arguments.integer(3, "attention", 0);
  call.steps = 1;
  call.repeated = call.asked = 0;
  // In place: everything computed after the cells uses only the new state.
  call.states[0] = call.states[1] = data.states[0].data.get();
  return start(*batch, arguments, 4);
}

napi_value peek(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto& batch = dataOf<Batch>(arguments);
  BatchData& data = batch->live();
  Call& call = data.run.call;
  call.rows = rowsOf(arguments, data);
  call.steps = 1;
  call.repeated = call.asked = 0;
  call.attentionWidth = 0;
  call.first = 0;
  call.end = data.program->begin;
  call.states[0] = data.states[0].data.get();
  call.states[1] = data.states[1].data.get();
  return start(*batch, arguments, 1);
}

// A Float32Array of the buffer's memory.
napi_value arrayOf(napi_env env, const Buffer& buffer) {
  napi_value memory, array;
  auto held = std::make_unique<std::shared_ptr<float>>(buffer.data);
  check(env, napi_create_external_arraybuffer(
                 env, held->get(), buffer.floats * sizeof(float),
                 [](napi_env, void*, void* held) { delete static_cast<std::shared_ptr<float>*>(held); }, held.get(), &memory));
  held.release();
  check(env, napi_create_typedarray(env, napi_float32_array, buffer.floats, memory, 0, &array));
  return array;
}

// Replaces a buffer with a new one. JavaScript may still hold the old one.
napi_value grow(napi_env env, Buffer& buffer, size_t floats) {
  Buffer grown;
  grown.allocate(floats);
  const napi_value array = arrayOf(env, grown);
  buffer = std::move(grown);
  return array;
}

template <bool isInput>
napi_value stream(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  BatchData& data = dataOf<Batch>(arguments)->live();
  const size_t inputs = data.program->inputs.size();
  const size_t count = isInput ? inputs : data.program->outputs.size();
  const size_t k = arguments.integer(0, "k", 0);
  if (k >= count) throw Refusal{Refusal::kRange, "k must be less than " + std::to_string(count) + ", not " + std::to_string(k)};
  return grow(env, data.streams[isInput ? k : inputs + k], arguments.integer(1, "floats", 0));
}

napi_value attention(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  BatchData& data = dataOf<Batch>(arguments)->live();
  return grow(env, data.attention, arguments.integer(0, "floats", 0));
}

napi_value dispose(napi_env env, napi_callback_info info) {
  dataOf<Batch>(Arguments(env, info))->data.reset();  // a running job keeps it alive
  return nullptr;
}

}  // namespace

napi_value createBatch(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto batch = std::make_shared<Batch>();
  batch->loaded = dataOf<Loaded>(arguments);
  batch->data = std::make_shared<BatchData>(batch->loaded->live(), arguments.integer(0, "maxRows", 1));

  napi_value object, states;
  check(env, napi_create_object(env, &object));
  check(env, napi_create_array_with_length(env, 2, &states));
  for (uint32_t i = 0; i < 2; i++) check(env, napi_set_element(env, states, i, arrayOf(env, batch->data->states[i])));
  check(env, napi_set_named_property(env, object, "states", states));
  addFunction(env, object, "input", callback<stream<true>>, batch);
  addFunction(env, object, "output", callback<stream<false>>, batch);
  addFunction(env, object, "attention", callback<attention>, batch);
  addFunction(env, object, "advance", callback<advance>, batch);
  addFunction(env, object, "start", callback<startStep>, batch);
  addFunction(env, object, "peek", callback<peek>, batch);
  addFunction(env, object, "dispose", callback<dispose>, batch);
  return object;
}

}  // namespace cellserve
