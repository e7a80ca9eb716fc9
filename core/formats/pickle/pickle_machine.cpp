// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickle_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/text.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"
#include "core/formats/pickle/pickle_text.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;

template <typename T>
T load_little(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  static_assert(std::endian::native == std::endian::little);
  return value;
}

PickleValue integer(std::int64_t value) {
  return {.kind = Kind::integer,
          .length = 0,
          .payload = static_cast<std::uint64_t>(value)};
}

constexpr std::array<bool, 256> weights_only_opcodes() {
  std::array<bool, 256> known{};
  for (const pickle_op::Opcode& op : pickle_op::kOpcodes) {
    known[op.byte] = op.in_weights_only;
  }
  return known;
}

}  // namespace

PickleMachine::State::State(const ByteSource& from, const PickleOptions& how)
    : options(how),
      window(from),
      heap(from),
      stack(new PickleCell[kFirstStack]) {
  top = stack.get();
  stack_end = stack.get() + kFirstStack;
}

void PickleMachine::State::broken(std::string_view message) const {
  throw PickleBroken{"pickle-broken", std::string(message)};
}

void PickleMachine::State::problem(std::string_view rule, Severity severity,
                                   std::uint64_t offset, std::string message) {
  if (result.problems.size() < PickleRun::kMaxProblems) {
    result.problems.push_back({.rule = std::string(rule),
                               .severity = severity,
                               .offset = offset,
                               .message = std::move(message)});
  }
}

void PickleMachine::State::grow_stack() {
  const auto used = static_cast<std::size_t>(top - stack.get());
  if (used >= kMaxStack) {
    throw PickleBroken{
        "pickle-limit",
        fmt::format("more than {} values on the stack", kMaxStack)};
  }
  std::unique_ptr<PickleCell[]> larger(new PickleCell[used * 4]);
  std::copy(stack.get(), top, larger.get());
  stack = std::move(larger);
  top = stack.get() + used;
  stack_end = stack.get() + used * 4;
}

PickleCell PickleMachine::State::pop_cell() {
  if (top <= floor()) broken("the stack is empty where a value is needed");
  return *--top;
}

PickleCell* PickleMachine::State::pop_mark() {
  if (marks.empty()) broken("no MARK where one is needed");
  PickleCell* const first = floor();
  marks.pop();
  return first;
}

void PickleMachine::State::fold_to_mark(PickleContainer::Kind kind) {
  PickleCell* const first = pop_mark();
  const auto count = static_cast<std::size_t>(top - first);
  top = first;
  push(heap.make(kind, first, count));
}

/// Called when the next opcode may leave the window or the frame.
void PickleMachine::State::slow_edge() {
  if (opcodes > options.max_opcodes) {
    throw PickleBroken{"pickle-limit", "more opcodes than the limit"};
  }
  const std::uint64_t offset = window.offset_of(window.at);
  if (frame_end != 0 && offset >= frame_end) {
    if (offset > frame_end && spliced == nullptr) {
      result.straddles_frame = true;
      problem("pickle-frame", Severity::medium, opcode_offset,
              "an opcode straddles the end of its FRAME: loaders differ in how "
              "they read on");
    }
    frame_end = 0;
  }
  if (window.end - window.at <
      static_cast<std::ptrdiff_t>(PickleWindow::kLookAhead)) {
    window.refill();
  }
  if (window.at >= window.end) {
    result.is_cut_off = true;
    broken(window.at == window.end ? "the end of the bytes before STOP"
                                   : "the last opcode is cut off");
  }
  if (spliced != nullptr && frame_end != 0) {
    drop_what_straddles();
    edge = window.at;
    return;
  }
  edge =
      window.reaches_end() ? window.end : window.end - PickleWindow::kLookAhead;
  if (frame_end != 0) {
    const std::uint64_t into = frame_end - window.offset_of(window.at);
    if (into < static_cast<std::uint64_t>(edge - window.at)) {
      edge = window.at + into;
    }
  }
}

