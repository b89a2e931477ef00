// Support sets as JavaScript sees them:
//
//     remember(counts) -> { id, prepare, dispose }
//     prepare(support, work) -> boolean | Promise<boolean>      support: all vectors, [sum of counts, D]
//     dispose()
#pragma once

#include <node_api.h>

namespace cellserve {

napi_value remember(napi_env, napi_callback_info);

}  // namespace cellserve
