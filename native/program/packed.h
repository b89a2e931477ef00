// The packed layers of an engine's programs. Equal layers are shared: a step of the bare network has its own program, but reads
// the same weights as a sequence. Several threads can load programs at once.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../kernel/kernels.h"

namespace cellserve {

class PackedLayers {
 public:
  // Returns an equal layer that a program already has, or otherwise the given one.
  std::shared_ptr<const Weights> share(Weights&&);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<const Weights>> known_;
};

}  // namespace cellserve
