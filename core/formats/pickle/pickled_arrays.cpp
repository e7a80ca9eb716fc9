// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickled_arrays.hpp"

#include <charconv>
#include <map>
#include <optional>

#include "core/base/limits.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxArrays = 100'000;
constexpr std::size_t kMaxVisits = 1'000'000;  // shared values: a bound on time

struct ElementType {
  Dtype dtype = Dtype::unknown;  ///< unknown: structured, `size` bytes
  std::uint64_t size = 0;
  bool is_big_endian = false;
  bool has_objects = false;
};

Dtype dtype_of(char kind, std::uint64_t size) {
  struct Row {
    char kind;
    std::uint64_t size;
    Dtype dtype;
  };
  static constexpr Row kRows[] = {
      {'f', 2, Dtype::f16},  {'f', 4, Dtype::f32}, {'f', 8, Dtype::f64},
      {'i', 1, Dtype::i8},   {'i', 2, Dtype::i16}, {'i', 4, Dtype::i32},
      {'i', 8, Dtype::i64},  {'u', 1, Dtype::u8},  {'u', 2, Dtype::u16},
      {'u', 4, Dtype::u32},  {'u', 8, Dtype::u64}, {'c', 8, Dtype::c64},
      {'c', 16, Dtype::c128}};
  for (const Row& row : kRows) {
    if (row.kind == kind && row.size == size) return row.dtype;
  }
  return kind == 'b' ? Dtype::boolean : Dtype::unknown;
}

/// numpy.dtype('f8', False, True) with the byte order in its state.
std::optional<ElementType> element_type(const PickleHeap& heap,
                                        const PickleValue& value) {
  const PickleGlobal* const callee = heap.callee(value);
  if (callee == nullptr || callee->resolved_name != "dtype") {
    return std::nullopt;
  }
  const PickleCallSite* const site = heap.call(value);
  const auto arguments = heap.children(site->arguments, 1);
  if (arguments.empty()) return std::nullopt;
  const std::string code = heap.text(arguments[0], 64);
  if (code.empty()) return std::nullopt;
  ElementType type;
  type.size = 1;
  if (code.size() > 1) {
    const char* const end = code.data() + code.size();
    const auto parsed = std::from_chars(code.data() + 1, end, type.size);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  }
  type.has_objects = code[0] == 'O';
  if (code[0] == 'U' && __builtin_mul_overflow(type.size, 4U, &type.size)) {
    return std::nullopt;
  }
  type.dtype = dtype_of(code[0], type.size);
  const auto state = heap.children(site->state, 2);
  type.is_big_endian = state.size() == 2 && heap.text(state[1], 4) == ">";
  return type;
}

class ArrayWalk {
 public:
  ArrayWalk(const ByteSource& source, const PickleHeap& heap,
            const PickleRun& run)
      : source_(source), heap_(heap) {
    for (const InlineArray& array : run.arrays) {
      if (array.wrapper != InlineArray::kElsewhere) {
        inline_[array.wrapper] = &array;
      }
    }
  }

  std::vector<PickledArray> take() { return std::move(arrays_); }

