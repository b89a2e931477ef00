// A program: the computation for each row of a batch, step by step, as a list of instructions over operands.
// src/engine/program.ts compiles a stage of a network to it; here the weights are packed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "../kernel/kernels.h"
#include "plan.h"

namespace cellserve {

// Places of a row's vectors. `old` is the state before a step, `new` the state after it; scratch lasts for one step. The inputs
// follow, then the outputs.
enum : size_t { kOld, kNew, kScratch, kStreams };

struct Operand {
  size_t place;
  size_t offset;
  size_t width;
};

enum class Op { kCell, kLinear, kSoftmax, kCopy, kSum, kProduct, kAttend, kChoose, kClear, kLogSoftmax };

// What an operation reads and writes, in this order:
//
//     cell      x, h, carry -> out, carryOut, gates      the carries have no width if the cell keeps none besides out, and the gates
//                                                        if it has none, or no call may ask for them
//     linear    x -> out
//     softmax   x -> out                          can be in place; the same for log_softmax
//     copy      x -> out
//     sum       a, b -> out                       the same for product
//     attend    query -> read
//     choose    x, flag -> out                    copied in rows whose flag, one number, is not 0
//     clear     -> out
struct Instruction {
  Op op;
  std::array<Operand, 3> in;
  std::array<Operand, 3> out;
  const Weights* layer;  // of a cell or linear
  bool ahead;            // whether a cell's x is available for all steps before the first
};

struct Output {
  size_t width;
  bool asked;  // written only if a call asks for it
};

struct Program {
  const Kernel* kernel;
  size_t state;    // floats of a row's state
  size_t scratch;  // floats of scratch that a row needs
  std::vector<size_t> inputs;  // widths
  std::vector<Output> outputs;
  std::vector<std::shared_ptr<const Weights>> layers;
  std::vector<Instruction> instructions;
  std::vector<uint64_t> streams;  // of each instruction, one bit per input and output that it reads or writes
  // The instructions before `begin` compute what the first node reads; those from `read` on, the read and the parts for the
  // next step; those from `feed` on, what the first node reads next.
  size_t begin, read, feed;
  // Where each group begins, the first at 0. Groups can run one after the other, each over all steps.
  std::vector<size_t> groups;

  bool attends = false;
  Reading reading{};
  FloatMemory v;                                   // what `reading.v` points to
  size_t support = 0;                              // the width of a support vector
  std::shared_ptr<const Weights> key, value;       // the layers for keys and values; null to use the support itself
  bool valueIsKey = false;

  // The places' widths: state, state, scratch, inputs, outputs.
  size_t width(size_t place) const;
  size_t places() const { return kStreams + inputs.size() + outputs.size(); }
  bool isInput(size_t place) const { return place >= kStreams && place < kStreams + inputs.size(); }
  bool isOutput(size_t place) const { return place >= kStreams + inputs.size(); }

  // Multiply-adds of an instruction for a row, without those for supports; for elementwise instructions, the number of
  // elements.
  static double workOf(const Instruction&);
  // Multiply-adds of a read for each support.
  double workOfRead() const;
  // Bytes of the weights.
  size_t bytes() const;

  // How the members of a team share the instructions; created when first needed.
  const Plan& plan(size_t members) const;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Plan>> plans_;  // by members
};

}  // namespace cellserve
