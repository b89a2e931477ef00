#include "packed.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cellserve {
namespace {

// Compares bit by bit: padding is zeros.
bool equal(const Weights& a, const Weights& b) {
  return a.kernel == b.kernel && a.kind == b.kind && a.activation == b.activation && a.slope == b.slope && a.precision == b.precision && a.sizes.I == b.sizes.I &&
         a.sizes.Hi == b.sizes.Hi && a.sizes.Ho == b.sizes.Ho && std::memcmp(a.data.get(), b.data.get(), a.bytes()) == 0;
}

}  // namespace

std::shared_ptr<const Weights> PackedLayers::share(Weights&& packed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(std::remove_if(known_.begin(), known_.end(), [](const auto& one) { return one.expired(); }), known_.end());
  for (const auto& one : known_) {
    const auto known = one.lock();
    if (equal(*known, packed)) return known;
  }
  auto fresh = std::make_shared<const Weights>(std::move(packed));
  known_.push_back(fresh);
  return fresh;
}

}  // namespace cellserve
