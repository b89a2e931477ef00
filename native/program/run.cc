#include "run.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace cellserve {
namespace {

// A few rows compute their sums of x for several steps at once: that fills the kernel's blocks, reads the weights of x once for
// all these steps, and leaves the cache to the weights of h. More rows fill the blocks by themselves, and compute both halves
// at once.
constexpr size_t kChunkRows = 96, kFewRows = 24;

// The scores of a tile of rows stay in the L2 cache, and a tile has enough rows for the kernel's blocks.
constexpr size_t kTileFloats = 1 << 16, kLeastTile = 6, kMostTile = 64;

template <typename Do>
void eachNumber(size_t rows, const Part& part, Do act) {
  for (size_t row = 0; row < rows; row++) {
    for (const auto& [begin, end] : part.columns) act(row, begin, end);
  }
}

}  // namespace

Vectors Run::at(const Operand& operand, size_t step) const {
  const Place& place = places_[operand.place <= kNew ? (operand.place + step) % 2 : operand.place];
  return {place.data + step * place.step + operand.offset, place.row};
}

void Run::begin(size_t members) {
  const auto& [rows, steps, first, end, states, scratch, streams, repeated, asked, attention, attentionWidth, sets] = call;
  plan_ = &program_.plan(members);
  places_.clear();
  places_.push_back({states[0], program_.state, 0});
  places_.push_back({states[1], program_.state, 0});
  places_.push_back({scratch, program_.scratch, 0});
  for (size_t place = kStreams; place < program_.places(); place++) {
    const size_t width = program_.width(place);
    const bool same = program_.isInput(place) && (repeated >> (place - kStreams) & 1) != 0;
    places_.push_back({streams[place - kStreams], width, same ? 0 : rows * width});
  }

  size_t floats = 0;
  aheads_.clear();
  if (steps > 1) {
    for (size_t i = first; i < end; i++) {
      const Instruction& instruction = program_.instructions[i];
      if (!instruction.ahead) continue;
      const bool same = places_[instruction.in[0].place].step == 0;
      const size_t chunk = same || rows >= kFewRows ? 1 : std::min(steps, kChunkRows / rows);
      if (!same && chunk == 1) continue;
      aheads_.push_back({i, chunk, same, nullptr});
      floats += chunk * rows * instruction.layer->panels() * kSums * program_.kernel->lanes;
    }
  }
  size_t shared = 0, perMember = 0;
  if (!sets.empty()) {
    layOutAttention(members);
    shared = byRows_ ? 0 : rows * scoreStride_;
    perMember = tile_ * (scoreStride_ + padded(program_.reading.width));
  }
  floats += shared + members * perMember;

  if (floats > arenaFloats_) {
    arena_.reset();
    arenaFloats_ = 0;
    arena_ = allocateFloats(floats);
    arenaFloats_ = floats;
  }
  float* free = arena_.get();
  for (Ahead& ahead : aheads_) {
    ahead.sums = free;
    free += ahead.chunk * rows * program_.instructions[ahead.instruction].layer->panels() * kSums * program_.kernel->lanes;
  }
  sharedScores_ = free;
  privateScores_ = sharedScores_ + shared;
  privateQueries_ = privateScores_ + members * tile_ * scoreStride_;
}

void Run::work(size_t member, Team& team) {
  const auto& groups = program_.groups;
  bool begun = false;
  for (size_t group = 0; group < groups.size(); group++) {
    const size_t begin = std::max(call.first, groups[group]);
    const size_t end = std::min(call.end, group + 1 < groups.size() ? groups[group + 1] : call.end);
    if (begin >= end) continue;
    if (begun && !team.meet()) return;
    begun = false;  // the first instruction has nothing to wait for
    for (size_t step = 0; step < call.steps; step++) {
      for (size_t i = begin; i < end; i++) {
        if (plan_->steps[i].meet && begun && !team.meet()) return;
        begun = true;
        execute(i, step, member, team);
      }
      // A single thread waits for nobody, but its job can be cancelled.
      if (team.members == 1 && !team.meet()) return;
    }
  }
}

// Anything other than an output is always needed.
bool Run::isAsked(const Operand& operand) const {
  if (!program_.isOutput(operand.place)) return true;
  const size_t output = operand.place - kStreams - program_.inputs.size();
  return !program_.outputs[output].asked || (call.asked >> output & 1) != 0;
}

