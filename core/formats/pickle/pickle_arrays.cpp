// SPDX-License-Identifier: Apache-2.0
/// Arrays within a joblib pickle: behind the BUILD of a NumpyArrayWrapper stand
/// the bytes of the array, or another pickle if it holds objects
/// (joblib/numpy_pickle.py, read_array).

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/formats/pickle/pickle_machine.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;

/// Arrays of objects within arrays of objects.
constexpr int kMaxArrayDepth = 8;

std::optional<PickleValue> entry(const PickleHeap& heap,
                                 const PickleValue& dict,
                                 std::string_view key) {
  const std::vector<PickleValue> items = heap.children(dict, 128);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (heap.text(items[i], 64) == key) return items[i + 1];
  }
  return std::nullopt;
}

struct ItemLayout {
  std::uint64_t size = 0;
  bool has_objects = false;
};

/// numpy.dtype('f8', False, True) with the state of structured types.
std::optional<ItemLayout> item_layout(const PickleHeap& heap,
                                      const PickleValue& dtype, int depth) {
  const PickleGlobal* const callee = heap.callee(dtype);
  if (callee == nullptr || callee->resolved_name != "dtype" || depth > 8) {
    return std::nullopt;
  }
  const PickleCallSite* const site = heap.call(dtype);
  const auto arguments = heap.children(site->arguments, 1);
  if (arguments.empty()) return std::nullopt;
  const std::string code = heap.text(arguments[0], 64);
  if (code.empty()) return std::nullopt;
  ItemLayout layout;
  const char* const end = code.data() + code.size();
  if (code.size() > 1) {
    const auto parsed = std::from_chars(code.data() + 1, end, layout.size);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  } else {
    layout.size = 1;  // 'b', '?': one byte
  }
  if (code[0] == 'U' && __builtin_mul_overflow(layout.size, 4U, &layout.size)) {
    return std::nullopt;
  }
  layout.has_objects = code[0] == 'O';
  if (code[0] == 'V') {
    const auto state = heap.children(site->state, 16);
    if (state.size() > 4) {
      const auto fields = heap.children(state[4], 4096);
      for (std::size_t i = 1; i < fields.size(); i += 2) {
        const auto field = heap.children(fields[i], 1);
        if (field.empty()) continue;
        const auto inner = item_layout(heap, field[0], depth + 1);
        if (inner && inner->has_objects) layout.has_objects = true;
      }
    }
  }
  return layout;
}

}  // namespace

void PickleMachine::State::inner_pickle() {
  if (array_depth >= kMaxArrayDepth) {
    throw PickleBroken{"pickle-limit", "arrays of objects nested too deep"};
  }
  State inner(window.source(), options);
  inner.array_depth = array_depth + 1;
  inner.call_work = call_work;
  PickleRun run = inner.run(window.offset_of(window.at));
  const auto take = [](auto& into, auto& from) {
    into.insert(into.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
  };
  call_work = inner.call_work;
  result.is_partial |= run.is_partial;
  take(inner_globals, run.globals);
  take(result.calls, run.calls);
  take(result.constants, run.constants);
  for (InlineArray& array : run.arrays) {
    array.wrapper = InlineArray::kElsewhere;
  }
  take(result.arrays, run.arrays);
  take(result.problems, run.problems);
  opcodes += run.opcodes;
  window.seek(run.end);
  edge = window.at;
  if (!run.has_stopped) broken("a pickle within an array does not end");
}

void PickleMachine::State::inline_array(const PickleValue& wrapper) {
  const PickleValue state = heap.call(wrapper)->state;
  const auto shape = entry(heap, state, "shape");
  const auto dtype = entry(heap, state, "dtype");
  const auto layout =
      dtype ? item_layout(heap, *dtype, 0) : std::optional<ItemLayout>{};
  if (!shape || !layout) {
    broken("a NumpyArrayWrapper without a shape or dtype that can be read");
  }
  frame_end = 0;  // joblib ends the frame before it writes into the stream
  if (layout->has_objects) {
    inner_pickle();
    return;
  }
  std::uint64_t size = layout->size;
  for (const PickleValue& dimension : heap.children(*shape, 64)) {
    if (dimension.kind != Kind::integer ||
        static_cast<std::int64_t>(dimension.payload) < 0 ||
        __builtin_mul_overflow(size, dimension.payload, &size)) {
      broken("a NumpyArrayWrapper with an impossible shape");
    }
  }
  std::uint64_t offset = window.offset_of(window.at);
  const auto alignment = entry(heap, state, "numpy_array_alignment_bytes");
  if (alignment && alignment->kind == Kind::integer) {
    const Bytes padding = window.source().head(offset, 1);
    if (padding.empty()) broken("an array is cut off");
    offset += 1 + std::to_integer<std::uint64_t>(padding[0]);
  }
  if (offset > window.source().size() ||
      size > window.source().size() - offset) {
    broken(fmt::format("an array of {} bytes is cut off", size));
  }
  result.arrays.push_back(
      {.offset = offset, .size = size, .wrapper = wrapper.payload});
  window.seek(offset + size);
  edge = window.at;
}

}  // namespace impound
