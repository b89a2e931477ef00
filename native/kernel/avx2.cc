#define CELLSERVE_NAME "avx2"
#define CELLSERVE_KERNEL kAvx2
#define CELLSERVE_LANES 8
#define CELLSERVE_ROWS 3
#include "kernel.h"

namespace {
bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace
