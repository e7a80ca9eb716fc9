// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/model_items.hpp"

namespace impound {
namespace {

constexpr std::string_view kSnapshots = "snapshots";
constexpr std::string_view kRepositoryPrefix = "models--";

fs::path real_path(const fs::path& path) {
  std::error_code failure;
  fs::path real = fs::canonical(path, failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot read {}: {}", printable(path.native()),
                            failure.message()),
                failure.value());
  }
  return real;
}

/// The repository folder (models--org--repo) of a cache snapshot folder.
std::optional<fs::path> repository_of(const fs::path& snapshot) {
  const fs::path snapshots = snapshot.parent_path();
  if (snapshots.filename() != kSnapshots) return std::nullopt;
  return snapshots.parent_path();
}

/// models--org--repo → its snapshot of refs/main, or the only one there is.
std::optional<fs::path> snapshot_of(const fs::path& folder) {
  if (!folder.filename().native().starts_with(kRepositoryPrefix)) {
    return std::nullopt;
  }
  const auto names = list_directory(folder / kSnapshots);
  if (!names || names->empty()) return std::nullopt;
  if (stat_path(folder / "refs" / "main", Links::refuse)) {
    const std::string text =
        read_text_file(folder / "refs" / "main", limits::kMaxSmallFile);
    const std::string revision(trim(text));
    if (std::ranges::find(*names, revision) != names->end()) {
      return folder / kSnapshots / revision;
    }
  }
  if (names->size() == 1) return folder / kSnapshots / names->front();
  return std::nullopt;
}

bool lies_below(const fs::path& path, const fs::path& folder) {
  const auto [end, other] = std::ranges::mismatch(folder, path);
  return end == folder.end();
}

class PathTree final : public Tree {
 public:
  explicit PathTree(const fs::path& asked) {
    const auto stat = stat_path(asked, Links::follow);
    if (!stat) {
      throw Error(Errc::io,
                  fmt::format("cannot read {}: {}", printable(asked.native()),
                              stat.failure().message()),
                  stat.failure().code);
    }
    root_ = real_path(asked);
    if (stat->kind == FileKind::regular) {
      kind_ = "file";
      const std::string name = root_.filename().native();
      paths_[name] = root_;
      files_.push_back({.name = name, .size = stat->size, .mode = stat->mode});
      return;
    }
    if (stat->kind != FileKind::directory) {
      throw Error(Errc::io,
                  fmt::format("cannot read {}: it is a {}, expected a file or "
                              "a folder",
                              printable(asked.native()), to_string(stat->kind)),
                  ENOTDIR);
    }
    if (const auto snapshot = snapshot_of(root_)) root_ = real_path(*snapshot);
    repository_ = repository_of(root_);
    if (repository_) kind_ = "hf-snapshot";
    if (const auto names = list_directory(root_); !names) {
      throw Error(Errc::io,
                  fmt::format("cannot read {}: {}", printable(root_.native()),
                              names.failure().message()),
                  names.failure().code);
    }
    walk(root_, "", 0);
    std::ranges::sort(files_, {}, &TreeFile::name);
  }

