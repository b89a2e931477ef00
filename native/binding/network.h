// A loaded program as JavaScript sees it:
//
//     load(words, tensors) -> { batch, remember, dispose }        see decode.h
//     loadBeside(words, tensors) -> a promise of the same         off the event loop; until it settles, the tensors' memory must
//                                                                 stay in place, so do not transfer it
//     batch(maxRows)                                              see batch.h
//     remember(counts)                                            see memory.h
//     dispose()
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "../program/memory.h"
#include "engine.h"

namespace cellserve {

struct Loaded {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<const Program> program;  // null after disposal
  // The memories that JavaScript holds, by id; ids are never reused.
  std::unordered_map<uint64_t, std::weak_ptr<const Memory>> memories;
  uint64_t lastMemory = 0;

  ~Loaded() { dispose(); }
  void dispose();
  // @throws Refusal after disposal.
  const std::shared_ptr<const Program>& live() const;
};

napi_value load(napi_env, napi_callback_info);
napi_value loadBeside(napi_env, napi_callback_info);

}  // namespace cellserve
