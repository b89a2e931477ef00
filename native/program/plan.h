// How the members of a team share a program's instructions, and where they have to meet.
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
  std::vector<Columns> columns;         // of one that goes number by number
};

struct Step {
  bool meet = false;  // all members, before this instruction
  std::vector<Part> parts;
};

// Cells and linear layers are shared out by panels, instructions that go number by number by the columns that a member has
// made already, where it has, and those of a whole row, softmax and attention, by rows: there everybody writes.
//
// Members meet before an instruction of which one reads, or overwrites, what another has written since they last met, or
// overwrites what another has read. A group's instructions run over and over, so that holds across the end of a step.
struct Plan {
  std::vector<Step> steps;  // one an instruction
  size_t meets = 0;         // in the instructions of a step

  Plan(const Program&, size_t members);
};

}  // namespace cellserve
