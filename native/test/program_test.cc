// Tests of programs without Node.js, for the sanitizers: random programs, on teams of threads, compared with one thread.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "../program/memory.h"
#include "../program/packed.h"
#include "expect.h"
#include "run_job.h"

using namespace cellserve;
using Buffer = std::vector<float>;

static std::mt19937 generator(11);

static size_t below(size_t n) { return generator() % n; }
static size_t upTo(size_t n) { return 1 + below(n); }

static Buffer randomBuffer(size_t size, float scale = 1) {
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Buffer buffer(size);
  for (float& value : buffer) value = uniform(generator);
  return buffer;
}

// Equal bits, except that all NaNs are equal.
static bool same(const Buffer& a, const Buffer& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0 && !(a[i] != a[i] && b[i] != b[i])) return false;
  }
  return true;
}

static std::unique_ptr<const Weights> randomLayer(const Kernel& kernel, Kind kind, Sizes sizes) {
  const size_t rows = (kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1) * sizes.Ho;
  const Buffer weightIh = randomBuffer(rows * sizes.I, 0.5f), weightHh = randomBuffer(rows * sizes.Hi, 0.5f), bias = randomBuffer(rows);
  const Activation activation = sizes.Hi == 0 ? static_cast<Activation>(below(4)) : below(2) == 0 ? Activation::kTanh : Activation::kRelu;
  const float slope = kind == Kind::kRnn || below(2) == 0 ? 0 : 0.2f;
  const Precision precision = static_cast<Precision>(below(3));
  return std::make_unique<const Weights>(packWeights(kernel, {kind, activation, sizes, weightIh.data(), weightHh.data(), bias.data(), bias.data(), slope, precision}));
}

// How many gates a cell can return.
static size_t gatesOf(Kind kind) { return kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 0; }

static bool overlap(const Operand& a, const Operand& b) {
  return a.width > 0 && b.width > 0 && a.place == b.place && a.offset < b.offset + b.width && b.offset < a.offset + a.width;
}

