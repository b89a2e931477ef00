#include "decode.h"

#include <algorithm>

namespace cellserve {
namespace {

constexpr size_t kMostInputs = 32;   // one bit each, as for the outputs that are asked for
constexpr size_t kMostOutputs = 64;  // one bit each, together with the inputs
constexpr size_t kMostWidth = size_t{1} << 24;

void require(bool condition, const char* what) {
  if (!condition) throw Refusal{Refusal::kRange, std::string("the program is malformed: ") + what};
}

class Decoder {
 public:
  Decoder(const Kernel& kernel, PackedLayers& packed, Numbers<int32_t> words, const std::vector<Floats>& tensors)
      : packed_(packed), words_(words), tensors_(tensors), program_(std::make_shared<Program>()) {
    program_->kernel = &kernel;
  }

  std::shared_ptr<const Program> decode() {
    Program& program = *program_;
    precision_ = static_cast<Precision>(word(2));
    program.state = word(kMostWidth), program.scratch = word(kMostWidth);
    program.begin = word(), program.read = word(), program.feed = word();
    for (size_t n = word(kMostInputs); n > 0; n--) program.inputs.push_back(word(kMostWidth));
    for (size_t n = word(kMostOutputs - program.inputs.size()); n > 0; n--) {
      const size_t width = word(kMostWidth);
      const bool asked = word(1) == 1;
      require(!asked || program.outputs.size() < kMostInputs, "an output that is asked for comes too late");
      program.outputs.push_back({width, asked});
    }
    for (size_t n = word(); n > 0; n--) program.groups.push_back(word());
    for (size_t n = word(); n > 0; n--) program.layers.push_back(layer());
    program.attends = word(1) == 1;
    if (program.attends) read();
    for (size_t n = word(); n > 0; n--) program.instructions.push_back(instruction());
    require(next_ == words_.length, "there are words left over");
    require(nextTensor_ == tensors_.size(), "there are tensors left over");

    const size_t count = program.instructions.size();
    require(program.begin <= program.read && program.read <= program.feed && program.feed <= count, "its parts are out of order");
    require(!program.groups.empty() && program.groups[0] == 0, "the first group does not begin at 0");
    require(std::is_sorted(program.groups.begin(), program.groups.end()) && program.groups.back() <= count, "its groups are out of order");
    for (size_t group = 0; group < program.groups.size(); group++) {
      lookAhead(program.groups[group], group + 1 < program.groups.size() ? program.groups[group + 1] : count);
    }
    return program_;
  }

 private:
  size_t word(size_t most = INT32_MAX) {
    require(next_ < words_.length, "it ends too soon");
    const int32_t value = words_.data[next_++];
    require(value >= 0 && static_cast<size_t>(value) <= most, "a number is out of range");
    return static_cast<size_t>(value);
  }

  const float* tensor(const char* name, std::initializer_list<size_t> shape) {
    require(nextTensor_ < tensors_.size(), "a tensor is missing");
    const Floats& found = tensors_[nextTensor_++];
    const size_t needed = elements(name, shape);
    if (found.length == needed) return found.data;
    throw Refusal{Refusal::kRange, std::string(name) + " must have " + std::to_string(needed) + " elements, not " + std::to_string(found.length)};
  }

  std::shared_ptr<const Weights> layer() {
    const size_t kind = word(3);
    Layer layer{};
    layer.precision = precision_;
    layer.kind = kind == 0 ? Kind::kLstm : kind == 1 ? Kind::kGru : Kind::kRnn;
    layer.activation = static_cast<Activation>(word(3));
    auto& [I, Hi, Ho] = layer.sizes;
    I = word(), Hi = word(), Ho = word();
    const bool isLinear = kind == 3;
    require(Ho > 0 && (isLinear ? I > 0 && Hi == 0 : Hi > 0), "a layer has no size");
    const size_t rows = (layer.kind == Kind::kLstm ? 4 : layer.kind == Kind::kGru ? 3 : 1) * Ho;
    layer.weightIh = tensor(isLinear ? "weight" : "weightIh", {rows, I});
    if (!isLinear) layer.weightHh = tensor("weightHh", {rows, Hi});
    layer.biasIh = tensor(isLinear ? "bias" : "biasIh", {rows});
    if (!isLinear) layer.biasHh = tensor("biasHh", {rows});
    if (!isLinear) gates(layer);
    return packed_.share(packWeights(*program_->kernel, layer));
  }

  void gates(Layer& layer) {
    require(layer.activation == Activation::kTanh || layer.activation == Activation::kRelu, "a cell has tanh or relu");
    if (word(1) == 0) return;
    layer.slope = *tensor("slope", {1});
    require(layer.kind != Kind::kRnn && layer.slope > 0, "it has no such hard sigmoid");
  }

  std::shared_ptr<const Weights> projection(size_t in, size_t out) {
    auto made = layer();
    require(made->sizes.Hi == 0 && made->sizes.I == in && made->sizes.Ho == out, "a projection has other sizes");
    return made;
  }