void Run::execute(size_t index, size_t step, size_t member, Team& team) {
  const Instruction& instruction = program_.instructions[index];
  const Part& part = plan_->steps[index].parts[member];
  if (!isAsked(instruction.out[0])) return;
  const Op op = instruction.op;
  const auto& in = instruction.in;
  const auto& out = instruction.out;
  const Vectors to = at(out[0], step);
  switch (op) {
    case Op::kCell:
    case Op::kLinear: {
      const auto found = std::find_if(aheads_.begin(), aheads_.end(), [&](const Ahead& one) { return one.instruction == index; });
      return passLayer(instruction, found == aheads_.end() ? nullptr : &*found, step, part);
    }
    case Op::kSoftmax:
    case Op::kLogSoftmax: {
      const Vectors x = at(in[0], step);
      const Share rows = share(call.rows, member, team.members);
      const auto make = op == Op::kSoftmax ? program_.kernel->softmax : program_.kernel->logSoftmax;
      for (size_t row = rows.begin; row < rows.end; row++) make(x.row(row), to.row(row), out[0].width);
      return;
    }
    case Op::kCopy: {
      const Vectors x = at(in[0], step);
      return eachNumber(call.rows, part, [&](size_t row, size_t begin, size_t end) {
        std::memcpy(to.row(row) + begin, x.row(row) + begin, (end - begin) * sizeof(float));
      });
    }
    case Op::kSum:
    case Op::kProduct: {
      const Vectors a = at(in[0], step), b = at(in[1], step);
      return eachNumber(call.rows, part, [&](size_t row, size_t begin, size_t end) {
        const float *one = a.row(row), *other = b.row(row);
        float* result = to.row(row);
        if (op == Op::kSum) {
          for (size_t i = begin; i < end; i++) result[i] = one[i] + other[i];
        } else {
          for (size_t i = begin; i < end; i++) result[i] = one[i] * other[i];
        }
      });
    }
    case Op::kChoose: {
      const Vectors x = at(in[0], step), flag = at(in[1], step);
      return eachNumber(call.rows, part, [&](size_t row, size_t begin, size_t end) {
        if (*flag.row(row) != 0) std::memcpy(to.row(row) + begin, x.row(row) + begin, (end - begin) * sizeof(float));
      });
    }
    case Op::kClear:
      return eachNumber(call.rows, part, [&](size_t row, size_t begin, size_t end) { std::fill(to.row(row) + begin, to.row(row) + end, 0.0f); });
    case Op::kAttend: return attend(instruction, step, member, team);
  }
}

void Run::passLayer(const Instruction& instruction, const Ahead* ahead, size_t step, const Part& part) const {
  const auto& [op, in, out, layer, isAhead] = instruction;
  const Kernel& kernel = *program_.kernel;
  Pass pass{};
  pass.rows = call.rows;
  pass.part = Pass::kWhole;
  pass.x = at(in[0], step);
  pass.h = at(in[1], step);
  pass.carry = at(in[2], step);
  pass.carryOut = at(out[1], step);
  if (out[1].width == 0) pass.carryOut.data = nullptr;
  pass.out = at(out[0], step);
  if (out[2].width > 0 && isAsked(out[2])) pass.gates = at(out[2], step);
  if (ahead != nullptr) {
    const size_t inChunk = ahead->repeated ? step : step % ahead->chunk;
    pass.sums = ahead->sums;
    pass.sumRows = ahead->chunk * call.rows;
    if (inChunk == 0) {
      // The rows of these steps are contiguous.
      Pass input = pass;
      input.part = Pass::kInput;
      input.rows = std::min(ahead->chunk, call.steps - step) * call.rows;
      kernel.pass(*layer, input, part.firstPanel, part.endPanel);
    }
    pass.part = Pass::kHidden;
    pass.sums += step % ahead->chunk * call.rows * kSums * kernel.lanes;
  }
  kernel.pass(*layer, pass, part.firstPanel, part.endPanel);
}

