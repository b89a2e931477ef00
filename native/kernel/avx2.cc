#define CELLSERVE_NAME "avx2"
#define CELLSERVE_KERNEL kAvx2
#define CELLSERVE_LANES 8
#define CELLSERVE_ROWS 3
#include "cpu.h"
#include "kernel.h"

namespace {
bool supported() { return runs(bit_FMA, bit_AVX2, kYmm); }
}  // namespace