void PickleMachine::State::execute_rare(std::uint8_t opcode,
                                        const std::byte* p) {
  using namespace pickle_op;
  switch (opcode) {
    case kStop:
      result.root = pop();
      if (frame_end != 0 && opcode_offset + 1 < frame_end) {
        problem("pickle-frame", Severity::medium, opcode_offset,
                fmt::format("STOP stands {} bytes before the end of its FRAME: "
                            "loaders differ in where the next pickle begins",
                            frame_end - opcode_offset - 1));
      }
      if (!marks.empty() || top != stack.get()) {
        problem("pickle-stack-left", Severity::low, opcode_offset,
                "STOP leaves values on the stack that no writer leaves");
      }
      stopped = true;
      return;
    case kProto: {
      const int version = std::to_integer<int>(p[1]);
      window.at = p + 2;
      if (version > 5) {
        broken(fmt::format("PROTO {}: the highest is 5", version));
      }
      if (opcode_offset != result.begin) {
        problem("pickle-protocol-change", Severity::medium, opcode_offset,
                fmt::format("PROTO {} in the middle of the stream changes how "
                            "names are looked up (in force: {})",
                            version, protocol));
      }
      protocol = version;
      result.protocol = std::max(result.protocol, version);
      return;
    }
    case kFrame:
      window.at = p + 9;
      frame(load_little<std::uint64_t>(p + 1));
      return;
    case kPop:
      if (!marks.empty() &&
          marks.back() == static_cast<std::size_t>(top - stack.get())) {
        marks.pop();
      } else {
        static_cast<void>(pop());
      }
      return;
    case kPopMark:
      top = pop_mark();
      return;
    case kDup: {
      const PickleCell value = pop_cell();
      push(value);
      push(value);
      if (++dups == 101) {
        problem("pickle-expansion", Severity::medium, opcode_offset,
                "more than 100 DUP opcodes; writers emit none");
      }
      return;
    }
    case kInt:
    case kLong:
    case kFloat:
      push_line_number(opcode);
      return;
    case kLong1:
    case kLong4: {
      const std::int64_t size = opcode == kLong1
                                    ? std::to_integer<std::int64_t>(p[1])
                                    : load_little<std::int32_t>(p + 1);
      window.at = p + (opcode == kLong1 ? 2 : 5);
      if (size < 0) broken("LONG4 with a negative length");
      if (size > 8) {
        sized_constant(Kind::big_integer, static_cast<std::uint64_t>(size));
        return;
      }
      const Bytes raw = window.source().head(window.offset_of(window.at),
                                             static_cast<std::uint64_t>(size));
      if (raw.size() != static_cast<std::size_t>(size)) {
        broken("LONG1 is cut off");
      }
      std::uint64_t value = 0;
      for (std::size_t i = raw.size(); i-- > 0;) {
        value = value << 8U | std::to_integer<std::uint64_t>(raw[i]);
      }
      if (size > 0 && size < 8 && (std::to_integer<int>(raw.back()) & 0x80)) {
        value |= ~std::uint64_t{0} << (8U * static_cast<unsigned>(size));
      }
      window.seek(window.offset_of(window.at) +
                  static_cast<std::uint64_t>(size));
      edge = window.at;
      push(integer(static_cast<std::int64_t>(value)));
      return;
    }
    case kBinUnicode8:
      window.at = p + 9;
      sized_constant(Kind::text, load_little<std::uint64_t>(p + 1));
      return;
    case kBinBytes:
      window.at = p + 5;
      sized_constant(Kind::bytes, load_little<std::uint32_t>(p + 1));
      return;
    case kBinBytes8:
    case kByteArray8:
      window.at = p + 9;
      sized_constant(Kind::bytes, load_little<std::uint64_t>(p + 1));
      return;
    case kBinString: {
      // Signed in Lib/pickle.py, which refuses what is negative; not in C.
      window.at = p + 5;
      sized_constant(Kind::text, load_little<std::uint32_t>(p + 1));
      return;
    }
    case kShortBinString:
      window.at = p + 2;
      sized_constant(Kind::text, std::to_integer<std::uint8_t>(p[1]));
      return;
    case kString:
    case kUnicode:
      push_line_text(opcode);
      return;
    case kGet: {
      const PickleCell value = memo.get(line_index(opcode));
      if (value.kind() == Kind::absent) broken("GET of an unset memo slot");
      push(value);
      return;
    }
    case kPut: {
      const std::uint64_t index = line_index(opcode);
      if (top == stack.get()) broken("the stack is empty where PUT needs it");
      if (!memo.put(index, top[-1])) {
        throw PickleBroken{"pickle-limit", "the memo is too large"};
      }
      return;
    }
    case kList:
      fold_to_mark(PickleContainer::Kind::list);
      return;
    case kDict:
      fold_to_mark(PickleContainer::Kind::dict);
      return;
    case kFrozenSet:
      fold_to_mark(PickleContainer::Kind::frozen_set);
      return;
    case kEmptySet:
      push(heap.make(PickleContainer::Kind::set, nullptr, 0));
      return;
    case kGlobal:
      import_lines(false);
      return;
    case kInst:
      import_lines(true);
      return;
    case kStackGlobal:
      import_from_stack();
      return;
    case kReduce:
      reduce();
      return;
    case kObj:
      object();
      return;
    case kNewObj:
      create(false);
      return;
    case kNewObjEx:
      create(true);
      return;
    case kBuild:
      build();
      return;
    case kExt1:
      window.at = p + 2;
      extension(std::to_integer<std::uint64_t>(p[1]));
      return;
    case kExt2:
      window.at = p + 3;
      extension(load_little<std::uint16_t>(p + 1));
      return;
    case kExt4:
      window.at = p + 5;
      extension(load_little<std::uint32_t>(p + 1));
      return;
    case kPersId: {
      const PickleLine id = line();
      if (!id.has_end) broken("a line without end");
      persistent({.kind = Kind::raw_unicode,
                  .length = static_cast<std::uint32_t>(
                      std::min<std::uint64_t>(id.size, 0xffffffffU)),
                  .payload = id.offset});
      return;
    }
    case kBinPersId:
      persistent(pop());
      return;
    case kNextBuffer:
      push(heap.make(PickleContainer::Kind::buffer, nullptr, 0));
      return;
    case kReadOnlyBuffer:
      if (top == stack.get()) broken("no buffer to make read-only");
      return;
    default:
      broken(fmt::format("0x{:02x} is no opcode", opcode));
  }
}