// A program of random instructions over random operands; no instruction writes where it reads.
static std::shared_ptr<Program> randomProgram(const Kernel& kernel, bool attends) {
  auto program = std::make_shared<Program>();
  program->kernel = &kernel;
  program->state = 40 + below(120);
  program->scratch = 30 + below(60);
  program->inputs = {20 + below(30)};
  program->outputs = {{20 + below(30), false}, {20 + below(30), below(2) == 0}};
  program->groups = {0};
  program->attends = attends;
  if (attends) {
    program->reading = {static_cast<Score>(below(2)), Activation::kNone, 1, upTo(20), 0, nullptr};
    program->support = upTo(20);
    program->key = randomLayer(kernel, Kind::kRnn, {program->support, 0, program->reading.width});
    program->valueIsKey = below(2) == 0;
    program->reading.valueWidth = program->valueIsKey ? program->reading.width : program->support;
  }
  const auto operand = [&](size_t width, bool written) {
    Operand made{};
    do {
      made.place = below(program->places());
    } while ((written && (made.place == kOld || program->isInput(made.place))) || program->width(made.place) < width);
    made.offset = below(program->width(made.place) - width + 1);
    made.width = width;
    return made;
  };
  for (size_t count = 3 + below(10); count > 0; count--) {
    Instruction made{};
    made.op = static_cast<Op>(below(static_cast<size_t>(Op::kLogSoftmax) + 1));
    if (made.op == Op::kAttend && !attends) continue;
    const size_t width = upTo(20);
    std::array<size_t, 3> in{};
    std::array<size_t, 3> out{width, 0, 0};
    const Kind kind = static_cast<Kind>(below(3));
    const bool carries = kind == Kind::kLstm || (kind == Kind::kGru && below(2) == 0);
    switch (made.op) {
      case Op::kCell:
        in = {below(20), kind == Kind::kGru && !carries ? width : upTo(20), carries ? width : 0}, out[1] = carries ? width : 0;
        // The state is large enough for the gates of ten units.
        if (width <= 10 && below(2) == 0) out[2] = gatesOf(kind) * width;
        break;
      case Op::kLinear: in = {upTo(20), 0, 0}; break;
      case Op::kSum:
      case Op::kProduct: in = {width, width, 0}; break;
      case Op::kChoose: in = {width, 1, 0}; break;
      case Op::kClear: break;
      case Op::kAttend: in = {program->reading.width, 0, 0}, out[0] = program->reading.valueWidth; break;
      default: in = {width, 0, 0};
    }
    bool clean = false;
    while (!clean) {
      for (size_t i = 0; i < 3; i++) made.in[i] = in[i] == 0 ? Operand{} : operand(in[i], false);
      for (size_t i = 0; i < 3; i++) made.out[i] = out[i] == 0 ? Operand{} : operand(out[i], true);
      clean = !overlap(made.out[0], made.out[1]) && !overlap(made.out[0], made.out[2]) && !overlap(made.out[1], made.out[2]);
      for (const Operand& read : made.in) clean &= std::none_of(made.out.begin(), made.out.end(), [&](const Operand& written) { return overlap(read, written); });
      for (const Operand& read : made.in) clean &= read.width == 0 || !program->isOutput(read.place);
    }
    if (made.op == Op::kCell || made.op == Op::kLinear) {
      program->layers.push_back(randomLayer(kernel, made.op == Op::kLinear ? Kind::kRnn : kind, {in[0], in[1], out[0]}));
      made.layer = program->layers.back().get();
      if (made.op == Op::kCell && kind == Kind::kGru && !carries) made.in[2] = made.in[1];
      made.ahead = made.op == Op::kCell && in[0] > 0 && program->isInput(made.in[0].place);
    }
    program->instructions.push_back(made);
    program->streams.push_back(0);
  }
  program->begin = 0;
  program->read = program->feed = program->instructions.size();
  return program;
}

// Layers that run one after the other: each reads what the one before it has written. Their gates can be requested.
static std::shared_ptr<Program> stack(const Kernel& kernel, size_t layers) {
  auto program = std::make_shared<Program>();
  program->kernel = &kernel;
  const size_t I = upTo(40);
  program->inputs = {I};
  std::vector<size_t> widths;
  for (size_t n = 0; n < layers; n++) widths.push_back(upTo(70));
  program->state = 0;
  for (const size_t width : widths) program->state += 2 * width, program->outputs.push_back({width, false});
  program->scratch = 0;
  const size_t gates = 2 * program->state;
  program->outputs.push_back({gates, true});
  size_t offset = 0;
  Operand x{kStreams, 0, I};
  for (size_t n = 0; n < layers; n++) {
    const size_t Ho = widths[n];
    program->groups.push_back(program->instructions.size());
    program->layers.push_back(randomLayer(kernel, Kind::kLstm, {x.width, Ho, Ho}));
    const Operand written{kNew, offset, Ho}, output{kStreams + 1 + n, 0, Ho};
    program->instructions.push_back({Op::kCell, {x, Operand{kOld, offset, Ho}, Operand{kOld, offset + Ho, Ho}}, {written, Operand{kNew, offset + Ho, Ho}, Operand{kStreams + 1 + layers, 2 * offset, 4 * Ho}},
                                     program->layers.back().get(), true});
    program->instructions.push_back({Op::kCopy, {written, {}, {}}, {output, {}, {}}, nullptr, false});
    x = output;
    offset += 2 * Ho;
  }
  program->streams.resize(program->instructions.size());
  program->begin = 0;
  program->read = program->feed = program->instructions.size();
  return program;
}

