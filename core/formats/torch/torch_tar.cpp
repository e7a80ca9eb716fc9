// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch/torch_tar.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "core/formats/recognise.hpp"
#include "core/formats/torch/torch_objects.hpp"

namespace impound {
namespace {

std::uint64_t little(const ByteSource& source, std::uint64_t offset,
                     std::size_t size) {
  const Bytes raw = source.head(std::min(offset, source.size()), size);
  std::uint64_t value = 0;
  for (std::size_t i = raw.size(); i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(raw[i]);
  }
  return raw.size() == size ? value : ~std::uint64_t{0};
}

/// What the members storages and tensors describe, by their keys.
struct TarParts {
  std::map<std::string, TorchStorage> storages;
  std::map<std::string, TorchTensor> tensors;
};

std::string key_of(const PickleHeap& heap, const PickleValue& value) {
  if (value.kind == PickleValue::Kind::integer) {
    return std::to_string(static_cast<std::int64_t>(value.payload));
  }
  return value.is_text() ? heap.text(value, 256) : std::string();
}

/// Runs pickles one after another and keeps what they did.
class TarWalk {
 public:
  TarWalk(const ByteSource& member, const PickleOptions& options,
          TorchTarMember& out)
      : source_(member), machine_(member, options), out_(out) {}

  /// @return false if the pickle does not end.
  bool next() {
    if (out_.end >= source_.size() || out_.runs.size() >= kMaxRuns) {
      return broken("a pickle is missing");
    }
    PickleRun run = machine_.run(out_.end);
    root_ = run.root;
    out_.end = run.end;
    const bool has_stopped = run.has_stopped;
    out_.runs.push_back(std::move(run));
    return has_stopped || broken("a pickle does not end");
  }

  bool skip(std::uint64_t bytes) {
    if (bytes > source_.size() - out_.end) return broken("it is cut off");
    out_.end += bytes;
    return true;
  }

  bool broken(std::string_view why) {
    out_.problems.push_back({.rule = "torch-truncated",
                             .severity = Severity::medium,
                             .offset = out_.end,
                             .message = out_.name + ": " + std::string(why)});
    return false;
  }

  /// The number that the last pickle was.
  [[nodiscard]] std::uint64_t count() const {
    return root_.kind == PickleValue::Kind::integer ? root_.payload : 0;
  }
  [[nodiscard]] const PickleHeap& heap() const { return machine_.heap(); }
  [[nodiscard]] const PickleValue& root() const { return root_; }
  [[nodiscard]] std::uint64_t number(std::size_t size) const {
    return little(source_, out_.end, size);
  }
  /// The eight-byte number behind `skipped` bytes.
  [[nodiscard]] std::uint64_t number_at(std::uint64_t skipped) const {
    return little(source_, out_.end + skipped, 8);
  }
  /// Where the next byte is in the file.
  [[nodiscard]] std::uint64_t place() const { return out_.offset + out_.end; }

 private:
  static constexpr std::size_t kMaxRuns = 200'000;
  const ByteSource& source_;
  PickleMachine machine_;
  TorchTarMember& out_;
  PickleValue root_;
};

void keep_views(const TarWalk& walk, TarParts& parts) {
  for (const PickleValue& view : walk.heap().children(walk.root())) {
    const auto fields = walk.heap().children(view, 4);
    if (fields.size() != 4) continue;
    const auto root = parts.storages.find(key_of(walk.heap(), fields[1]));
    if (root == parts.storages.end()) continue;
    TorchStorage part = root->second;
    part.key = key_of(walk.heap(), fields[0]);
    std::uint64_t skipped = 0;
    part.count = fields[3].payload;
    std::uint64_t size = 0;
    if (__builtin_mul_overflow(fields[2].payload, part.item_size, &skipped) ||
        __builtin_mul_overflow(part.count, part.item_size, &size) ||
        skipped > part.size || size > part.size - skipped) {
      part.is_present = false;
    } else {
      part.offset += skipped;
      part.size = size;
    }
    parts.storages[part.key] = std::move(part);
  }
}

void read_storages(TarWalk& walk, TarParts& parts) {
  if (!walk.next()) return;
  const std::uint64_t count = walk.count();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!walk.next()) return;
    const auto fields = walk.heap().children(walk.root(), 3);
    TorchStorage storage;
    if (fields.size() == 3) {
      if (const PickleGlobal* type = walk.heap().global(fields[2])) {
        storage.dtype = torch_dtype(type->resolved_name);
      }
      storage.key = key_of(walk.heap(), fields[0]);
    }
    const std::uint64_t item = torch_item_size(storage.dtype);
    storage.item_size = item;
    storage.count = walk.number(8);
    storage.offset = walk.place() + 8;
    std::uint64_t size = 0;
    if (item == 0 || __builtin_mul_overflow(walk.number(8), item, &size) ||
        __builtin_add_overflow(size, 8U, &size)) {
      walk.broken("a storage of unknown type or size");
      return;
    }
    if (!walk.skip(size)) return;
    storage.size = size - 8;
    storage.is_present = true;
    parts.storages[storage.key] = std::move(storage);
  }
  if (walk.next()) keep_views(walk, parts);
}

