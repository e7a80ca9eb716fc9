// SPDX-License-Identifier: Apache-2.0
#include "core/scan/scan.hpp"

#include <algorithm>

#include "core/scan/blob_check.hpp"
#include "core/scan/code_files.hpp"
#include "core/scan/file_scan.hpp"

namespace impound {
namespace {

FileReport unreadable(const TreeFile& file, const Error& error) {
  FileReport report;
  report.path = file.name;
  report.size = file.size;
  report.format = "unknown";
  report.verdict = Verdict::needs_review;
  report.read_to_end = false;
  ScanFinding finding;
  finding.rule = "file-unread";
  finding.severity = Severity::medium;
  finding.message = error.what();
  report.findings.push_back(std::move(finding));
  return report;
}

FileReport scan_file(const Tree& tree, const TreeFile& file,
                     const ScanOptions& options,
                     const Cancellation& cancellation) {
  try {
    const std::unique_ptr<ByteSource> source = tree.open(file);
    FileScan scan(tree, file, options, cancellation);
    FileReport report = scan.run(*source);
    report_code_file(file, *source, report);
    // Whether its structure was walked to the end or not, its bytes were.
    if (options.depth == ScanOptions::Depth::every_byte &&
        !cancellation.requested() &&
        (report.read_to_end || !report.sha256.empty())) {
      check_blob_name(file, *source, report);
    }
    return report;
  } catch (const Error& error) {
    return unreadable(file, error);
  }
}

}  // namespace

Verdict ScanReport::verdict() const {
  Verdict worst = Verdict::no_code;
  for (const FileReport& file : files) worst = std::max(worst, file.verdict);
  return worst;
}

bool ScanReport::is_complete() const {
  return problems.empty() && !was_cancelled &&
         std::all_of(files.begin(), files.end(),
                     [](const FileReport& file) { return file.read_to_end; });
}

int ScanReport::exit_code() const {
  const bool has_findings =
      std::any_of(files.begin(), files.end(), [](const FileReport& file) {
        // That a file could not be read is no finding about what it holds.
        return file.verdict == Verdict::malicious ||
               std::any_of(file.findings.begin(), file.findings.end(),
                           [](const ScanFinding& finding) {
                             return finding.rule != "file-unread" &&
                                    finding.severity >= Severity::medium;
                           });
      });
  if (has_findings) return 1;
  return is_complete() ? 0 : 3;
}

ScanReport scan_tree(const Tree& tree, const ScanOptions& options,
                     Progress& progress, const Cancellation& cancellation) {
  ScanReport report;
  report.locator = tree.locator();
  report.problems = tree.problems();
  std::uint64_t total = 0;
  for (const TreeFile& file : tree.files()) {
    if (file.kind == FileKind::regular) total += file.size;
  }
  progress.begin("scan", total);
  std::uint64_t done = 0;
  for (const TreeFile& file : tree.files()) {
    if (file.kind != FileKind::regular) continue;
    if (cancellation.requested()) {
      report.was_cancelled = true;
      break;
    }
    progress.advance(done, file.name);
    report.files.push_back(scan_file(tree, file, options, cancellation));
    done += file.size;
  }
  progress.advance(done, "");
  report.was_cancelled = report.was_cancelled || cancellation.requested();
  progress.end(std::to_string(report.files.size()) + " files, verdict " +
               std::string(to_string(report.verdict())));
  return report;
}

}  // namespace impound
