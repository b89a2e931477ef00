// What an x64 CPU and its operating system support. __builtin_cpu_supports cannot be used: with Zig's runtime library it
// returns false.
#pragma once

#include <cpuid.h>

namespace {

// The registers that the system must save, as bits of xgetbv.
constexpr unsigned kYmm = 0x06;
#ifdef __APPLE__
constexpr unsigned kZmm = kYmm;  // macOS saves AVX-512's registers from their first use on
#else
constexpr unsigned kZmm = 0xe6;
#endif

// Whether the CPU has these bits of cpuid, in ecx of leaf 1 and ebx of leaf 7, and the system saves these registers.
inline bool runs(unsigned first, unsigned seventh, unsigned registers) {
  unsigned eax, ebx, ecx, edx;
  first |= bit_OSXSAVE;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & first) != first) return false;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (ebx & seventh) != seventh) return false;
  __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (eax & registers) == registers;
}

}  // namespace
