// Support sets as a program reads them: keys and values, one row after the other.
#pragma once

#include <memory>
#include <vector>

#include "program.h"

namespace cellserve {

class Memory {
 public:
  // Allocates memory for the supports. Their keys and values do not exist until they are prepared.
  // @throws std::bad_alloc
  Memory(std::shared_ptr<const Program>, const std::vector<size_t>& counts);

  const std::vector<Set>& sets() const { return sets_; }
  size_t supports() const { return supports_; }
  size_t prepared() const { return prepared_; }
  bool isReady() const { return prepared_ == supports_; }
  size_t bytes() const { return supports_ * floatsOfSupport() * sizeof(float); }

  // How many supports this much work, in multiply-adds, prepares; at least one.
  size_t reach(double work) const;
  double workOf(size_t supports) const;
  // Prepares the next supports, which are at `from`, row-major.
  void prepare(const float* from, size_t count);

  const Program& program() const { return *program_; }

 private:
  size_t floatsOfSupport() const;
  void fill(const Weights*, const float* from, size_t count, float* to, size_t width) const;

  const std::shared_ptr<const Program> program_;
  std::vector<Set> sets_;
  size_t supports_ = 0;
  size_t prepared_ = 0;
  FloatMemory keys_, ownValues_, inverses_;
};

}  // namespace cellserve
