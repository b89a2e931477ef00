// The packed layers of an engine's programs. Those that are equal are one: a step of the bare network reads the same weights as
// a sequence does, in a program of its own. Several threads may load programs at once.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../kernel/kernels.h"

namespace cellserve {

class PackedLayers {
 public:
  // Returns the equal one that some program has already, if there is one.
  std::shared_ptr<const Weights> share(Weights&&);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<const Weights>> known_;
};

}  // namespace cellserve
