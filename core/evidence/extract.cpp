// SPDX-License-Identifier: Apache-2.0
/// Unpacking a verified working copy out of a bundle.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/layout.hpp"

namespace impound {
namespace {

/// Copies the content of an item and returns its digest.
Digest copy_content(const ByteSource& source, const UniqueFd& out,
                    const fs::path& path) {
  Sha256 hash;
  Bytes block(static_cast<std::size_t>(
      std::min<std::uint64_t>(source.size(), limits::kFrameContent)));
  for (std::uint64_t at = 0; at < source.size();) {
    const auto part = std::span(block).first(static_cast<std::size_t>(
        std::min<std::uint64_t>(block.size(), source.size() - at)));
    source.read(at, part);
    hash.update(part);
    write_all(out, part, path);
    at += part.size();
  }
  return hash.finish();
}

/// Refuses to write through a link that an earlier item made: every folder on
/// the way must be a real folder below `root`.
void make_folders_below(const fs::path& root, const fs::path& relative) {
  fs::path at = root;
  for (const fs::path& part : relative) {
    at /= part;
    const auto stat = stat_path(at, Links::refuse);
    if (!stat) {
      create_folders(at);
    } else if (stat->kind != FileKind::directory) {
      throw Error(Errc::io,
                  fmt::format("{} is a {}, expected a folder",
                              printable(at.native()), to_string(stat->kind)),
                  ENOTDIR);
    }
  }
}

class Extraction {
 public:
  Extraction(const BundleReader& reader, const fs::path& folder)
      : reader_(reader), folder_(folder) {
    create_folders(folder);
  }

  void item(const Item& item) {
    const fs::path relative(layout::stored_name(item.name));
    const fs::path path = folder_ / relative;
    if (!is_safe_member_name(relative.native())) {
      throw Error(Errc::malformed, "the name is not safe");
    }
    make_folders_below(folder_, relative.parent_path());
    switch (item.kind) {
      case FileKind::directory:
        make_folders_below(folder_, relative);
        folders_.emplace_back(&item, path);
        break;
      case FileKind::symlink:
        // Links last: nothing is ever written through one.
        links_.emplace_back(&item, path);
        break;
      case FileKind::regular:
        regular(item, path);
        break;
      case FileKind::fifo:
      case FileKind::socket:
      case FileKind::character_device:
      case FileKind::block_device:
      case FileKind::unknown:
        throw Error(Errc::malformed, fmt::format("a {} cannot be in an exhibit",
                                                 to_string(item.kind)));
    }
  }

  void finish() {
    for (const auto& [item, path] : links_) {
      make_symlink(item->link_target, path);
    }
    // Deepest first, so that making files in them does not touch their times.
    std::ranges::reverse(folders_);
    for (const auto& [item, path] : folders_) {
      restore_metadata(path, item->mode, item->uid, item->gid, item->mtime_ns);
    }
  }

 private:
  void regular(const Item& item, const fs::path& path) {
    const auto source = reader_.open(item);
    const UniqueFd out = create_file(path, 0600);
    const Digest found = copy_content(*source, out, path);
    restore_metadata(path, item.mode, item.uid, item.gid, item.mtime_ns);
    if (found != item.sha256) {
      throw Error(Errc::integrity, fmt::format("expected SHA-256 {}, found {}",
                                               item.sha256.hex(), found.hex()));
    }
  }

  const BundleReader& reader_;
  fs::path folder_;
  std::vector<std::pair<const Item*, fs::path>> links_;
  std::vector<std::pair<const Item*, fs::path>> folders_;
};

}  // namespace

std::vector<std::string> extract_items(const BundleReader& reader,
                                       const std::vector<const Item*>& items,
                                       const fs::path& folder) {
  std::vector<std::string> problems;
  Extraction extraction(reader, folder);
  for (const Item* item : items) {
    try {
      extraction.item(*item);
    } catch (const Error& error) {
      problems.push_back(fmt::format("item {} {}: {}", item->number,
                                     printable(item->name), error.what()));
    }
  }
  try {
    extraction.finish();
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  return problems;
}

}  // namespace impound
