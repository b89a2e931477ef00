// JSON of tensors:
//
//     createReader(fields, mostNumbers) -> (bytes) -> undefined | { rest, values, layout }
//     writeTensor(data, ...shape) -> string
//
// `fields` are names as `x` and `context/vectors`. `rest` is the document with a 0 for each tensor, `values` their numbers,
// and `layout` has of each: the field's index, the rank, three sizes, how many row lengths follow, and those. A reader
// returns undefined where the plain one has to judge the document.
#pragma once

#include <node_api.h>

namespace cellserve {

napi_value createReader(napi_env, napi_callback_info);
napi_value writeTensor(napi_env, napi_callback_info);

}  // namespace cellserve
