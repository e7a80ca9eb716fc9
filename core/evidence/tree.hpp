// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Named files to look at, wherever they are: a folder, one file, an exhibit.
/// diff, scan, hunt and baseline read evidence only through this.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/source.hpp"
#include "core/crypto/digest.hpp"

namespace impound {

struct TreeFile {
  std::string name;  ///< relative, '/'-separated; raw bytes
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::string link_target = {};  ///< symlinks, as found
  /// Known without reading: from the manifest of an exhibit.
  std::optional<Digest> sha256 = {};
  /// The link that was followed to it ("../../blobs/…"), as recorded.
  std::string found_as = {};
  std::uint64_t item = 0;  ///< number in the exhibit; 0 elsewhere
  /// Which collector took it; "" elsewhere.
  std::string collector = {};
  std::uint64_t links = 1;  ///< names on its disk; 1 where nobody recorded it
};

/// Something that belongs to what was asked for and that the tree does not
/// have, because it could not be read: its absence says nothing.
struct TreeLack {
  std::string path;  ///< as asked for; empty: all of it
  std::string why;   ///< "denied: Permission denied"
};

class Tree {
 public:
  Tree() = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  virtual ~Tree() = default;

  /// "folder", "file", "hf-snapshot" or "exhibit", and where it is.
  [[nodiscard]] virtual std::string_view kind() const = 0;
  [[nodiscard]] virtual std::string locator() const = 0;

  /// Sorted by name (bytes).
  [[nodiscard]] virtual const std::vector<TreeFile>& files() const = 0;
  /// What could not be looked at: unreadable folders, links leading outside.
  [[nodiscard]] virtual const std::vector<std::string>& problems() const = 0;

  /// Those of them that are files or folders which could not be read.
  [[nodiscard]] virtual const std::vector<TreeLack>& lacks() const {
    static const std::vector<TreeLack> kNone;
    return kNone;
  }

  /// True if it is one file that was named by itself: a path, or one item of an
  /// exhibit. A folder that happens to hold one file is none.
  [[nodiscard]] virtual bool is_one_file() const { return false; }

  /// Random access to a regular file; the tree outlives the source.
  [[nodiscard]] virtual std::unique_ptr<ByteSource> open(
      const TreeFile& file) const = 0;
};

/// A folder, a single file, or a Hugging Face cache snapshot
/// (…/snapshots/<rev>, or the models--org--repo folder itself, whose refs/main
/// is taken): links are followed inside the repository folder only.
/// @throws Error{io} if `path` does not exist or cannot be read.
[[nodiscard]] std::unique_ptr<Tree> open_path_tree(
    const std::filesystem::path& path);

/// The payload of a bundle file (…/E001.tar.zst), names without "data/"; with
/// `item` from 1, that item alone.
/// @throws Error{io}, Error{malformed}, Error{integrity}, Error{bad_input} if
///         it has no such item.
[[nodiscard]] std::unique_ptr<Tree> open_bundle_tree(
    const std::filesystem::path& bundle, std::uint64_t item = 0);

}  // namespace impound
