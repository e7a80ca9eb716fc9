// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Scans a tree of files for what would run if they were loaded.

#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/evidence/tree.hpp"
#include "core/scan/finding.hpp"
#include "core/scan/scan_options.hpp"

namespace impound {

struct FileReport {
  std::string path;    ///< name in the tree; raw bytes
  std::string sha256;  ///< hex; "" if it was neither known nor asked for
  std::string format;  ///< "torch-zip", "zip+pickle", "unknown"
  std::uint64_t size = 0;
  Verdict verdict = Verdict::no_code;
  bool read_to_end = true;
  std::vector<ScanFinding> findings;  ///< gravest first
};

struct ScanReport {
  std::string locator;  ///< Tree::locator()
  std::vector<FileReport> files;
  std::vector<std::string> problems;  ///< what the tree could not show
  bool was_cancelled = false;

  [[nodiscard]] Verdict verdict() const;
  /// Every file was read to its end, and the tree had no problems.
  [[nodiscard]] bool is_complete() const;
  /// 0: complete and nothing needs a look; 1: findings that need a look;
  /// 3: none, but something could not be read.
  [[nodiscard]] int exit_code() const;
};

/// Scans every regular file of `tree`, one after the other. Memory does not
/// grow with the size of a model: files are read in blocks of 4 MiB, unpacked
/// members above 64 MiB go to a temporary file. What grows with the content is
/// bounded: about 400 MB for the values of a pickle (PickleHeap, PickleMemo) or
/// of a JSON document (kMaxConfigValues), 1000 findings of a file, 10 GiB
/// unpacked. A file that cannot be read becomes an entry with read_to_end =
/// false; nothing is thrown for one bad file.
[[nodiscard]] ScanReport scan_tree(const Tree& tree, const ScanOptions& options,
                                   Progress& progress,
                                   const Cancellation& cancellation);

/// {"files":[{"path","sha256","format","verdict","findings":[…]}],"verdict"}.
[[nodiscard]] Json to_json(const ScanReport& report);
/// For people: what would run, file by file, gravest first.
[[nodiscard]] std::string to_text(const ScanReport& report);
/// SARIF 2.1.0, one run.
[[nodiscard]] Json to_sarif(const ScanReport& report,
                            std::string_view tool_version);

}  // namespace impound