// A cell whose h is its own last output twice, or its last output and an input, which is known only when the step begins.
static std::shared_ptr<Program> fed(const Kernel& kernel, bool late) {
  auto program = std::make_shared<Program>();
  program->kernel = &kernel;
  constexpr size_t I = 20, Ho = 80;
  program->inputs = {I};
  program->outputs = {{Ho, false}};
  program->groups = {0};
  program->scratch = 0;
  const size_t Hi = Ho + (late ? I : Ho);
  const auto h = [](size_t place) { return Operand{place, 0, Ho}; };
  const auto c = [](size_t place) { return Operand{place, Ho, Ho}; };
  const auto hIn = [&](size_t place, size_t offset, size_t width) { return Operand{place, 2 * Ho + offset, width}; };
  const auto flag = [&](size_t place) { return Operand{place, 2 * Ho + Hi, 1}; };
  program->state = 2 * Ho + Hi + 1;
  program->layers.push_back(randomLayer(kernel, Kind::kLstm, {I, Hi, Ho}));
  const Operand x{kStreams, 0, I}, output{kStreams + 1, 0, Ho};
  const auto copy = [](const Operand& from, const Operand& to) { return Instruction{Op::kCopy, {from, {}, {}}, {to, {}, {}}, nullptr, false}; };
  auto& made = program->instructions;
  if (late) {
    made.push_back(copy(h(kOld), hIn(kNew, 0, Ho)));
    made.push_back(copy(x, hIn(kNew, Ho, I)));
    made.push_back({Op::kChoose, {hIn(kOld, 0, Hi), flag(kOld), {}}, {hIn(kNew, 0, Hi), {}, {}}, nullptr, false});
    made.push_back({Op::kClear, {}, {flag(kNew), {}, {}}, nullptr, false});
  }
  made.push_back({Op::kCell, {x, hIn(late ? kNew : kOld, 0, Hi), c(kOld)}, {h(kNew), c(kNew), {}}, program->layers[0].get(), true});
  made.push_back(copy(h(kNew), output));
  if (!late) {
    made.push_back(copy(h(kNew), hIn(kNew, 0, Ho)));
    made.push_back(copy(h(kNew), hIn(kNew, Ho, Ho)));
  }
  program->streams.resize(made.size());
  program->begin = 0;
  program->read = program->feed = made.size();
  return program;
}

// Threads that share a cell's steps meet once a step, not more often.
static void testMeetings(const Kernel& kernel) {
  for (size_t members : {2, 3, 8}) {
    EXPECT(stack(kernel, 1)->plan(members).meets == 1, "%zu threads meet more than once for a cell that reads its own h", members);
    EXPECT(fed(kernel, false)->plan(members).meets == 1, "%zu threads meet more than once for [h, h]", members);
    EXPECT(fed(kernel, true)->plan(members).meets == 1, "%zu threads meet more than once for [h, input]", members);
  }
}

struct Data {
  Buffer states[2], scratch;
  std::vector<Buffer> streams;
  Buffer attention;

  bool isLike(const Data& other) const {
    bool like = same(states[0], other.states[0]) && same(states[1], other.states[1]) && same(attention, other.attention);
    for (size_t i = 0; i < streams.size(); i++) like &= same(streams[i], other.streams[i]);
    return like;
  }
};

