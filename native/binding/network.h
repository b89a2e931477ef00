// A program that is loaded, as JavaScript holds it:
//
//     load(words, tensors) -> { batch, remember, dispose }        see decode.h
//     loadBeside(words, tensors) -> a promise of the same         off the event loop; until it settles, the tensors' memory stays
//                                                                 as it is: nobody transfers it
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
  std::shared_ptr<const Program> program;  // none once disposed
  // The memories that JavaScript holds, by the numbers that it knows them by: no number is given twice.
  std::unordered_map<uint64_t, std::weak_ptr<const Memory>> memories;
  uint64_t lastMemory = 0;

  ~Loaded() { dispose(); }
  void dispose();
  // @throws Refusal once it has been disposed of.
  const std::shared_ptr<const Program>& live() const;
};

napi_value load(napi_env, napi_callback_info);
napi_value loadBeside(napi_env, napi_callback_info);

}  // namespace cellserve
