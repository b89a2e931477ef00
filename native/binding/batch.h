// A batch as JavaScript sees it: buffers in the engine's own memory, and calls that work on them.
//
//     batch(maxRows) -> { states, input, output, attention, advance, start, peek, dispose }
//     states: [Float32Array, Float32Array]
//     input(k, floats) -> Float32Array                the same for output; attention(floats)
//     advance(rows, steps, repeated, asked, attention, attached) -> undefined | Promise
//     start(rows, from, to, attention, attached) -> undefined | Promise
//     peek(rows) -> undefined | Promise
//     dispose()
//
// `attached` contains two numbers per row: the memory's id and the set's index. It can be left out if the program reads no
// memory.
#pragma once

#include <node_api.h>

namespace cellserve {

napi_value createBatch(napi_env, napi_callback_info);

}  // namespace cellserve