  [[nodiscard]] std::string_view kind() const override { return kind_; }
  [[nodiscard]] bool is_one_file() const override { return kind_ == "file"; }
  [[nodiscard]] std::string locator() const override { return root_.native(); }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] const std::vector<TreeLack>& lacks() const override {
    return lacks_;
  }

  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    const auto found = paths_.find(file.name);
    if (found == paths_.end()) {
      throw Error(Errc::bad_input,
                  fmt::format("cannot open {}: it is a {}",
                              printable(file.name), to_string(file.kind)));
    }
    return open_source(found->second);
  }

 private:
  void walk(const fs::path& folder, const std::string& prefix, int depth) {
    if (depth > limits::kMaxDirectoryDepth) {
      problem(folder, fmt::format("deeper than {} folders",
                                  limits::kMaxDirectoryDepth));
      return;
    }
    const auto names = list_directory(folder);
    if (!names) return lack(folder, names.failure().message());
    for (const std::string& name : *names) {
      const fs::path path = folder / name;
      const auto stat = stat_path(path, Links::refuse);
      if (!stat) {
        lack(path, stat.failure().message());
        continue;
      }
      TreeFile file{.name = prefix + name,
                    .kind = stat->kind,
                    .size = stat->kind == FileKind::regular ? stat->size : 0,
                    .mode = stat->mode};
      if (stat->kind == FileKind::regular) file.links = stat->links;
      if (stat->kind == FileKind::regular) paths_[file.name] = path;
      if (stat->kind == FileKind::symlink) look_behind(path, file);
      files_.push_back(file);
      if (stat->kind == FileKind::directory) {
        walk(path, file.name + "/", depth + 1);
      }
    }
  }

  /// A link is kept as a link, but the cache's links into its own repository
  /// are how its files are stored: those become the files they name.
  void look_behind(const fs::path& path, TreeFile& file) {
    const auto target = read_link(path);
    if (!target) return problem(path, target.failure().message());
    file.link_target = *target;
    std::error_code failure;
    const fs::path real = fs::canonical(path, failure);
    if (failure) return problem(path, "a link to nothing: " + *target);
    if (!lies_below(real, repository_.value_or(root_))) {
      return problem(path, "a link that leads outside: " + *target);
    }
    if (!repository_) return;
    const auto stat = stat_path(real, Links::refuse);
    if (!stat || stat->kind != FileKind::regular) return;
    file.kind = FileKind::regular;
    file.size = stat->size;
    file.mode = stat->mode;
    file.found_as = *target;
    file.link_target.clear();
    paths_[file.name] = real;
  }

  void lack(const fs::path& path, const std::string& why) {
    problem(path, why);
    lacks_.push_back({path.native(), why});
  }

  void problem(const fs::path& path, std::string_view what) {
    problems_.push_back(
        fmt::format("{}: {}", printable(path.native()), printable(what)));
  }

  std::string_view kind_ = "folder";
  fs::path root_;
  std::optional<fs::path> repository_;
  std::map<std::string, fs::path> paths_;  // of files that can be opened
  std::vector<TreeFile> files_;
  std::vector<std::string> problems_;
  std::vector<TreeLack> lacks_;
};

class BundleTree final : public Tree {
 public:
  BundleTree(const fs::path& bundle, std::uint64_t wanted)
      : path_(bundle), reader_(bundle), is_one_item_(wanted != 0) {
    for (const Item& item : reader_.items()) {
      if (wanted != 0 && item.number != wanted) continue;
      TreeFile file{.name = item.name,
                    .kind = item.kind,
                    .size = item.size_stored,
                    .mode = item.mode,
                    .found_as = item.found_as,
                    .item = item.number,
                    .collector = item.collector};
      if (item.kind == FileKind::regular) file.sha256 = item.sha256;
      if (item.kind == FileKind::symlink) file.link_target = item.link_target;
      files_.push_back(std::move(file));
    }
    if (wanted != 0 && files_.empty()) {
      throw Error(
          Errc::bad_input,
          fmt::format("{} has no item {}", printable(path_.native()), wanted));
    }
    std::ranges::sort(files_, {}, &TreeFile::name);
    if (wanted != 0) return;  // what else was not taken says nothing about it
    for (const Gap& gap : reader_.gaps()) {
      problems_.push_back(fmt::format("{}: {}: {}", printable(gap.subject),
                                      to_string(gap.outcome),
                                      printable(gap.reason)));
      // A collector that failed as a whole names itself.
      const bool is_of_model = gap.collector == kModelCollector;
      if (is_of_model && gap.outcome != Outcome::missing) {
        lacks_.push_back({gap.subject == gap.collector ? "" : gap.subject,
                          fmt::format("{}: {}", to_string(gap.outcome),
                                      printable(gap.reason))});
      }
    }
  }

  [[nodiscard]] std::string_view kind() const override { return "exhibit"; }
  [[nodiscard]] bool is_one_file() const override { return is_one_item_; }
  [[nodiscard]] std::string locator() const override { return path_.native(); }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] const std::vector<TreeLack>& lacks() const override {
    return lacks_;
  }
  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    const Item* const item = reader_.find(file.item);
    if (item == nullptr) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has no item {}", printable(path_.native()),
                              file.item));
    }
    return reader_.open(*item);
  }

 private:
  fs::path path_;
  BundleReader reader_;
  bool is_one_item_;
  std::vector<TreeFile> files_;
  std::vector<std::string> problems_;
  std::vector<TreeLack> lacks_;
};

}  // namespace

std::unique_ptr<Tree> open_path_tree(const fs::path& path) {
  return std::make_unique<PathTree>(path);
}

std::unique_ptr<Tree> open_bundle_tree(const fs::path& bundle,
                                       std::uint64_t item) {
  return std::make_unique<BundleTree>(bundle, item);
}

}  // namespace impound
