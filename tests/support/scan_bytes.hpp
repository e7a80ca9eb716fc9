// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Scanning one file that a test made.

#include <algorithm>
#include <string>
#include <string_view>

#include "core/scan/scan.hpp"
#include "tests/support/folder_tree.hpp"

namespace impound::test {

[[nodiscard]] inline ScanReport scan_files(
    std::map<std::string, std::string> files, ScanOptions options = {}) {
  SilentProgress progress;
  const Cancellation cancellation;
  const BytesTree tree(std::move(files));
  return scan_tree(tree, options, progress, cancellation);
}

[[nodiscard]] inline FileReport scan_bytes(std::string content,
                                           std::string name = "model.bin") {
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
