#include "plan.h"

#include <algorithm>

#include "program.h"
#include "threads.h"

namespace cellserve {
namespace {

constexpr size_t kNobody = SIZE_MAX, kMany = SIZE_MAX - 1;

// A number of a row while a group runs: the member that made it, and those that have written or read it since the last meeting.
struct Number {
  size_t maker = kNobody;
  size_t writer = kNobody;
  size_t reader = kNobody;
};

using Place = std::vector<Number>;

bool isNumberByNumber(Op op) {
  return op == Op::kCopy || op == Op::kSum || op == Op::kProduct || op == Op::kChoose || op == Op::kClear;
}

bool has(const Operand& operand) { return operand.width > 0; }

// Follows the instructions of a group in the order in which the members of a team run them.
class Walk {
 public:
  Walk(const Program& program, size_t members) : members_(members) {
    for (size_t place = 0; place < program.places(); place++) places_.emplace_back(program.width(place));
  }

  // Assigns each of an instruction's numbers to the member that made what it reads or, for a choice, what it overwrites.
  void share(const Instruction& instruction, Step& step) {
    const Operand& out = instruction.out[0];
    const Operand& from = instruction.op == Op::kChoose || !has(instruction.in[0]) ? out : instruction.in[0];
    constexpr size_t kLine = 16;
    const size_t lines = (out.width + kLine - 1) / kLine;
    size_t member = 0;
    for (size_t column = 0; column < out.width; column++) {
      const size_t maker = places_[from.place][from.offset + column].maker;
      while (cellserve::share(lines, member, members_).end * kLine <= column) member++;
      const size_t owner = maker < members_ ? maker : member;
      auto& columns = step.parts[owner].columns;
      if (columns.empty() || columns.back().end != column) columns.push_back({column, column});
      columns.back().end++;
    }
  }

  // Records which member makes each number.
  void make(const Instruction& instruction, const Step& step) {
    each(instruction.out, [&](const Operand& out) {
      own(instruction, step, out, [&](Number& number, size_t member) { number.maker = member; });
    });
  }

  // Whether the members must meet before the instruction.
  bool mustMeet(const Instruction& instruction, const Step& step) {
    bool must = false;
    read(instruction, step, [&](Number& number, size_t member) {
      must |= number.writer != kNobody && (number.writer != member || member == kMany);
    });
    each(instruction.out, [&](const Operand& out) {
      own(instruction, step, out, [&](Number& number, size_t member) {
        must |= number.writer != kNobody && (number.writer != member || member == kMany);
        must |= number.reader != kNobody && (number.reader != member || member == kMany);
      });
    });
    // Successive reads keep their scores in the same memory.
    return must || (instruction.op == Op::kAttend && scored_);
  }

  void meet() {
    for (Place& place : places_) {
      for (Number& number : place) number.writer = number.reader = kNobody;
    }
    scored_ = false;
  }

  void run(const Instruction& instruction, const Step& step) {
    read(instruction, step, [&](Number& number, size_t member) {
      number.reader = number.reader == kNobody || number.reader == member ? member : kMany;
    });
    each(instruction.out, [&](const Operand& out) {
      own(instruction, step, out, [&](Number& number, size_t member) { number.writer = number.maker = member; });
    });
    scored_ |= instruction.op == Op::kAttend;
  }

  // The next step's old state is this one's new state. Its inputs and outputs are elsewhere in memory.
  void turn() {
    std::swap(places_[kOld], places_[kNew]);
    for (size_t place = kStreams; place < places_.size(); place++) places_[place].assign(places_[place].size(), {});
  }

 private:
  template <typename Operands, typename Do>
  static void each(const Operands& operands, Do act) {
    for (const Operand& operand : operands) {
      if (has(operand)) act(operand);
    }
  }

  // Calls act(number, member) for each number that an instruction writes.
  template <typename Do>
  void own(const Instruction& instruction, const Step& step, const Operand& out, Do act) {
    Number* numbers = &places_[out.place][out.offset];
    if (isNumberByNumber(instruction.op)) {
      for (size_t member = 0; member < members_; member++) {
        for (const auto& [begin, end] : step.parts[member].columns) {
          for (size_t column = begin; column < end; column++) act(numbers[column], member);
        }
      }
    } else if (instruction.layer != nullptr) {
      // One number per unit; for gates, one per unit of each gate.
      const size_t units = instruction.layer->units(), Ho = instruction.layer->sizes.Ho;
      for (size_t member = 0; member < members_; member++) {
        const Part& part = step.parts[member];
        for (size_t gate = 0; gate < out.width; gate += Ho) {
          for (size_t unit = part.firstPanel * units; unit < std::min(part.endPanel * units, Ho); unit++) act(numbers[gate + unit], member);
        }
      }
    } else {
      for (size_t column = 0; column < out.width; column++) act(numbers[column], kMany);
    }
  }

  template <typename Do>
  void read(const Instruction& instruction, const Step& step, Do act) {
    // An instruction that is divided by panels or rows reads all its operands on every thread, except a carry, of which each
    // thread reads the part that it writes.
    size_t index = 0;
    for (const Operand& in : instruction.in) {
      const bool alike = isNumberByNumber(instruction.op) ? !(instruction.op == Op::kChoose && index == 1)
                                                          : instruction.op == Op::kCell && index == 2;
      index++;
      if (!has(in)) continue;
      if (alike) {
        own(instruction, step, in, act);
      } else {
        for (size_t column = 0; column < in.width; column++) act(places_[in.place][in.offset + column], kMany);
      }
    }
  }

  const size_t members_;
  std::vector<Place> places_;
  bool scored_ = false;
};

}  // namespace

Plan::Plan(const Program& program, size_t members) : steps(program.instructions.size()) {
  for (size_t i = 0; i < steps.size(); i++) {
    const Instruction& instruction = program.instructions[i];
    steps[i].parts.resize(members);
    for (size_t member = 0; member < members; member++) {
      Part& part = steps[i].parts[member];
      if (instruction.layer != nullptr) {
        const Share panels = share(instruction.layer->panels(), member, members);
        part.firstPanel = panels.begin, part.endPanel = panels.end;
      } else if (members == 1 && isNumberByNumber(instruction.op)) {
        part.columns = {{0, instruction.out[0].width}};
      }
    }
  }
  if (members == 1) return;

  for (size_t group = 0; group < program.groups.size(); group++) {
    const size_t begin = program.groups[group];
    const size_t end = group + 1 < program.groups.size() ? program.groups[group + 1] : steps.size();
    Walk walk(program, members);
    const auto through = [&](auto act) {
      for (size_t i = begin; i < end; i++) act(program.instructions[i], steps[i]);
      walk.turn();
    };
    // The members that made the old state are known only after a step, and later still if parts of the state move.
    for (int round = 0; round < 3; round++) {
      through([&](const Instruction& instruction, Step& step) {
        if (isNumberByNumber(instruction.op)) {
          for (Part& part : step.parts) part.columns.clear();
          walk.share(instruction, step);
        }
        walk.make(instruction, step);
      });
    }
    // From here on the shares are fixed. Once a step that continues from the one before it needs no new meeting, no later step
    // will: what has been written and read since the last meeting is then the same at the end of each step.
    for (size_t quiet = 0; quiet < 4; quiet++) {
      through([&](const Instruction& instruction, Step& step) {
        if (!step.meet && walk.mustMeet(instruction, step)) step.meet = true, quiet = 0;
        if (step.meet) walk.meet();
        walk.run(instruction, step);
      });
    }
  }
  for (const Step& step : steps) meets += step.meet ? 1 : 0;
}

}  // namespace cellserve
