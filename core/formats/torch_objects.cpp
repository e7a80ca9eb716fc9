// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch_objects.hpp"

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

class TensorWalk {
 public:
  TensorWalk(const PickleHeap& heap, const std::vector<TorchStorage>& storages)
      : heap_(heap) {
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
    if (const PickleGlobal* const callee = heap_.callee(value)) {
      const std::string& what = callee->resolved_name;
      const auto arguments = heap_.children(heap_.call(value)->arguments, 16);
      if (what == "_rebuild_tensor" || what == "_rebuild_tensor_v2" ||
          what == "_rebuild_tensor_v3") {
        tensor(arguments, name);
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

  void tensor(const std::vector<PickleValue>& arguments,
              const std::string& name) {
    if (arguments.size() < 4) return;
    const auto id = heap_.children(arguments[0], 1);
    if (id.empty()) return;
    const auto parts = heap_.children(id[0], 8);
    const auto shape = numbers(heap_, arguments[2]);
    const auto strides = numbers(heap_, arguments[3]);
    if (parts.size() < 5 || !shape || !strides ||
        arguments[1].kind != Kind::integer) {
      return;
    }
    TorchTensor found;
    found.info.name = name;
    found.info.shape = *shape;
    const auto known = by_key_.find(heap_.text(parts[2], 4096));
    if (known == by_key_.end()) return;
    const TorchStorage& storage = *known->second;
    found.info.dtype = storage.dtype;
    if (arguments.size() >= 7) {
      if (const PickleGlobal* dtype = heap_.global(arguments[6])) {
        found.info.dtype = torch_dtype(dtype->resolved_name);
      }
    }
    const std::uint64_t item = torch_item_size(found.info.dtype);
    const auto size = tensor_bytes(found.info.dtype, found.info.shape);
    std::uint64_t skipped = 0;
    if (size && !__builtin_mul_overflow(arguments[1].payload, item, &skipped) &&
        storage.is_present && skipped <= storage.size &&
        *size <= storage.size - skipped) {
      found.info.offset = storage.offset + skipped;
      found.info.size = *size;
      found.is_readable = storage.is_plain && is_row_major(*shape, *strides);
    }
    tensors_.push_back(std::move(found));
  }

  const PickleHeap& heap_;
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

std::vector<TorchTensor> torch_tensors(
    const PickleHeap& heap, const PickleValue& root,
    const std::vector<TorchStorage>& storages) {
  TensorWalk walk(heap, storages);
  walk.visit(root, "", 0);
  return walk.take();
}

}  // namespace impound
