// How the members of a team share a program's instructions, and where they must meet.
#pragma once

#include <cstddef>
#include <vector>

namespace cellserve {

struct Program;

// Columns of a vector.
struct Columns {
  size_t begin, end;
};

// A member's part of an instruction.
struct Part {
  size_t firstPanel = 0, endPanel = 0;  // of a cell or a linear layer
  std::vector<Columns> columns;         // of an elementwise instruction
};

struct Step {
  bool meet = false;  // all members, before this instruction
  std::vector<Part> parts;
};

// Cells and linear layers are divided by panels. Elementwise instructions are divided by columns: a member keeps those that it
// has already made, if any. Instructions on a whole row, softmax and attention, are divided by rows: every member can write
// every column.
//
// Members meet before an instruction in which one of them reads or overwrites what another has written since they last met, or
// overwrites what another has read. A group's instructions run over and over, so this also applies across the end of a step.
struct Plan {
  std::vector<Step> steps;  // one per instruction
  size_t meets = 0;         // per step

  Plan(const Program&, size_t members);
};

}  // namespace cellserve
