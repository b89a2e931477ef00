// JSON of tensors:
//
//     createReader(known, tensors, mostNumbers, mostRest) -> (bytes) -> undefined | { rest, values, layout }
//     writeTensor(data, ...shape) -> string
//
// `known` are the document's own fields; `tensors` are names such as `x` and `context/vectors`. `rest` is the document with a 0
// in place of each tensor. `values` contains the tensors' numbers. `layout` contains for each tensor: the field's index, the
// rank, three sizes, how many numbers it has, how many row lengths follow, and those lengths. A reader returns undefined if the
// plain reader has to judge the document.
#pragma once

#include <node_api.h>

namespace cellserve {

napi_value createReader(napi_env, napi_callback_info);
napi_value writeTensor(napi_env, napi_callback_info);

}  // namespace cellserve
