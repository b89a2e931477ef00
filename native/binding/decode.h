// A program as src/engine/encode.ts writes it: words, and the tensors that they refer to, in order of use.
//
//     how matrices are held (0 float32, 1 bfloat16, 2 int8); widths of state and scratch; begin, read, feed
//     how many inputs, and the width of each; how many outputs, and of each the width and whether it must be asked for
//     how many groups, and where each begins
//     how many layers, and each; whether there is a read (0, 1), and the read; how many instructions, and each
//
// A layer is encoded as its kind (0 lstm, 1 gru, 2 rnn, 3 linear), activation (0 none, 1 tanh, 2 relu, 3 sigmoid), I, Hi and
// Ho, with the tensors weightIh, weightHh, biasIh, biasHh; a linear layer has only weight and bias. A cell also has a word that
// says whether its gates use a hard sigmoid (0, 1), with the slope as a tensor of one number. A read is encoded as its score (0
// dot, 1 cosine, 2 additive), activation, the widths of query, value and support, whether a layer computes the keys (0, 1),
// that layer, what the values are (0 the support, 1 the key, 2 the output of a layer), and that layer; with the scale as a
// tensor of one number, and v if the score is additive. An instruction is its operation, the index of its layer, and six
// operands: three that it reads, three that it writes. An operand is its place (0 old, 1 new, 2 scratch, 3 input, 4 output),
// index, offset and width.
#pragma once

#include <memory>
#include <vector>

#include "../program/packed.h"
#include "../program/program.h"
#include "arguments.h"

namespace cellserve {

// @throws Refusal if the program is malformed or refers to anything out of range: a decoded program is safe to run.
std::shared_ptr<const Program> decode(const Kernel&, PackedLayers&, Numbers<int32_t> words, const std::vector<Floats>& tensors);

}  // namespace cellserve
