// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which files one [[logs]] entry of a descriptor means.
///
/// A log that is written for long is rotated: `chat.jsonl` of last week is
/// `chat.jsonl.2.gz` today, which the pattern `*.jsonl` does not match. So an
/// entry means the files that its pattern matches and their rotated set, as
/// logrotate, savelog, log4j, logback and Python's handlers name it:
///
///     chat.jsonl.1  chat.jsonl.02.gz              numbered
///     chat.jsonl-20261127.zst  chat.jsonl.2026-11-27_10   by date
///     chat-20261127.jsonl.gz  chat.2026-11-27.1.jsonl  the same before the end
///     chat.jsonl.gz  chat.jsonl.old               compressed, kept
///
/// A set is found by what a name would have been before rotation, not by what
/// lies beside it, so it is found too where the log itself is gone.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/evidence/target.hpp"

namespace impound {

/// A file that belongs to a log.
struct LogFile {
  std::filesystem::path path;
  /// The log that it was rotated from; empty: it is the log itself.
  std::filesystem::path rotated_from = {};
};

struct LogSet {
  std::vector<LogFile> files;         ///< sorted by path, each once
  std::size_t matches = 0;            ///< of the pattern itself
  std::vector<std::string> problems;  ///< what could not be listed
};

/// The files of an entry; the rotated ones only if it says so.
[[nodiscard]] LogSet find_log_files(const LogSource& source);

/// Files beside those of `entries` whose names begin like one of them and that
/// none of the entries means: what a person may have forgotten. Sorted.
[[nodiscard]] std::vector<std::filesystem::path> log_neighbours(
    const LogSource& source, const std::vector<LogSource>& entries);

/// The names that a file could have had before it was rotated, nearest first;
/// none if it does not look rotated.
[[nodiscard]] std::vector<std::string> names_before_rotation(
    std::string_view name);

}  // namespace impound
