#include <cstring>

#include "kernels.h"

namespace cellserve {

extern const Kernel kAvx512, kAvx2, kNeon, kPortable, kAvx2x16;

const Kernel* const kKernels[] = {
#if defined(__x86_64__)
    &kAvx512, &kAvx2, &kPortable, &kAvx2x16,
#elif defined(__aarch64__)
    &kNeon, &kPortable,
#else
    &kPortable,
#endif
    nullptr};

const Kernel* chooseKernel(const char* name) {
  for (const Kernel* const* kernel = kKernels; *kernel != nullptr; kernel++) {
    if ((name == nullptr || std::strcmp(name, (*kernel)->name) == 0) && (*kernel)->supported()) return *kernel;
  }
  return nullptr;
}

}  // namespace cellserve
