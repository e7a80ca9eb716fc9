// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch_tar.hpp"

#include <algorithm>
#include <array>

#include "core/formats/torch_objects.hpp"

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

 private:
  static constexpr std::size_t kMaxRuns = 200'000;
  const ByteSource& source_;
  PickleMachine machine_;
  TorchTarMember& out_;
  PickleValue root_;
};

void read_storages(TarWalk& walk) {
  if (!walk.next()) return;
  const std::uint64_t count = walk.count();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!walk.next()) return;
    const auto parts = walk.heap().children(walk.root(), 3);
    std::uint64_t item = 0;
    if (parts.size() == 3) {
      if (const PickleGlobal* type = walk.heap().global(parts[2])) {
        item = torch_item_size(torch_dtype(type->resolved_name));
      }
    }
    std::uint64_t size = 0;
    if (item == 0 || __builtin_mul_overflow(walk.number(8), item, &size) ||
        __builtin_add_overflow(size, 8U, &size)) {
      walk.broken("a storage of unknown type or size");
      return;
    }
    if (!walk.skip(size)) return;
  }
  static_cast<void>(walk.next());  // the list of views
}

void read_tensors(TarWalk& walk) {
  if (!walk.next()) return;
  const std::uint64_t count = walk.count();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!walk.next()) return;
    const std::uint64_t dimensions = walk.number(4);
    if (dimensions > 64) {
      walk.broken("a tensor with more than 64 dimensions");
      return;
    }
    if (!walk.skip(8 + 2 * 8 * dimensions + 8)) return;
  }
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
    const std::string_view name = member.name.starts_with("./")
                                      ? std::string_view(member.name).substr(2)
                                      : std::string_view(member.name);
    if (!member.is_file() ||
        (name != "storages" && name != "tensors" && name != "pickle")) {
      continue;
    }
    TorchTarMember read;
    read.name = member.name;
    read.offset = member.offset;
    read.size = member.size;
    const SubSource content(source, member.offset, member.size);
    TarWalk walk(content, options, read);
    if (name == "storages") {
      read_storages(walk);
    } else if (name == "tensors") {
      read_tensors(walk);
    } else {
      static_cast<void>(walk.next());
    }
    out.push_back(std::move(read));
  }
  return out;
}

}  // namespace impound
