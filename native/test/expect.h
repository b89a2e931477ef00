// What the tests say of what they find wrong; after twenty they stop.
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
