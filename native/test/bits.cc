// Results must have the same bits on every CPU: for each kind of cell and precision, for reads, softmax and sequences, for single rows
// and batches, on one thread and on several, and for JSON's numbers.
//
//     bits              prints them, as this CPU's best kernel computes them
//     bits bits.txt     compares the results of each of this CPU's kernels with that file
//
// The file is committed: it contains the results that all machines must produce. A line has a hash of some numbers, and the bits of a
// few of them.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../json/decimal.h"
#include "../program/memory.h"
#include "run_job.h"

using namespace cellserve;
using Buffer = std::vector<float>;

// Random numbers seeded by a name, so that a case does not depend on earlier ones. The C++ standard defines the generator's bits, but
// not the distributions' bits.
class Draw {
 public:
  explicit Draw(const std::string& name) {
    std::seed_seq seed(name.begin(), name.end());
    generator_.seed(seed);
  }
  // Between -scale and scale.
  Buffer floats(size_t count, float scale = 1) {
    Buffer made(count);
    for (float& value : made) value = static_cast<float>(static_cast<int32_t>(generator_()) >> 8) * 0x1p-23f * scale;
    return made;
  }
  uint32_t bits() { return static_cast<uint32_t>(generator_()); }

 private:
  std::mt19937 generator_;
};

// All NaNs have the same bits: CPUs differ in a NaN's sign.
static uint32_t bitsOf(float value) {
  uint32_t bits = 0x7fc00000;
  if (!std::isnan(value)) std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// The lines of the file: a name, a hash (FNV-1a), and the first and last of the numbers.
class Lines {
 public:
  void add(const std::string& name, const Buffer& values) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const float value : values) {
      for (int byte = 0; byte < 4; byte++) hash = (hash ^ (bitsOf(value) >> 8 * byte & 0xff)) * 0x100000001b3;
    }
    text_ += name + ":";
    print(" %016llx", static_cast<unsigned long long>(hash));
    for (size_t i = 0; i < values.size(); i++) {
      if (i < 2 || i + 2 >= values.size()) print(" %08x", bitsOf(values[i]));
    }
    text_ += "\n";
  }
  void add(const std::string& name, const std::string& text) {
    Buffer bytes(text.begin(), text.end());
    add(name, bytes);
  }
  const std::string& text() const { return text_; }

 private:
  template <class Value>
  void print(const char* format, Value value) {
    char made[24];
    std::snprintf(made, sizeof made, format, value);
    text_ += made;
  }
  std::string text_;
};

static const char* const kKinds[] = {"lstm", "gru", "rnn"};
static const char* const kActivations[] = {"none", "tanh", "relu", "sigmoid"};
static const char* const kPrecisions[] = {"f32", "bf16", "int8"};
static const char* const kScores[] = {"dot", "cosine", "additive"};

static std::string numbers(std::initializer_list<size_t> list) {
  std::string made;
  for (const size_t number : list) made += " " + std::to_string(number);
  return made;
}

static Weights drawWeights(const Kernel& kernel, Draw& draw, Kind kind, Activation activation, float slope, Precision precision, Sizes sizes) {
  const size_t rows = (kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1) * sizes.Ho;
  const Buffer weightIh = draw.floats(rows * sizes.I, 0.5f), weightHh = draw.floats(rows * sizes.Hi, 0.5f);
  const Buffer biasIh = draw.floats(rows), biasHh = draw.floats(rows);
  return packWeights(kernel, {kind, activation, sizes, weightIh.data(), weightHh.data(), biasIh.data(), sizes.Hi == 0 ? nullptr : biasHh.data(), slope, precision});
}

