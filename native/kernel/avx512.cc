#define CELLSERVE_NAME "avx512"
#define CELLSERVE_KERNEL kAvx512
#define CELLSERVE_LANES 16
#define CELLSERVE_ROWS 6
#include "kernel.h"

namespace {
bool supported() { return __builtin_cpu_supports("avx512f"); }
}  // namespace
