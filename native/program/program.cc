#include "program.h"

namespace cellserve {

size_t Program::width(size_t place) const {
  if (place == kScratch) return scratch;
  if (place < kScratch) return state;
  const size_t stream = place - kStreams;
  return stream < inputs.size() ? inputs[stream] : outputs[stream - inputs.size()].width;
}

double Program::workOf(const Instruction& instruction) {
  if (instruction.layer == nullptr) return static_cast<double>(instruction.out[0].width);
  const Weights& layer = *instruction.layer;
  const size_t gates = layer.kind == Kind::kLstm ? 4 : layer.kind == Kind::kGru ? 3 : 1;
  return static_cast<double>(gates * layer.sizes.Ho) * static_cast<double>(layer.sizes.I + layer.sizes.Hi);
}

double Program::workOfRead() const { return static_cast<double>(reading.width + reading.valueWidth); }

size_t Program::bytes() const {
  size_t bytes = v == nullptr ? 0 : padded(reading.width) * sizeof(float);
  for (const auto& layer : layers) bytes += layer->bytes();
  if (key != nullptr) bytes += key->bytes();
  if (value != nullptr) bytes += value->bytes();
  return bytes;
}

const Plan& Program::plan(size_t members) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (plans_.size() <= members) plans_.resize(members + 1);
  if (plans_[members] == nullptr) plans_[members] = std::make_unique<const Plan>(*this, members);
  return *plans_[members];
}

}  // namespace cellserve