// One step of rows through a cell, or through a linear layer, which reads no h.
static void addLayer(Lines& lines, const Kernel& kernel, Kind kind, Activation activation, float slope, Precision precision, Sizes sizes, size_t rows) {
  const std::string name = std::string(sizes.Hi == 0 ? "linear" : kKinds[int(kind)]) + " " + kActivations[int(activation)] + (slope == 0 ? "" : " hard") + " " +
                           kPrecisions[int(precision)] + numbers({sizes.I, sizes.Hi, sizes.Ho}) + " x" + std::to_string(rows);
  Draw draw(name);
  const Weights weights = drawWeights(kernel, draw, kind, activation, slope, precision, sizes);
  Buffer x = draw.floats(rows * sizes.I, 2), h = draw.floats(rows * sizes.Hi, 2), carry = draw.floats(rows * sizes.Ho);
  Buffer made(2 * rows * sizes.Ho);
  Pass pass{};
  pass.rows = rows;
  pass.part = Pass::kWhole;
  pass.x = {x.data(), sizes.I}, pass.h = {h.data(), sizes.Hi};
  pass.carry = {carry.data(), sizes.Ho};
  pass.out = {made.data(), sizes.Ho};
  if (kind != Kind::kRnn) pass.carryOut = {made.data() + rows * sizes.Ho, sizes.Ho};
  kernel.pass(weights, pass, 0, weights.panels());
  lines.add(name, made);
}

static void addLayers(Lines& lines, const Kernel& kernel) {
  size_t turn = 0;
  for (const Sizes sizes : {Sizes{1, 1, 1}, Sizes{3, 5, 7}, Sizes{0, 6, 4}, Sizes{16, 16, 16}, Sizes{9, 40, 33}, Sizes{64, 64, 64}, Sizes{5, 17, 131}}) {
    for (const size_t rows : {1, 2, 7, 65}) {
      if (rows * sizes.Ho > 1100) continue;
      for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
        turn++;
        const Activation activation = turn % 2 == 0 ? Activation::kTanh : Activation::kRelu, any = static_cast<Activation>(turn % 4);
        const float slope = turn % 3 == 0 ? 0.2f : 0;
        addLayer(lines, kernel, Kind::kLstm, activation, slope, precision, sizes, rows);
        addLayer(lines, kernel, Kind::kGru, activation, slope, precision, sizes, rows);
        addLayer(lines, kernel, Kind::kRnn, any, 0, precision, sizes, rows);
        if (sizes.I > 0) addLayer(lines, kernel, Kind::kRnn, any, 0, precision, {sizes.I, 0, sizes.Ho}, rows);
      }
    }
  }
  // Sums so long that they are stored and resumed.
  for (const size_t rows : {1, 9}) {
    for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) addLayer(lines, kernel, Kind::kLstm, Activation::kTanh, 0, precision, {1200, 900, 3}, rows);
  }
}

