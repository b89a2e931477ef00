#define CELLSERVE_NAME "neon"
#define CELLSERVE_KERNEL kNeon
#define CELLSERVE_LANES 4
#define CELLSERVE_ROWS 6
#include "kernel.h"

namespace {
bool supported() { return true; }  // a part of arm64
}  // namespace
