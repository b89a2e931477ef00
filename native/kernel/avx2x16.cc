// As wide and as blocked as AVX-512, on a CPU that has it not: a stand-in that lets tests show that neither matters to
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
