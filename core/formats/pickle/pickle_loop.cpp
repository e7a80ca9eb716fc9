// SPDX-License-Identifier: Apache-2.0
/// The loop of the pickle machine, with the opcodes that files are full of.
/// What it touches for each of them stays in registers: the place in the window
/// and the top of the stack are written back only before somebody else looks.

#include <bit>
#include <cstring>

#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;
using Holder = PickleContainer::Kind;

template <typename T>
T load_little(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  static_assert(std::endian::native == std::endian::little);
  return value;
}

PickleCell integer(std::int64_t value) {
  return PickleCell::of(Kind::integer, static_cast<std::uint64_t>(value));
}

}  // namespace

// A lambda that is called instead of inlined keeps what it captures in memory:
// the loop is then two times slower.
#define IMPOUND_INLINE __attribute__((always_inline))

void PickleMachine::State::loop() {
  using namespace pickle_op;
  const std::byte* p = window.at;
  const std::byte* here = nullptr;  // the opcode at hand, if in the window
  const std::byte* limit = edge;
  PickleCell* sp = top;
  PickleCell* ground = floor();
  PickleCell* roof = stack_end;
  std::uint64_t done = opcodes;

  const auto leave = [&](const std::byte* next) {
    window.at = next;
    top = sp;
    opcodes = done;
    if (here != nullptr) opcode_offset = window.offset_of(here);
  };
  const auto come_back = [&]() IMPOUND_INLINE {
    p = window.at;
    here = nullptr;
    limit = edge;
    sp = top;
    ground = floor();
    roof = stack_end;
  };
  const auto push_cell = [&](PickleCell cell) IMPOUND_INLINE {
    if (sp == roof) [[unlikely]] {
      leave(p);
      grow_stack();
      sp = top;
      ground = floor();
      roof = stack_end;
    }
    *sp++ = cell;
  };
  const auto fail = [&](std::string_view why) {
    leave(p);
    broken(why);
  };
  const auto need = [&](std::size_t count) IMPOUND_INLINE {
    if (static_cast<std::size_t>(sp - ground) < count) [[unlikely]] {
      fail("the stack is empty where a value is needed");
    }
  };
  /// Takes the values above the last MARK off. @return how many they are.
  const auto take_to_mark = [&]() IMPOUND_INLINE -> std::size_t {
    if (marks.empty()) [[unlikely]]
      fail("no MARK where one is needed");
    const auto count = static_cast<std::size_t>(sp - ground);
    sp = ground;
    marks.pop();
    ground = floor();
    return count;
  };
  /// Text or bytes of `size`, whose first byte is at p.
  const auto push_string = [&](Kind kind, std::uint64_t size) IMPOUND_INLINE {
    const std::uint64_t place = window.offset_of(p);
    if (p <= window.end && size <= PickleCell::kMaxLength &&
        size <= static_cast<std::uint64_t>(window.end - p) &&
        place <= PickleCell::kMaxPlace) [[likely]] {
      if (size >= 8 && is_worth_noting(*p)) {
        leave(p);
        note_constant(kind, place, size, p);
      }
      push_cell(PickleCell::string(kind, place, size));
      p += size;
      return;
    }
    leave(p);
    sized_constant(kind, size);
    come_back();
  };
  const auto get = [&](std::uint64_t index) IMPOUND_INLINE {
    const PickleCell value = memo.get(index);
    if (value.kind() == Kind::absent) [[unlikely]] {
      fail("GET of an unset memo slot");
    }
    push_cell(value);
  };
  const auto put = [&](std::uint64_t index) IMPOUND_INLINE {
    if (sp == stack.get()) [[unlikely]] {
      fail("the stack is empty where PUT needs it");
    }
    if (!memo.put(index, sp[-1])) [[unlikely]] {
      leave(p);
      throw PickleBroken{"pickle-limit", "the memo is too large"};
    }
  };
  /// Adds `count` values, which stand at sp, to the value below them.
  const auto add = [&](std::uint8_t opcode, Holder wanted,
                       std::size_t count) IMPOUND_INLINE {
    if (sp == stack.get()) [[unlikely]]
      fail("no container to add to");
    if (!heap.append_to(sp[-1], wanted, sp, count)) [[unlikely]] {
      leave(p);
      add_to_other(opcode, sp, count);
    }
  };

  while (true) {
    if (p >= limit) [[unlikely]] {
      leave(p);
      slow_edge();
      come_back();
    }
    ++done;
    here = p;
    const auto opcode = std::to_integer<std::uint8_t>(*p++);
    seen[opcode] = true;
    switch (opcode) {
      case kBinInt1:
        push_cell(integer(std::to_integer<std::uint8_t>(*p)));
        p += 1;
        break;
      case kBinInt2:
        push_cell(integer(load_little<std::uint16_t>(p)));
        p += 2;
        break;
      case kBinInt:
        push_cell(integer(load_little<std::int32_t>(p)));
        p += 4;
        break;
      case kBinFloat:
        push_cell(PickleCell::of(Kind::real, window.offset_of(p)));
        p += 8;
        break;
      case kNone:
        push_cell(PickleCell::of(Kind::none, 0));
        break;
      case kNewTrue:
        push_cell(PickleCell::of(Kind::boolean, 1));
        break;
      case kNewFalse:
        push_cell(PickleCell::of(Kind::boolean, 0));
        break;
      case kShortBinUnicode: {
        const auto size = std::to_integer<std::uint8_t>(*p++);
        push_string(Kind::text, size);
        break;
      }
      case kBinUnicode: {
        const auto size = load_little<std::uint32_t>(p);
        p += 4;
        push_string(Kind::text, size);
        break;
      }
      case kShortBinBytes: {
        const auto size = std::to_integer<std::uint8_t>(*p++);
        push_string(Kind::bytes, size);
        break;
      }
      case kBinGet: {
        const auto index = std::to_integer<std::uint8_t>(*p++);
        get(index);
        break;
      }
      case kLongBinGet: {
        const auto index = load_little<std::uint32_t>(p);
        p += 4;
        get(index);
        break;
      }
      case kMemoize:
        put(memo.size());
        break;
      case kBinPut: {
        const auto index = std::to_integer<std::uint8_t>(*p++);
        put(index);
        break;
      }
      case kLongBinPut: {
        const auto index = load_little<std::uint32_t>(p);
        p += 4;
        put(index);
        break;
      }
      case kMark:
        if (marks.size() >= kMaxStack) [[unlikely]] {
          leave(p);
          throw PickleBroken{"pickle-limit", "more MARKs than the limit"};
        }
        marks.push(static_cast<std::uint32_t>(sp - stack.get()));
        ground = sp;
        break;
      case kTuple: {
        const std::size_t count = take_to_mark();
        push_cell(heap.make(Holder::tuple, sp, count));
        break;
      }
      case kTuple1:
      case kTuple2:
      case kTuple3: {
        const std::size_t count = opcode - kTuple1 + 1U;
        need(count);
        sp -= count;
        *sp = heap.make(Holder::tuple, sp, count);
        ++sp;
        break;
      }
      case kEmptyTuple:
        push_cell(heap.make(Holder::tuple, nullptr, 0));
        break;
      case kEmptyList:
        push_cell(heap.make(Holder::list, nullptr, 0));
        break;
      case kEmptyDict:
        push_cell(heap.make(Holder::dict, nullptr, 0));
        break;
      case kAppend:
        need(1);
        sp -= 1;
        add(opcode, Holder::list, 1);
        break;
      case kAppends: {
        const std::size_t count = take_to_mark();
        add(opcode, Holder::list, count);
        break;
      }
      case kSetItem:
        need(2);
        sp -= 2;
        add(opcode, Holder::dict, 2);
        break;
      case kSetItems: {
        const std::size_t count = take_to_mark();
        add(opcode, Holder::dict, count);
        break;
      }
      case kAddItems: {
        const std::size_t count = take_to_mark();
        add(opcode, Holder::set, count);
        break;
      }
      default:
        leave(p);
        execute_rare(opcode, p - 1);
        come_back();
        if (stopped) return;
        break;
    }
  }
}

}  // namespace impound
