// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which files differ between two sides.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/view/model_view.hpp"

namespace impound {

enum class FileStatus : std::uint8_t {
  identical,
  changed,
  added,
  removed,
  renamed,     ///< same bytes under another name
  unreadable,  ///< on one side nobody could read it: nothing is known
  /// The other side is one file, and not this one: nothing was looked at.
  not_compared,
};

[[nodiscard]] std::string_view to_string(FileStatus status) noexcept;

struct FileChange {
  std::string path;      ///< on the new side; the old one where it is removed
  std::string old_path;  ///< renamed, or paired under two names; else empty
  FileStatus status = FileStatus::identical;
  std::string why;  ///< of what was not compared or could not be read
  std::optional<ViewFile> before;
  std::optional<ViewFile> after;
  /// Filled by explain_files() (text_changes.hpp); null until then and for
  /// files that are no text.
  Json content;

  /// Permission bits differ (does not make a file `changed`).
  [[nodiscard]] bool mode_changed() const;
  /// {"path","status"} and, where they say something, "from", sizes, digests.
  [[nodiscard]] Json to_json() const;
};

/// Compares by path, then finds renamed files by digest. Where both sides are
/// one file that was named by itself, they are compared whatever their names.
/// Sorted by path.
[[nodiscard]] std::vector<FileChange> diff_files(const ModelView& before,
                                                 const ModelView& after);

/// Two files that correspond, whatever their names.
[[nodiscard]] FileChange compare_files(const ViewFile& before,
                                       const ViewFile& after);

}  // namespace impound
