// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Scanning one file that a test made.

#include <algorithm>
#include <string>
#include <string_view>

#include "core/scan/scan.hpp"
#include "tests/support/folder_tree.hpp"

namespace impound::test {

#ifdef IMPOUND_READERS_AGREE
/// That comparing takes every file for what scanning takes it for: a property
/// of every sample that any test of the scanner makes (readers_agree_test.cpp).
void check_readers_agree(const Tree& tree, const ScanReport& report);
#endif

[[nodiscard]] inline ScanReport scan_files(
    std::map<std::string, std::string> files, ScanOptions options = {}) {
  SilentProgress progress;
  const Cancellation cancellation;
  const BytesTree tree(std::move(files));
  ScanReport report = scan_tree(tree, options, progress, cancellation);
#ifdef IMPOUND_READERS_AGREE
  check_readers_agree(tree, report);
#endif
  return report;
}

[[nodiscard]] inline FileReport scan_bytes(std::string content,
                                           std::string name = "model") {
  return scan_files({{std::move(name), std::move(content)}}).files.at(0);
}

[[nodiscard]] inline const ScanFinding* find(const FileReport& report,
                                             std::string_view rule) {
  const auto found = std::find_if(
      report.findings.begin(), report.findings.end(),
      [&](const ScanFinding& finding) { return finding.rule == rule; });
  return found == report.findings.end() ? nullptr : &*found;
}

[[nodiscard]] inline bool has(const FileReport& report, std::string_view rule) {
  return find(report, rule) != nullptr;
}

}  // namespace impound::test