static void testProgram(const std::shared_ptr<Program>& program, size_t rows, size_t steps) {
  Data data;
  for (Buffer& state : data.states) state = randomBuffer(rows * program->state);
  data.scratch = randomBuffer(rows * program->scratch);
  const bool repeated = below(2) == 0;
  data.streams.push_back(randomBuffer((repeated ? 1 : steps) * rows * program->inputs[0]));
  for (const Output& output : program->outputs) data.streams.push_back(randomBuffer(steps * rows * output.width));

  std::vector<size_t> counts;
  for (size_t sets = upTo(4); sets > 0; sets--) counts.push_back(below(40));
  Memory memory(program, program->attends ? counts : std::vector<size_t>{});
  const Buffer supports = randomBuffer(memory.supports() * program->support);
  for (size_t done = 0; done < memory.supports();) {
    const size_t count = memory.reach(static_cast<double>(below(20000)));
    memory.prepare(supports.data() + done * program->support, count);
    done += count;
  }
  std::vector<const Set*> sets;
  for (size_t row = 0; program->attends && row < rows; row++) sets.push_back(&memory.sets()[below(counts.size())]);
  data.attention = randomBuffer(steps * rows * 40);
  const uint32_t asked = below(2) == 0 ? static_cast<uint32_t>(-1) : generator();

  const auto take = [&](Data& of, Run& run, size_t members) {
    Call& call = run.call;
    call.rows = rows, call.steps = steps;
    call.first = 0, call.end = program->instructions.size();
    call.states[0] = of.states[0].data(), call.states[1] = of.states[1].data();
    call.scratch = of.scratch.data();
    call.streams.clear();
    for (Buffer& stream : of.streams) call.streams.push_back(stream.data());
    call.repeated = repeated ? 1 : 0, call.asked = asked;
    call.attention = program->attends ? of.attention.data() : nullptr;
    call.attentionWidth = 40;
    call.sets = sets;
    run.begin(members);
  };
  Data expected = data;
  {
    Run run(*program);
    take(expected, run, 1);
    Team alone(1);
    run.work(0, alone);
  }
  for (size_t members : {2, 3, 5}) {
    Data found = data;
    Run run(*program);
    take(found, run, members);
    Pool pool(members);
    RunJob job(run, members);
    pool.submit(job);
    job.finished.wait(0);
    pool.stop();
    EXPECT(found.isLike(expected), "%s, %zu threads, %zu rows, %zu steps: other bits", program->kernel->name, members, rows, steps);
  }
}

// Equal layers are shared as long as one of them is in use; layers that differ in a bit are not.
static void testSharing(const Kernel& kernel) {
  const Sizes sizes{upTo(20), upTo(20), upTo(20)};
  const Buffer weightIh = randomBuffer(4 * sizes.Ho * sizes.I, 0.5f), weightHh = randomBuffer(4 * sizes.Ho * sizes.Hi, 0.5f);
  Buffer bias = randomBuffer(4 * sizes.Ho);
  const auto packed = [&](Activation activation, Precision precision = Precision::kF32) {
    return packWeights(kernel, {Kind::kLstm, activation, sizes, weightIh.data(), weightHh.data(), bias.data(), bias.data(), 0, precision});
  };
  PackedLayers layers;
  auto first = layers.share(packed(Activation::kTanh));
  EXPECT(layers.share(packed(Activation::kTanh)) == first, "equal layers are two");
  EXPECT(layers.share(packed(Activation::kRelu)) != first, "one layer for two activations");
  EXPECT(layers.share(packed(Activation::kTanh, Precision::kBf16)) != first, "one layer for two precisions");
  const std::weak_ptr<const Weights> before = first;
  first.reset();
  EXPECT(before.expired(), "a layer that nobody has is kept");
  first = layers.share(packed(Activation::kTanh));
  bias[below(4 * sizes.Ho)] += 1;
  EXPECT(layers.share(packed(Activation::kTanh)) != first, "other weights are the same layer");
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 300;
  std::vector<const Kernel*> kernels;
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if ((*kernel)->supported()) kernels.push_back(*kernel);
  }
  testMeetings(*kernels[0]);
  for (const Kernel* kernel : kernels) testSharing(*kernel);
  for (int n = 0; n < count; n++) {
    const Kernel& kernel = *kernels[n % kernels.size()];
    testProgram(randomProgram(kernel, n % 2 == 0), upTo(n % 5 == 0 ? 40 : 6), upTo(6));
    if (n % 4 == 0) testProgram(stack(kernel, 1 + below(3)), upTo(8), upTo(30));
    if (n % 4 == 1) testProgram(fed(kernel, n % 8 == 1), upTo(8), upTo(30));
  }
  std::printf(failures == 0 ? "the programs' tests pass\n" : "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