void read_tensors(TarWalk& walk, TarParts& parts) {
  if (!walk.next()) return;
  const std::uint64_t count = walk.count();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!walk.next()) return;
    const std::uint64_t dimensions = walk.number(4);
    if (dimensions > 64) {
      walk.broken("a tensor with more than 64 dimensions");
      return;
    }
    const auto fields = walk.heap().children(walk.root(), 3);
    TorchTensor tensor;
    for (std::uint64_t d = 0; d < dimensions; ++d) {
      tensor.info.shape.push_back(walk.number_at(8 + 8 * d));
      tensor.strides.push_back(walk.number_at(8 + 8 * (dimensions + d)));
    }
    const std::uint64_t first = walk.number_at(8 + 2 * 8 * dimensions);
    if (!walk.skip(8 + 2 * 8 * dimensions + 8)) return;
    if (fields.size() != 3) continue;
    tensor.storage = key_of(walk.heap(), fields[1]);
    const auto storage = parts.storages.find(tensor.storage);
    if (storage == parts.storages.end()) {
      tensor.missing = "storage " + tensor.storage + " is not in the file";
    } else {
      tensor.info.dtype = storage->second.dtype;
      place_torch_tensor(tensor, storage->second, first);
    }
    parts.tensors[key_of(walk.heap(), fields[0])] = std::move(tensor);
  }
}

/// "storages", "tensors" or "pickle"; empty for every other member.
std::string_view part_name(const TarFileMember& member) {
  const std::string_view name = member.name.starts_with("./")
                                    ? std::string_view(member.name).substr(2)
                                    : std::string_view(member.name);
  const bool is_part =
      name == "storages" || name == "tensors" || name == "pickle";
  return member.is_file() && is_part ? name : std::string_view();
}

}  // namespace

bool is_torch_tar(const TarArchive& archive) {
  constexpr std::array<std::string_view, 3> kNames{"storages", "tensors",
                                                   "pickle"};
  return std::all_of(
      kNames.begin(), kNames.end(), [&](std::string_view wanted) {
        return std::any_of(archive.members.begin(), archive.members.end(),
                           [&](const TarFileMember& member) {
                             return member.name == wanted ||
                                    member.name == "./" + std::string(wanted);
                           });
      });
}

std::vector<TorchTarMember> read_torch_tar(const ByteSource& source,
                                           const TarArchive& archive,
                                           const PickleOptions& options) {
  std::vector<TorchTarMember> out;
  for (const TarFileMember& member : archive.members) {
    const std::string_view name = part_name(member);
    if (name.empty()) continue;
    TorchTarMember read;
    read.name = member.name;
    read.offset = member.offset;
    read.size = member.size;
    const SubSource content(source, member.offset, member.size);
    TarWalk walk(content, options, read);
    TarParts parts;
    if (name == "storages") {
      read_storages(walk, parts);
    } else if (name == "tensors") {
      read_tensors(walk, parts);
    } else {
      static_cast<void>(walk.next());
    }
    out.push_back(std::move(read));
  }
  return out;
}

std::vector<TorchTensor> read_torch_tar_tensors(const ByteSource& source,
                                                const TarArchive& archive,
                                                const PickleOptions& options) {
  TarParts parts;
  // Tensors name storages, the pickle names tensors, whatever their order.
  for (const std::string_view wanted : {"storages", "tensors", "pickle"}) {
    const auto member = std::find_if(
        archive.members.begin(), archive.members.end(),
        [&](const TarFileMember& each) { return part_name(each) == wanted; });
    if (member == archive.members.end()) return {};
    const SubSource content(source, member->offset, member->size);
    if (wanted == "pickle") {
      PickleMachine machine(content, options);
      const PickleRun run = machine.run(0);
      return torch_tensors_by_id(machine.heap(), run.root, parts.tensors);
    }
    TorchTarMember read;
    read.name = member->name;
    read.offset = member->offset;
    TarWalk walk(content, options, read);
    if (wanted == "storages") {
      read_storages(walk, parts);
    } else {
      read_tensors(walk, parts);
    }
  }
  return {};
}

std::string_view why_torch_tar(const FormatSubject& subject) {
  return looks_like_tar(subject.head) && is_torch_tar(read_tar(subject.source))
             ? "a tar with the members of the first torch.save"
             : "";
}

}  // namespace impound