// A decoder that reads supports: h_in is [h, read], the outputs are h, softmax(h + x) and log_softmax(h * x).
static std::shared_ptr<Program> decoder(const Kernel& kernel, Draw& draw, Kind kind, Score score, Precision precision) {
  constexpr size_t I = 21, Ho = 21, support = 10;
  auto program = std::make_shared<Program>();
  program->kernel = &kernel;
  program->attends = true;
  program->support = support;
  program->valueIsKey = kind == Kind::kGru;
  const size_t read = program->valueIsKey ? Ho : support;
  const Activation activation = precision == Precision::kBf16 ? Activation::kRelu : Activation::kTanh;
  program->v = allocateFloats(padded(Ho));
  const Buffer v = draw.floats(Ho);
  std::fill_n(program->v.get(), padded(Ho), 0.0f);
  std::copy(v.begin(), v.end(), program->v.get());
  program->reading = {score, activation, 0.7f, Ho, read, program->v.get()};
  const auto layer = [&](Kind of, Activation by, Sizes sizes) { return std::make_shared<const Weights>(drawWeights(kernel, draw, of, by, 0, precision, sizes)); };
  program->key = layer(Kind::kRnn, Activation::kNone, {support, 0, Ho});
  program->layers = {layer(kind, activation, {I, Ho + read, Ho})};
  program->inputs = {I};
  program->outputs = {{Ho, false}, {Ho, false}, {Ho, false}};
  program->state = 2 * Ho + read;
  program->scratch = Ho;
  const auto h = [](size_t place) { return Operand{place, 0, Ho}; };
  const auto c = [&](size_t place) { return kind == Kind::kLstm ? Operand{place, Ho + read, Ho} : Operand{}; };
  const Operand x{kStreams, 0, I}, scratch{kScratch, 0, Ho};
  const auto output = [](size_t k) { return Operand{kStreams + 1 + k, 0, Ho}; };
  program->instructions = {{Op::kCell, {x, Operand{kOld, 0, Ho + read}, kind == Kind::kGru ? h(kOld) : c(kOld)}, {h(kNew), c(kNew)}, program->layers[0].get(), true},
                           {Op::kAttend, {h(kNew), {}, {}}, {Operand{kNew, Ho, read}, {}}, nullptr, false},
                           {Op::kCopy, {h(kNew), {}, {}}, {output(0), {}}, nullptr, false},
                           {Op::kSum, {h(kNew), x, {}}, {scratch, {}}, nullptr, false},
                           {Op::kSoftmax, {scratch, {}, {}}, {output(1), {}}, nullptr, false},
                           {Op::kProduct, {h(kNew), x, {}}, {scratch, {}}, nullptr, false},
                           {Op::kLogSoftmax, {scratch, {}, {}}, {output(2), {}}, nullptr, false}};
  program->streams.resize(program->instructions.size());
  program->groups = {0};
  program->begin = 0;
  program->read = program->feed = program->instructions.size();
  return program;
}

static void addSequence(Lines& lines, const Kernel& kernel, Kind kind, Score score, Precision precision, size_t rows, size_t members) {
  // The name leaves out the threads, so that every number of threads does the same work.
  const std::string name = std::string("sequence ") + kKinds[int(kind)] + " " + kScores[int(score)] + " " + kPrecisions[int(precision)] + " x" + std::to_string(rows);
  Draw draw(name);
  constexpr size_t steps = 6, most = 37;
  const auto program = decoder(kernel, draw, kind, score, precision);
  Memory memory(program, {most, 1, 20});
  const Buffer supports = draw.floats(memory.supports() * program->support);
  memory.prepare(supports.data(), memory.supports());
  Buffer states[2] = {draw.floats(rows * program->state), Buffer(rows * program->state)};
  Buffer scratch(rows * program->scratch), attention(steps * rows * most);
  std::vector<Buffer> streams{draw.floats(steps * rows * program->inputs[0], 2)};
  for (const Output& output : program->outputs) streams.emplace_back(steps * rows * output.width);

  Run run(*program);
  Call& call = run.call;
  call.rows = rows, call.steps = steps;
  call.first = 0, call.end = program->instructions.size();
  call.states[0] = states[0].data(), call.states[1] = states[1].data();
  call.scratch = scratch.data();
  for (Buffer& stream : streams) call.streams.push_back(stream.data());
  call.attention = attention.data();
  call.attentionWidth = most;
  for (size_t row = 0; row < rows; row++) call.sets.push_back(&memory.sets()[row % 3]);
  run.begin(members);
  Pool pool(members);
  RunJob job(run, members);
  pool.submit(job);
  job.finished.wait(0);
  pool.stop();

  Buffer made = attention;
  for (size_t k = 1; k < streams.size(); k++) made.insert(made.end(), streams[k].begin(), streams[k].end());
  for (size_t row = 0; row < rows; row++) {
    const auto of = states[steps % 2].begin() + row * program->state;
    made.insert(made.end(), of, of + (kind == Kind::kLstm ? program->state : program->reading.width + program->reading.valueWidth));
  }
  lines.add(name + ", " + std::to_string(members) + " threads", made);
}