// Many rows are divided among the members by how much they read. For few rows, every member scores a part of the supports, and
// sums up a part of the columns.
void Run::layOutAttention(size_t members) {
  const auto& sets = call.sets;
  order_.resize(call.rows);
  for (size_t row = 0; row < call.rows; row++) order_[row] = row;
  const auto before = [&](size_t a, size_t b) { return std::less<const Set*>()(sets[a], sets[b]); };
  if (!std::is_sorted(order_.begin(), order_.end(), before)) std::stable_sort(order_.begin(), order_.end(), before);

  size_t most = 0, total = 0;
  for (const Set* set : sets) {
    most = std::max(most, set->count);
    total += 1 + set->count;
  }
  scoreStride_ = padded(most);
  tile_ = std::min(call.rows, std::max(kLeastTile, std::min(kMostTile, kTileFloats / std::max<size_t>(scoreStride_, 1))));
  byRows_ = members == 1 || call.rows >= 2 * members;
  bounds_.assign(1, 0);
  if (!byRows_) return;
  size_t sum = 0;
  for (size_t position = 0; position < call.rows; position++) {
    while (bounds_.size() < members && sum * members >= total * bounds_.size()) bounds_.push_back(position);
    sum += 1 + sets[order_[position]]->count;
  }
  bounds_.resize(members + 1, call.rows);
}

// The end of the tile that begins at this position. All rows of a tile read one set.
size_t Run::tileEnd(size_t position, size_t end) const {
  size_t next = position + 1;
  while (next < end && next < position + tile_ && call.sets[order_[next]] == call.sets[order_[position]]) next++;
  return next;
}

// Computes the scores of a tile with a range of its supports.
void Run::score(size_t first, size_t count, Vectors queries, Vectors scores, const Vectors& from, size_t begin, size_t end) const {
  const size_t width = program_.reading.width;
  for (size_t i = 0; i < count; i++) {
    float* query = queries.row(i);
    std::copy_n(from.row(order_[first + i]), width, query);
    std::fill(query + width, query + queries.stride, 0.0f);
  }
  program_.kernel->score(program_.reading, *call.sets[order_[first]], count, queries, scores, begin, end);
}

void Run::attend(const Instruction& instruction, size_t step, size_t member, Team& team) {
  const Reading& reading = program_.reading;
  const Kernel& kernel = *program_.kernel;
  const Vectors query = at(instruction.in[0], step), to = at(instruction.out[0], step);
  const Vectors queries{privateQueries_ + member * tile_ * padded(reading.width), padded(reading.width)};
  const Vectors scores{privateScores_ + member * tile_ * scoreStride_, scoreStride_};
  float* out[kMostTile];

  // Computes a tile's reads from its scores, for some of the columns.
  const auto finish = [&](size_t first, size_t end, Vectors from, size_t column, size_t columnEnd, bool tell) {
    const Set& set = *call.sets[order_[first]];
    for (size_t i = 0; first + i < end; i++) {
      const size_t row = order_[first + i];
      out[i] = to.row(row);
      kernel.softmax(from.row(i), scores.row(i), set.count);
      if (!tell || call.attention == nullptr) continue;
      float* weights = call.attention + (step * call.rows + row) * call.attentionWidth;
      std::copy_n(scores.row(i), set.count, weights);
      std::fill(weights + set.count, weights + call.attentionWidth, 0.0f);
    }
    if (column < columnEnd) kernel.read(reading, set, end - first, scores, out, column, columnEnd);
  };

  if (byRows_) {
    for (size_t first = bounds_[member], end; first < bounds_[member + 1]; first = end) {
      end = tileEnd(first, bounds_[member + 1]);
      score(first, end - first, queries, scores, query, 0, call.sets[order_[first]]->count);
      finish(first, end, scores, 0, reading.valueWidth, true);
    }
    return;
  }

  const auto shareOf = [&](size_t count) {
    const Share blocks = share(padded(count) / kPartialSums, member, team.members);
    return Share{blocks.begin * kPartialSums, std::min(blocks.end * kPartialSums, count)};
  };
  const auto shared = [&](size_t position) { return Vectors{sharedScores_ + position * scoreStride_, scoreStride_}; };
  for (size_t first = 0, end; first < call.rows; first = end) {
    end = tileEnd(first, call.rows);
    const Share supports = shareOf(call.sets[order_[first]]->count);
    score(first, end - first, queries, shared(first), query, supports.begin, supports.end);
  }
  if (!team.meet()) return;
  const Share columns = shareOf(reading.valueWidth);
  for (size_t first = 0, end; first < call.rows; first = end) {
    end = tileEnd(first, call.rows);
    finish(first, end, shared(first), columns.begin, columns.end, member == 0);
  }
}

}  // namespace cellserve
