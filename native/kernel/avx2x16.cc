// A stand-in for AVX-512 on a CPU without it, with the same vector width and blocks: with it, tests show that neither affects
// the bits.
#define CELLSERVE_NAME "avx2x16"
#define CELLSERVE_KERNEL kAvx2x16
#define CELLSERVE_LANES 16
#define CELLSERVE_ROWS 6
#include "cpu.h"
#include "kernel.h"

namespace {
bool supported() { return runs(bit_FMA, bit_AVX2, kYmm); }
}  // namespace
