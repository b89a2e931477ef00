// Reports the tests' failures; after twenty, the tests stop.
#pragma once

#include <cstdio>
#include <cstdlib>

static int failures = 0;

#define EXPECT(condition, ...)                                   \
  if (!(condition)) {                                            \
    std::printf("FAILED %s:%d: ", __FILE__, __LINE__);           \
    std::printf(__VA_ARGS__);                                    \
    std::printf("\n");                                           \
    if (++failures > 20) std::exit(1);                           \
  }
