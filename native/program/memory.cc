#include "memory.h"

#include <algorithm>

namespace cellserve {
namespace {

// Writing a number to memory that is not mapped yet takes about as long as this many multiply-adds.
constexpr double kWorkOfWrite = 64;

// Whether the values are the keys, so that one copy serves as both.
bool isShared(const Program& program) { return program.valueIsKey || (program.key == nullptr && program.value == nullptr); }

}  // namespace

Memory::Memory(std::shared_ptr<const Program> program, const std::vector<size_t>& counts) : program_(std::move(program)) {
  const Reading& reading = program_->reading;
  for (const size_t count : counts) supports_ += count;
  keys_ = allocateFloats(supports_ * padded(reading.width));
  if (!isShared(*program_)) ownValues_ = allocateFloats(supports_ * padded(reading.valueWidth));
  if (reading.score == Score::kCosine) inverses_ = allocateFloats(supports_);
  const float* values = isShared(*program_) ? keys_.get() : ownValues_.get();
  sets_.reserve(counts.size());
  size_t first = 0;
  for (const size_t count : counts) {
    sets_.push_back({count, keys_.get() + first * padded(reading.width), inverses_ == nullptr ? nullptr : inverses_.get() + first,
                     values + first * padded(reading.valueWidth)});
    first += count;
  }
}

size_t Memory::floatsOfSupport() const {
  const Reading& reading = program_->reading;
  return padded(reading.width) + (ownValues_ == nullptr ? 0 : padded(reading.valueWidth)) + (inverses_ == nullptr ? 0 : 1);
}

double Memory::workOf(size_t supports) const {
  const auto of = [](const Weights* layer) { return layer == nullptr ? 0 : static_cast<double>(layer->sizes.I) * static_cast<double>(layer->sizes.Ho); };
  return static_cast<double>(supports) * (kWorkOfWrite * static_cast<double>(floatsOfSupport()) + of(program_->key.get()) + of(program_->value.get()));
}

size_t Memory::reach(double work) const {
  const size_t left = supports_ - prepared_;
  const double count = work / workOf(1);
  if (!(count < static_cast<double>(left))) return left;
  return std::max<size_t>(1, static_cast<size_t>(count));
}

void Memory::prepare(const float* from, size_t count) {
  const Reading& reading = program_->reading;
  float* keys = keys_.get() + prepared_ * padded(reading.width);
  fill(program_->key.get(), from, count, keys, reading.width);
  if (ownValues_ != nullptr) {
    fill(program_->value.get(), from, count, ownValues_.get() + prepared_ * padded(reading.valueWidth), reading.valueWidth);
  }
  if (inverses_ != nullptr) {
    program_->kernel->inverses(count, {keys, padded(reading.width)}, padded(reading.width), inverses_.get() + prepared_);
  }
  prepared_ += count;
}

// Writes supports, or a layer's output for them, to rows padded with zeros.
void Memory::fill(const Weights* layer, const float* from, size_t count, float* to, size_t width) const {
  const size_t stride = padded(width);
  for (size_t i = 0; i < count; i++) {
    if (layer == nullptr) std::copy_n(from + i * width, width, to + i * stride);
    std::fill(to + i * stride + width, to + (i + 1) * stride, 0.0f);
  }
  if (layer == nullptr) return;
  Pass pass{};
  pass.rows = count;
  pass.part = Pass::kWhole;
  pass.x = {const_cast<float*>(from), layer->sizes.I};
  pass.out = {to, stride};
  layer->kernel->pass(*layer, pass, 0, layer->panels());
}

}  // namespace cellserve
