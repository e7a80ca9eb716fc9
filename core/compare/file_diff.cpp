// SPDX-License-Identifier: Apache-2.0
#include "core/compare/file_diff.hpp"

#include <algorithm>
#include <map>

#include "core/base/text.hpp"

namespace impound {
namespace {

FileStatus compare_content(const ViewFile& before, const ViewFile& after) {
  if (before.kind != after.kind) return FileStatus::changed;
  if (before.kind == FileKind::symlink) {
    return before.link_target == after.link_target ? FileStatus::identical
                                                   : FileStatus::changed;
  }
  if (before.kind != FileKind::regular) return FileStatus::identical;
  switch (same_bytes(before, after)) {
    case SameBytes::yes:
      return FileStatus::identical;
    case SameBytes::no:
      return FileStatus::changed;
    case SameBytes::unknown:
      break;
  }
  // Of what could be opened, the size is measured as well.
  const bool are_known = before.failure.empty() && after.failure.empty();
  return are_known && before.size != after.size ? FileStatus::changed
                                                : FileStatus::unreadable;
}

/// Turns one removed and one added file with the same bytes into one renamed.
/// Empty files are all alike and say nothing.
void join_renamed(std::vector<FileChange>& changes) {
  std::multimap<Digest, std::size_t> removed;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const FileChange& change = changes[i];
    if (change.status != FileStatus::removed || change.before->size == 0) {
      continue;
    }
    const std::optional<Digest>& digest = lookup_digest(*change.before);
    if (digest) removed.emplace(*digest, i);
  }
  std::vector<bool> is_gone(changes.size(), false);
  for (FileChange& change : changes) {
    if (change.status != FileStatus::added) continue;
    const std::optional<Digest>& digest = lookup_digest(*change.after);
    if (!digest) continue;
    const auto twin = removed.find(*digest);
    if (twin == removed.end()) continue;
    change.status = FileStatus::renamed;
    change.before = changes[twin->second].before;
    change.old_path = change.before->path;
    is_gone[twin->second] = true;
    removed.erase(twin);
  }
  std::vector<FileChange> kept;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!is_gone[i]) kept.push_back(std::move(changes[i]));
  }
  changes = std::move(kept);
}

}  // namespace

FileChange compare_files(const ViewFile& before, const ViewFile& after) {
  const FileStatus status = compare_content(before, after);
  const std::string& why =
      before.unhashed.empty() ? after.unhashed : before.unhashed;
  return {.path = after.path,
          .old_path = before.path == after.path ? "" : before.path,
          .status = status,
          .why = status == FileStatus::unreadable ? why : std::string(),
          .before = before,
          .after = after,
          .content = nullptr};
}

std::string_view to_string(FileStatus status) noexcept {
  switch (status) {
    case FileStatus::identical:
      return "identical";
    case FileStatus::changed:
      return "changed";
    case FileStatus::added:
      return "added";
    case FileStatus::removed:
      return "removed";
    case FileStatus::renamed:
      return "renamed";
    case FileStatus::unreadable:
      return "unreadable";
    case FileStatus::not_compared:
      return "not_compared";
  }
  return "unreadable";
}

bool FileChange::mode_changed() const {
  return before && after && before->kind == FileKind::regular &&
         after->kind == FileKind::regular && before->mode != 0 &&
         after->mode != 0 && before->mode != after->mode;
}

Json FileChange::to_json() const {
  Json json = {{"path", lossless_utf8(path)}, {"status", to_string(status)}};
  if (!old_path.empty()) json["from"] = lossless_utf8(old_path);
  if (before) json["size_before"] = before->size;
  if (after) json["size_after"] = after->size;
  if (before && before->sha256) {
    json["sha256_before"] = before->sha256->hex();
  }
  if (after && after->sha256) json["sha256_after"] = after->sha256->hex();
  if (before && before->folded) {
    json["folded_sha256_before"] = before->folded->hex();
  }
  if (after && after->folded) {
    json["folded_sha256_after"] = after->folded->hex();
  }
  if (!why.empty()) json["why"] = why;
  if (!content.is_null()) json["content"] = content;
  if (mode_changed()) {
    json["mode_before"] = before->mode;
    json["mode_after"] = after->mode;
  }
  return json;
}

std::vector<FileChange> diff_files(const ModelView& before,
                                   const ModelView& after) {
  std::vector<FileChange> changes;
  if (before.is_one_file && after.is_one_file && before.files.size() == 1 &&
      after.files.size() == 1) {
    changes.push_back(compare_files(before.files[0], after.files[0]));
    return changes;
  }
  for (const ViewFile& file : before.files) {
    if (const ViewFile* twin = after.find_file(file.path)) {
      changes.push_back(compare_files(file, *twin));
    } else {
      changes.push_back({.path = file.path,
                         .old_path = {},
                         .status = FileStatus::removed,
                         .why = {},
                         .before = file,
                         .after = std::nullopt,
                         .content = nullptr});
    }
  }
  for (const ViewFile& file : after.files) {
    if (before.find_file(file.path) != nullptr) continue;
    changes.push_back({.path = file.path,
                       .old_path = {},
                       .status = FileStatus::added,
                       .why = {},
                       .before = std::nullopt,
                       .after = file,
                       .content = nullptr});
  }
  join_renamed(changes);
  std::stable_sort(
      changes.begin(), changes.end(),
      [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  return changes;
}

}  // namespace impound
