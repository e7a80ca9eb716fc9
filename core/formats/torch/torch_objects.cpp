// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch/torch_objects.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace impound {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxTensors = 1'000'000;
constexpr int kMaxDepth = 64;

struct Named {
  std::string_view name;
  Dtype dtype;
};

constexpr std::array kTypes{
    Named{"FloatStorage", Dtype::f32},
    Named{"DoubleStorage", Dtype::f64},
    Named{"HalfStorage", Dtype::f16},
    Named{"BFloat16Storage", Dtype::bf16},
    Named{"LongStorage", Dtype::i64},
    Named{"IntStorage", Dtype::i32},
    Named{"ShortStorage", Dtype::i16},
    Named{"CharStorage", Dtype::i8},
    Named{"ByteStorage", Dtype::u8},
    Named{"BoolStorage", Dtype::boolean},
    Named{"ComplexFloatStorage", Dtype::c64},
    Named{"ComplexDoubleStorage", Dtype::c128},
    Named{"QInt8Storage", Dtype::qi8},
    Named{"QUInt8Storage", Dtype::qu8},
    Named{"QInt32Storage", Dtype::qi32},
    Named{"QUInt4x2Storage", Dtype::qu4x2},
    Named{"QUInt2x4Storage", Dtype::qu2x4},
    Named{"UntypedStorage", Dtype::u8},
    Named{"float32", Dtype::f32},
    Named{"float", Dtype::f32},
    Named{"float64", Dtype::f64},
    Named{"double", Dtype::f64},
    Named{"float16", Dtype::f16},
    Named{"half", Dtype::f16},
    Named{"bfloat16", Dtype::bf16},
    Named{"float8_e4m3fn", Dtype::f8_e4m3},
    Named{"float8_e5m2", Dtype::f8_e5m2},
    Named{"float8_e4m3fnuz", Dtype::f8_e4m3fnuz},
    Named{"float8_e5m2fnuz", Dtype::f8_e5m2fnuz},
    Named{"float8_e8m0fnu", Dtype::f8_e8m0},
    Named{"int64", Dtype::i64},
    Named{"int32", Dtype::i32},
    Named{"int16", Dtype::i16},
    Named{"int8", Dtype::i8},
    Named{"uint8", Dtype::u8},
    Named{"uint16", Dtype::u16},
    Named{"uint32", Dtype::u32},
    Named{"uint64", Dtype::u64},
    Named{"bool", Dtype::boolean},
    Named{"complex64", Dtype::c64},
    Named{"complex128", Dtype::c128},
};

std::optional<std::vector<std::uint64_t>> numbers(const PickleHeap& heap,
                                                  const PickleValue& tuple) {
  std::vector<std::uint64_t> out;
  // torch.Size((…)) is a call around the tuple.
  const PickleCallSite* const site = heap.call(tuple);
  PickleValue from = tuple;
  if (site != nullptr) {
    const auto arguments = heap.children(site->arguments, 1);
    if (arguments.empty()) return std::nullopt;
    from = arguments[0];
  }
  if (!heap.container(from)) return std::nullopt;
  for (const PickleValue& value : heap.children(from, 64)) {
    if (value.kind != Kind::integer ||
        static_cast<std::int64_t>(value.payload) < 0) {
      return std::nullopt;
    }
    out.push_back(value.payload);
  }
  return out;
}

bool is_row_major(const std::vector<std::uint64_t>& shape,
                  const std::vector<std::uint64_t>& strides) {
  if (shape.size() != strides.size()) return false;
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    if (__builtin_mul_overflow(expected, shape[i], &expected)) return false;
  }
  return true;
}

using TensorsById = std::map<std::string, TorchTensor>;

class TensorWalk {
 public:
  TensorWalk(const PickleHeap& heap, const std::vector<TorchStorage>& storages,
             const TensorsById* by_id)
      : heap_(heap), by_id_(by_id) {
    for (const TorchStorage& storage : storages) {
      by_key_[storage.key] = &storage;
    }
  }

  std::vector<TorchTensor> take() { return std::move(tensors_); }