static void addSequences(Lines& lines, const Kernel& kernel) {
  size_t turn = 0;
  for (const Score score : {Score::kDot, Score::kCosine, Score::kAdditive}) {
    for (const Kind kind : {Kind::kLstm, Kind::kGru, Kind::kRnn}) {
      const Precision precision = static_cast<Precision>((turn++ + int(score)) % 3);
      for (const size_t rows : {1, 5, 30}) {
        for (const size_t members : {1, 3}) addSequence(lines, kernel, kind, score, precision, rows, members);
      }
    }
  }
}

// Sweeps all floats, in strides.
static void addFunctions(Lines& lines, const Kernel& kernel) {
  const auto add = [&](const char* name, void (*function)(const float*, float*, size_t), uint32_t first, uint32_t end) {
    Buffer x;
    for (uint64_t bits = first; bits <= end; bits += 200003) {
      const auto word = static_cast<uint32_t>(bits);
      x.emplace_back();
      std::memcpy(&x.back(), &word, sizeof word);
    }
    Buffer y(x.size());
    function(x.data(), y.data(), x.size());
    lines.add(name, y);
  };
  add("exp", kernel.exp, 0, UINT32_MAX);
  add("log", kernel.log, 0x00800000, 0x7f7fffff);
  add("sigmoid", kernel.sigmoid, 0, UINT32_MAX);
  add("tanh", kernel.tanh, 0, UINT32_MAX);
  for (const size_t count : {1, 2, 3, 15, 17, 1000}) {
    const std::string name = "softmax" + numbers({count});
    Draw draw(name);
    const Buffer x = draw.floats(count, 20);
    Buffer y(count);
    kernel.softmax(x.data(), y.data(), count);
    lines.add(name, y);
    kernel.logSoftmax(x.data(), y.data(), count);
    lines.add("log_" + name, y);
  }
}

static void addDecimals(Lines& lines) {
  Draw draw("decimals");
  std::string written;
  Buffer read;
  for (int n = 0; n < 3000; n++) {
    const uint32_t bits = draw.bits();
    float value;
    std::memcpy(&value, &bits, sizeof bits);
    if (!std::isfinite(value)) continue;
    char text[kMaxDecimal];
    written.append(text, writeDecimal(text, value)) += ' ';
  }
  for (int n = 0; n < 3000; n++) {
    std::string text = std::to_string(draw.bits()) + ".";
    for (int more = 0; more < 2; more++) text += std::to_string(draw.bits());
    if (n % 2 == 0) text += "e" + std::to_string(static_cast<int>(draw.bits() % 80) - 50);
    read.push_back(0);
    if (readDecimal(text.data(), text.data() + text.size(), read.back()) == nullptr) read.back() = -1;
  }
  lines.add("decimals written", written);
  lines.add("decimals read", read);
}

static std::string linesOf(const Kernel& kernel) {
  Lines lines;
  addFunctions(lines, kernel);
  addLayers(lines, kernel);
  addSequences(lines, kernel);
  addDecimals(lines);
  return lines.text();
}

// The line of a text that contains position `at`.
static std::string lineAt(const std::string& text, size_t at) {
  const size_t begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  return begin >= text.size() ? "nothing" : text.substr(begin, text.find('\n', begin) - begin);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(linesOf(*chooseKernel()).c_str(), stdout);
    return 0;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  bool same = true;
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if (!(*kernel)->supported()) continue;
    const std::string found = linesOf(**kernel);
    size_t at = 0;
    while (at < found.size() && at < expected.size() && found[at] == expected[at]) at++;
    if (found == expected) {
      std::printf("%-9s the bits are those of %s\n", (*kernel)->name, argv[1]);
    } else {
      same = false;
      std::printf("%-9s FAILED, other bits than in %s\n  made      %s\n  expected  %s\n", (*kernel)->name, argv[1], lineAt(found, at).c_str(), lineAt(expected, at).c_str());
    }
  }
  return same ? 0 : 1;
}