PickleRun PickleMachine::State::run(std::uint64_t offset) {
  heap.clear();
  memo.clear();
  marks.clear();
  global_index.clear();
  inner_globals.clear();
  far_indices.clear();
  name_bytes = 0;
  if (array_depth == 0) call_work = {};
  tries.clear();
  given.clear();
  is_given_lost = false;
  result = PickleRun{};
  result.begin = offset;
  top = stack.get();
  opcodes = 0;
  frame_end = 0;
  dups = 0;
  protocol = 0;
  stopped = false;
  seen.fill(false);
  window.seek(offset);
  opcode_offset = offset;
  edge = window.at;
  try {
    loop();
    result.has_stopped = true;
  } catch (const PickleBroken& reason) {
    std::string message = reason.message;
    const Bytes opcode = window.source().head(opcode_offset, 1);
    if (!opcode.empty()) {
      const std::string_view name =
          pickle_opcode_name(std::to_integer<std::uint8_t>(opcode[0]));
      if (!name.empty()) message += fmt::format(" (in {})", name);
    }
    problem(reason.rule, Severity::medium, opcode_offset, std::move(message));
    result.has_stopped = false;
    // What broke may be what another loader reads from behind the frame.
    if (frame_end != 0) result.straddles_frame = true;
  }
  result.end = std::min(window.offset_of(window.at), window.source().size());
  if (!result.has_stopped) result.end = std::min(opcode_offset, result.end);
  result.opcodes = opcodes;
  constexpr auto kKnown = weights_only_opcodes();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] && !kKnown[i]) result.has_weights_only_opcodes = false;
  }
  constexpr float kBomb = 1e8F;
  if (result.has_stopped && heap.weight(result.root) > kBomb &&
      heap.weight(result.root) > 1000.0F * static_cast<float>(opcodes)) {
    problem("pickle-expansion", Severity::medium, result.begin,
            fmt::format("{} opcodes build an object of {:.3g} parts", opcodes,
                        heap.weight(result.root)));
  }
  if (options.judge != nullptr) mark_handed_on();
  if (result.has_stopped && result.root.kind != Kind::global &&
      top == stack.get()) {
    pardon_attributes();
  }
  result.globals = heap.globals;
  result.globals.insert(result.globals.end(), inner_globals.begin(),
                        inner_globals.end());
  return std::move(result);
}

}  // namespace impound