  void visit(const PickleValue& value, const std::string& name, int depth) {
    if (depth > limits::kMaxDepth || arrays_.size() >= kMaxArrays ||
        ++visits_ > kMaxVisits) {
      return;
    }
    const auto made = heap_.container(value);
    if (!made) return;
    if (const PickleGlobal* const callee = heap_.callee(value)) {
      const PickleCallSite* const site = heap_.call(value);
      if (callee->resolved_name == "_reconstruct") {
        numpy_array(heap_.children(site->state, 5), name);
        return;
      }
      if (callee->resolved_name == "NumpyArrayWrapper") {
        joblib_array(value, site->state, name);
        return;
      }
      if (callee->resolved_name == "dtype") return;
      visit(site->arguments, name, depth + 1);
      visit(site->state, name, depth + 1);
    }
    const auto children = heap_.children(value);
    if (made->kind == PickleContainer::Kind::dict ||
        made->kind == PickleContainer::Kind::call) {
      for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
        visit(children[i + 1], join(name, key_text(children[i])), depth + 1);
      }
    } else if (made->kind == PickleContainer::Kind::list ||
               made->kind == PickleContainer::Kind::tuple) {
      for (std::size_t i = 0; i < children.size(); ++i) {
        visit(children[i], join(name, std::to_string(i)), depth + 1);
      }
    }
  }

 private:
  static std::string join(const std::string& name, const std::string& key) {
    constexpr std::size_t kMostName = 4096;
    if (name.size() > kMostName) return name;
    return name.empty() ? key : name + "." + key;
  }

  [[nodiscard]] std::string key_text(const PickleValue& key) const {
    if (key.is_text()) return heap_.text(key, 256);
    if (key.kind == Kind::integer) {
      return std::to_string(static_cast<std::int64_t>(key.payload));
    }
    return "?";
  }

  /// (version, shape, dtype, is_fortran, bytes).
  void numpy_array(const std::vector<PickleValue>& state,
                   const std::string& name) {
    PickledArray array;
    array.info.name = name;
    if (state.size() != 5) {
      array.missing = "its state is not that of an array";
      arrays_.push_back(std::move(array));
      return;
    }
    array.is_fortran = state[3].kind == Kind::boolean && state[3].payload != 0;
    if (state[4].kind != Kind::bytes) {
      array.missing = "its bytes are kept as text or as objects";
    } else {
      array.info.offset = state[4].payload;
    }
    describe(state[1], state[2], array);
  }

  void joblib_array(const PickleValue& wrapper, const PickleValue& state,
                    const std::string& name) {
    PickledArray array;
    array.info.name = name;
    PickleValue shape;
    PickleValue dtype;
    const auto items = heap_.children(state, 64);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const std::string key = heap_.text(items[i], 64);
      if (key == "shape") shape = items[i + 1];
      if (key == "dtype") dtype = items[i + 1];
      if (key == "order") {
        array.is_fortran = heap_.text(items[i + 1], 4) == "F";
      }
    }
    const auto place = inline_.find(wrapper.payload);
    if (place == inline_.end()) {
      array.missing = "no bytes stand behind it";
    } else {
      array.info.offset = place->second->offset;
    }
    describe(shape, dtype, array);
  }

  /// Sets type, shape and size, or says what is wrong with them.
  void describe(const PickleValue& shape, const PickleValue& dtype,
                PickledArray& array) {
    const auto type = element_type(heap_, dtype);
    bool is_sound = type.has_value() && heap_.container(shape).has_value();
    std::uint64_t size = is_sound ? type->size : 0;
    for (const PickleValue& each : heap_.children(shape, 64)) {
      is_sound = is_sound && each.kind == Kind::integer &&
                 static_cast<std::int64_t>(each.payload) >= 0 &&
                 !__builtin_mul_overflow(size, each.payload, &size);
      if (!is_sound) break;
      array.info.shape.push_back(each.payload);
    }
    if (!is_sound) {
      array.missing = "its type or shape cannot be read";
    } else if (type->has_objects) {
      array.missing = "its elements are Python objects";
    } else {
      array.info.dtype = type->dtype;
      array.is_big_endian = type->is_big_endian;
      array.info.size = size;
      if (type->dtype == Dtype::unknown) {
        array.info.dtype = Dtype::u8;
        array.info.shape = {size};
        array.is_big_endian = false;
        array.is_fortran = false;
      }
      if (array.missing.empty() &&
          (array.info.offset > source_.size() ||
           size > source_.size() - array.info.offset)) {
        array.missing = "it is cut off";
      }
    }
    arrays_.push_back(std::move(array));
  }

  const ByteSource& source_;
  const PickleHeap& heap_;
  std::map<std::uint64_t, const InlineArray*> inline_;
  std::vector<PickledArray> arrays_;
  std::size_t visits_ = 0;
};

}  // namespace

std::vector<PickledArray> pickled_arrays(const ByteSource& source,
                                         const PickleHeap& heap,
                                         const PickleRun& run) {
  ArrayWalk walk(source, heap, run);
  walk.visit(run.root, "", 0);
  return walk.take();
}

}  // namespace impound
