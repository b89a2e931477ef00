// For a CPU without a fused multiply-add.
#define CELLSERVE_NAME "portable"
#define CELLSERVE_KERNEL kPortable
#define CELLSERVE_LANES 4
#define CELLSERVE_ROWS 2
#include "kernel.h"

namespace {
bool supported() { return true; }
}  // namespace