  void read() {
    Program& program = *program_;
    Reading& reading = program.reading;
    reading.score = static_cast<Score>(word(2));
    reading.activation = static_cast<Activation>(word(3));
    require(reading.score != Score::kAdditive || reading.activation == Activation::kTanh || reading.activation == Activation::kRelu,
            "an additive score has tanh or relu");
    reading.width = word(kMostWidth), reading.valueWidth = word(kMostWidth), program.support = word(kMostWidth);
    require(reading.width > 0 && reading.valueWidth > 0 && program.support > 0, "a read has no width");
    reading.scale = *tensor("scale", {1});
    if (reading.score == Score::kAdditive) {
      const float* v = tensor("v", {reading.width});
      program.v = allocateFloats(padded(reading.width));
      std::fill_n(program.v.get(), padded(reading.width), 0.0f);
      std::copy_n(v, reading.width, program.v.get());
      reading.v = program.v.get();
    }
    if (word(1) == 1) program.key = projection(program.support, reading.width);
    require(program.key != nullptr || reading.width == program.support, "keys have another width");
    const size_t value = word(2);
    program.valueIsKey = value == 1;
    if (value == 2) program.value = projection(program.support, reading.valueWidth);
    require(value == 2 || reading.valueWidth == (value == 1 ? reading.width : program.support), "values have another width");
  }

  Operand operand() {
    const size_t place = word(4), index = word(), offset = word(), width = word();
    Operand operand{place, offset, width};
    if (place == 3) {
      require(index < program_->inputs.size(), "there is no such input");
      operand.place = kStreams + index;
    } else if (place == 4) {
      require(index < program_->outputs.size(), "there is no such output");
      operand.place = kStreams + program_->inputs.size() + index;
    }
    require(offset + width <= program_->width(operand.place), "an operand reaches past its place");
    return operand;
  }

  Instruction instruction() {
    Instruction made{};
    made.op = static_cast<Op>(word(static_cast<size_t>(Op::kLogSoftmax)));
    const size_t layer = word();
    const bool isLayer = made.op == Op::kCell || made.op == Op::kLinear;
    if (isLayer) {
      require(layer < program_->layers.size(), "there is no such layer");
      made.layer = program_->layers[layer].get();
    }
    for (Operand& in : made.in) in = operand();
    for (Operand& out : made.out) {
      out = operand();
      require(out.width == 0 || !(out.place == kOld || program_->isInput(out.place)), "it writes what may only be read");
    }
    checkWidths(made);
    uint64_t streams = 0;
    const auto note = [&](const Operand& operand) {
      if (operand.width > 0 && operand.place >= kStreams) streams |= uint64_t{1} << (operand.place - kStreams);
    };
    for (const Operand& in : made.in) note(in);
    for (const Operand& out : made.out) note(out);
    program_->streams.push_back(streams);
    return made;
  }

  void checkWidths(Instruction& made) const {
    const auto have = [&](size_t a, size_t b, size_t c, size_t out, size_t second) {
      require(made.in[0].width == a && made.in[1].width == b && made.in[2].width == c && made.out[0].width == out && made.out[1].width == second,
              "an operand has another width");
    };
    const size_t width = made.out[0].width, gates = made.out[2].width;
    require(gates == 0 || (made.op == Op::kCell && gates == made.layer->gates()), "an operand has another width");
    switch (made.op) {
      case Op::kCell: {
        const auto [I, Hi, Ho] = made.layer->sizes;
        require(Hi > 0, "a linear layer is no cell");
        if (made.layer->kind == Kind::kLstm) return have(I, Hi, Ho, Ho, Ho);
        if (made.layer->kind == Kind::kRnn) return have(I, Hi, 0, Ho, 0);
        if (made.in[2].width > 0) return have(I, Hi, Ho, Ho, Ho);
        have(I, Hi, 0, Ho, 0);
        require(Hi == Ho, "a GRU has no last output");
        made.in[2] = made.in[1];
        return;
      }
      case Op::kLinear: require(made.layer->sizes.Hi == 0, "a cell is no linear layer"); return have(made.layer->sizes.I, 0, 0, made.layer->sizes.Ho, 0);
      case Op::kSoftmax:
      case Op::kLogSoftmax:
      case Op::kCopy: return have(width, 0, 0, width, 0);
      case Op::kSum:
      case Op::kProduct: return have(width, width, 0, width, 0);
      case Op::kAttend: require(program_->attends, "there is no read"); return have(program_->reading.width, 0, 0, program_->reading.valueWidth, 0);
      case Op::kChoose: return have(width, 1, 0, width, 0);
      case Op::kClear: return have(0, 0, 0, width, 0);
    }
  }

  // Marks the cells whose x is available before their group's first step: an input, or an output of an earlier group.
  void lookAhead(size_t begin, size_t end) {
    auto& instructions = program_->instructions;
    for (size_t i = begin; i < end; i++) {
      const Operand& x = instructions[i].in[0];
      if (instructions[i].op != Op::kCell || x.width == 0 || x.place < kStreams) continue;
      instructions[i].ahead = std::none_of(instructions.begin() + static_cast<std::ptrdiff_t>(begin), instructions.begin() + static_cast<std::ptrdiff_t>(end),
                                           [&](const Instruction& other) {
                                             return std::any_of(other.out.begin(), other.out.end(), [&](const Operand& out) { return out.place == x.place; });
                                           });
    }
  }

  PackedLayers& packed_;
  const Numbers<int32_t> words_;
  const std::vector<Floats>& tensors_;
  const std::shared_ptr<Program> program_;
  Precision precision_ = Precision::kF32;
  size_t next_ = 0;
  size_t nextTensor_ = 0;
};

}  // namespace

std::shared_ptr<const Program> decode(const Kernel& kernel, PackedLayers& packed, Numbers<int32_t> words, const std::vector<Floats>& tensors) {
  return Decoder(kernel, packed, words, tensors).decode();
}

}  // namespace cellserve
