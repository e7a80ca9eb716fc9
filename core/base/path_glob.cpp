// SPDX-License-Identifier: Apache-2.0
#include "core/base/path_glob.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

class Walk {
 public:
  explicit Walk(std::string_view pattern) : pattern_(pattern) {
    parts_ = split(pattern, '/');
    // A group that holds a '/' cannot be matched part by part.
    for (const std::string& part : parts_) {
      if (part.find("**") != part.npos ||
          std::ranges::count(part, '{') != std::ranges::count(part, '}')) {
        any_depth_ = true;
      }
    }
  }

  GlobMatches run() {
    std::size_t fixed = 0;
    fs::path base;
    while (fixed + 1 < parts_.size() && !has_wildcard(parts_[fixed])) {
      base /= parts_[fixed].empty() ? "/" : parts_[fixed];
      ++fixed;
    }
    if (base.empty()) base = ".";
    folder(base, fixed, 0);
    std::ranges::sort(found_.paths, {}, [](const fs::path& path) {
      return std::string_view(path.native());
    });
    return std::move(found_);
  }

 private:
  /// `part`: the place in the pattern of the names in this folder.
  void folder(const fs::path& path, std::size_t part, int depth) {
    const auto names = list_directory(path);
    if (!names) {
      if (!names.failure().is_missing()) {
        found_.problems.push_back(fmt::format("cannot list {}: {}",
                                              printable(path.native()),
                                              names.failure().message()));
      }
      return;
    }
    for (const std::string& name : *names) {
      if (++seen_ > kMaxGlobNames) {
        if (seen_ == kMaxGlobNames + 1) {
          found_.problems.push_back(fmt::format("stopped after {} names at {}",
                                                kMaxGlobNames,
                                                printable(path.native())));
        }
        return;
      }
      one(path / name, name, part, depth);
    }
  }

  void one(const fs::path& path, const std::string& name, std::size_t part,
           int depth) {
    const auto stat = stat_path(path, Links::refuse);
    if (!stat) return;  // gone since the folder was listed
    if (stat->kind != FileKind::directory) {
      if (glob_match(pattern_, path.native())) found_.paths.push_back(path);
      return;
    }
    if (depth >= limits::kMaxDirectoryDepth) {
      found_.problems.push_back(fmt::format("deeper than {} folders: {}",
                                            limits::kMaxDirectoryDepth,
                                            printable(path.native())));
      return;
    }
    const bool may_hold_matches =
        any_depth_ ||
        (part + 1 < parts_.size() && glob_match(parts_[part], name));
    if (may_hold_matches) folder(path, part + 1, depth + 1);
  }

  std::string_view pattern_;
  std::vector<std::string> parts_;
  bool any_depth_ = false;
  std::size_t seen_ = 0;
  GlobMatches found_;
};

}  // namespace

bool has_wildcard(std::string_view pattern) noexcept {
  return pattern.find_first_of("*?[{") != pattern.npos;
}

GlobMatches find_matches(std::string_view pattern) {
  const fs::path literal(pattern);
  if (stat_path(literal, Links::refuse))
    return {.paths = {literal}, .problems = {}};
  if (!has_wildcard(pattern)) return {};
  return Walk(pattern).run();
}

}  // namespace impound