  void visit(const PickleValue& value, const std::string& name, int depth) {
    if (depth > kMaxDepth || tensors_.size() >= kMaxTensors ||
        ++visits_ > 8 * kMaxTensors) {
      return;
    }
    const auto made = heap_.container(value);
    if (!made) return;
    if (made->kind == PickleContainer::Kind::persistent) {
      named_by_id(value, name);
      return;
    }
    if (const PickleGlobal* const callee = heap_.callee(value)) {
      const std::string& what = callee->resolved_name;
      const auto arguments = heap_.children(heap_.call(value)->arguments, 16);
      if (what == "_rebuild_tensor" || what == "_rebuild_tensor_v2" ||
          what == "_rebuild_tensor_v3") {
        tensor(arguments, name);
        return;
      }
      if (what == "_rebuild_qtensor") {
        const std::size_t known = tensors_.size();
        tensor(arguments, name);
        if (tensors_.size() == known || arguments.size() < 5) return;
        tensors_.back().quantiser = heap_.render(arguments[4]);
        visit(arguments[4], join(name, "quantiser"), depth + 1);
        return;
      }
      if (what.starts_with("_rebuild_parameter") && !arguments.empty()) {
        visit(arguments[0], name, depth + 1);
        return;
      }
      if (what == "_rebuild_from_type_v2" && arguments.size() >= 3) {
        tensor(heap_.children(arguments[2], 16), name);
        return;
      }
      if (what.starts_with("_rebuild_")) {
        // Sparse and wrapped tensors are made of others.
        visit(heap_.call(value)->arguments, name, depth + 1);
        return;
      }
      visit(heap_.call(value)->state, name, depth + 1);
    }
    const bool has_keys = made->kind == PickleContainer::Kind::dict ||
                          made->kind == PickleContainer::Kind::call;
    const auto children = heap_.children(value);
    if (has_keys) {
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
  std::string key_text(const PickleValue& key) const {
    if (key.is_text()) return heap_.text(key, 4096);
    if (key.kind == Kind::integer) {
      return std::to_string(static_cast<std::int64_t>(key.payload));
    }
    return "?";
  }

  static std::string join(const std::string& name, const std::string& key) {
    // What nn.Module keeps its parts in is no part of a tensor's name.
    if (key == "_parameters" || key == "_buffers" || key == "_modules") {
      return name;
    }
    return name.empty() ? key : name + "." + key;
  }

  /// A tensor that is there, but not as torch writes it.
  void unreadable(const std::string& name, std::string why) {
    TorchTensor found;
    found.info.name = name;
    found.missing = std::move(why);
    tensors_.push_back(std::move(found));
  }

  void tensor(const std::vector<PickleValue>& arguments,
              const std::string& name) {
    std::vector<PickleValue> parts;
    if (arguments.size() >= 4) {
      const auto id = heap_.children(arguments[0], 1);
      if (!id.empty()) parts = heap_.children(id[0], 8);
    }
    if (parts.size() < 5) {
      unreadable(name, "it is not made of a storage");
      return;
    }
    const auto shape = numbers(heap_, arguments[2]);
    const auto strides = numbers(heap_, arguments[3]);
    if (!shape || !strides || arguments[1].kind != Kind::integer) {
      unreadable(name, "its offset, shape or strides are no sizes");
      return;
    }
    TorchTensor found;
    found.info.name = name;
    found.info.shape = *shape;
    found.strides = *strides;
    found.storage = heap_.text(parts[2], 4096);
    const auto known = by_key_.find(found.storage);
    if (known == by_key_.end()) {
      unreadable(name, "its storage is not listed");
      return;
    }
    const TorchStorage& storage = *known->second;
    found.info.dtype = storage.dtype;
    // _rebuild_tensor_v3 gives a type; a quantised tensor gives its scales.
    if (arguments.size() >= 7) {
      if (const PickleGlobal* dtype = heap_.global(arguments[6])) {
        found.info.dtype = torch_dtype(dtype->resolved_name);
      }
    }
    std::uint64_t first = arguments[1].payload;
    if (parts.size() >= 6) {  // torch before 1.0: a view of a storage
      const auto view = heap_.children(parts[5], 3);
      if (view.size() == 3 && view[1].kind == Kind::integer &&
          __builtin_add_overflow(first, view[1].payload, &first)) {
        first = UINT64_MAX;
      }
    }
    place_torch_tensor(found, storage, first);
    tensors_.push_back(std::move(found));
  }

  /// torch's tar: the id of a value is the key of a tensor.
  void named_by_id(const PickleValue& value, const std::string& name) {
    if (by_id_ == nullptr) return;
    const auto id = heap_.children(value, 1);
    if (id.empty()) return;
    const auto found = by_id_->find(key_text(id[0]));
    if (found == by_id_->end()) {
      unreadable(name, "no tensor is listed under its id");
      return;
    }
    TorchTensor tensor = found->second;
    tensor.info.name = name;
    tensors_.push_back(std::move(tensor));
  }

  const PickleHeap& heap_;
  const TensorsById* by_id_;
  std::map<std::string, const TorchStorage*> by_key_;
  std::vector<TorchTensor> tensors_;
  std::size_t visits_ = 0;
};

}  // namespace

Dtype torch_dtype(std::string_view name) {
  const auto* const found =
      std::find_if(kTypes.begin(), kTypes.end(),
                   [&](const Named& row) { return row.name == name; });
  return found == kTypes.end() ? Dtype::unknown : found->dtype;
}

std::uint64_t torch_item_size(Dtype dtype) {
  if (dtype == Dtype::unknown) return 0;
  const DtypeTraits& facts = traits(dtype);
  // The two-in-a-byte types are counted in bytes by torch's storages.
  return std::max<std::uint64_t>(1, facts.block_bits / 8);
}

std::vector<TorchStorage> torch_storages(const PickleHeap& heap,
                                         const PickleRun& run) {
  std::vector<TorchStorage> out;
  std::map<std::string, std::size_t> known;
  for (const PickleValue& id : run.persistent_ids) {
    const auto parts = heap.children(id, 8);
    if (parts.size() < 5 || heap.text(parts[0], 16) != "storage") continue;
    TorchStorage storage;
    storage.key = heap.text(parts[2], 4096);
    if (!known.emplace(storage.key, out.size()).second) continue;
    if (const PickleGlobal* type = heap.global(parts[1])) {
      storage.dtype = torch_dtype(type->resolved_name);
    }
    storage.item_size = torch_item_size(storage.dtype);
    storage.count = parts[4].kind == Kind::integer ? parts[4].payload : 0;
    out.push_back(std::move(storage));
  }
  return out;
}

void place_torch_tensor(TorchTensor& tensor, const TorchStorage& storage,
                        std::uint64_t first) {
  const std::uint64_t item = torch_item_size(tensor.info.dtype);
  const auto size = tensor_bytes(tensor.info.dtype, tensor.info.shape);
  if (!size || item == 0) {
    tensor.missing = "its type and shape give no size";
    return;
  }
  tensor.info.size = *size;
  if (!storage.is_present) {
    tensor.missing = "storage " + storage.key + " is not in the file";
    return;
  }
  // Elements from the first to the last, both included.
  std::uint64_t reach = *size == 0 ? 0 : 1;
  bool overflows = tensor.info.shape.size() != tensor.strides.size();
  for (std::size_t i = 0; !overflows && reach != 0 && i < tensor.strides.size();
       ++i) {
    std::uint64_t step = 0;
    overflows = __builtin_mul_overflow(tensor.info.shape[i] - 1,
                                       tensor.strides[i], &step) ||
                __builtin_add_overflow(reach, step, &reach);
  }
  std::uint64_t skipped = 0;
  overflows = overflows || __builtin_mul_overflow(first, item, &skipped) ||
              __builtin_mul_overflow(reach, item, &tensor.span);
  if (overflows || skipped > storage.size ||
      tensor.span > storage.size - skipped) {
    tensor.span = 0;
    tensor.missing = "its shape, strides and offset leave storage " +
                     storage.key + ", which has " +
                     std::to_string(storage.size) + " bytes";
    return;
  }
  tensor.is_inside = true;
  tensor.info.offset = storage.is_plain ? storage.offset + skipped : skipped;
  tensor.is_readable =
      storage.is_plain && is_row_major(tensor.info.shape, tensor.strides);
}

std::vector<TorchTensor> torch_tensors(
    const PickleHeap& heap, const PickleValue& root,
    const std::vector<TorchStorage>& storages) {
  TensorWalk walk(heap, storages, nullptr);
  walk.visit(root, "", 0);
  return walk.take();
}

std::vector<TorchTensor> torch_tensors_by_id(
    const PickleHeap& heap, const PickleValue& root,
    const std::map<std::string, TorchTensor>& tensors) {
  TensorWalk walk(heap, {}, &tensors);
  walk.visit(root, "", 0);
  return walk.take();
}

}  // namespace impound
