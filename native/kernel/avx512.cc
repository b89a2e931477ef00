#define CELLSERVE_NAME "avx512"
#define CELLSERVE_KERNEL kAvx512
#define CELLSERVE_LANES 16
#define CELLSERVE_ROWS 6
#include "cpu.h"
#include "kernel.h"

namespace {
bool supported() { return runs(bit_FMA, bit_AVX2 | bit_AVX512F, kZmm); }
}  // namespace
