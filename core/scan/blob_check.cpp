// SPDX-License-Identifier: Apache-2.0
#include "core/scan/blob_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/evidence/blob_name.hpp"
#include "core/scan/rule_catalogue.hpp"

namespace impound {

void check_blob_name(const TreeFile& file, const ByteSource& source,
                     FileReport& report) {
  const std::optional<BlobName> name = promised_digest(file);
  if (!name) return;
  const std::string found = !name->is_git && !report.sha256.empty()
                                ? report.sha256
                                : digest_like(*name, source);
  if (found == name->hex) return;
  ScanFinding finding;
  finding.rule = "file-blob-name";
  finding.severity = Severity::high;
  finding.message = fmt::format("the store calls it {}, but its {} is {}",
                                printable(name->as_found),
                                name->is_git ? "git SHA-1" : "SHA-256", found);
  finding.atlas = std::string(find_rule(finding.rule)->atlas);
  report.verdict = std::max(report.verdict, verdict_of(finding.severity));
  report.findings.insert(report.findings.begin(), std::move(finding));
}

}  // namespace impound
