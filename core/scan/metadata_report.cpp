// SPDX-License-Identifier: Apache-2.0
#include "core/scan/metadata_report.hpp"

#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// What has no place in a model's own description of itself.
struct Suspicion {
  std::string_view text;
  std::string_view what;
};

constexpr std::array kSuspicions{
    Suspicion{"__import__", "Python code"},
    Suspicion{"eval(", "Python code"},
    Suspicion{"exec(", "Python code"},
    Suspicion{"os.system", "Python code"},
    Suspicion{"subprocess", "Python code"},
    Suspicion{"<script", "HTML code"},
    Suspicion{"javascript:", "a script as an address"},
    Suspicion{"__reduce__", "Python code"},
    Suspicion{"/bin/sh", "a shell command"},
    Suspicion{"/bin/bash", "a shell command"},
    Suspicion{"curl http", "a shell command"},
    Suspicion{"wget http", "a shell command"},
    Suspicion{"powershell", "a shell command"},
};

}  // namespace

void report_metadata_text(ScanContext& context, const std::string& where,
                          std::uint64_t offset, std::string_view value) {
  const std::string lower = to_lower_ascii(value);
  ScanFinding finding;
  finding.member = where;
  finding.offset = offset;
  finding.evidence = std::string(value.substr(0, 4096));
  for (const Suspicion& suspicion : kSuspicions) {
    if (lower.find(suspicion.text) == std::string::npos) continue;
    finding.rule = "metadata-code";
    finding.severity = Severity::medium;
    finding.message = std::string(suspicion.what) + " in the metadata";
    context.add(std::move(finding));
    return;
  }
  if (lower.find("http://") != std::string::npos ||
      lower.find("https://") != std::string::npos) {
    finding.rule = "metadata-url";
    finding.severity = Severity::info;
    finding.message = "an address in the metadata";
    context.add(std::move(finding));
  }
}

}  // namespace impound
