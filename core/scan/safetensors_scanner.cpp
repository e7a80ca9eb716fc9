// SPDX-License-Identifier: Apache-2.0
/// safetensors: no code, but a structure that may hide something, and metadata
/// that may carry it.

#include "core/formats/safetensors.hpp"

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

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

void report_metadata(ScanContext& context, const std::string& key,
                     const std::string& value) {
  const std::string lower = to_lower_ascii(value);
  ScanFinding finding;
  finding.member = "__metadata__." + printable(key);
  finding.evidence = value.substr(0, 4096);
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

}  // namespace

bool recognise_safetensors(const Subject& subject) {
  return looks_like_safetensors(subject.head, subject.source.size());
}

void scan_safetensors(ScanContext& context, const Subject& subject) {
  const Safetensors file = read_safetensors(subject.source, subject.name);
  context.add_problems(file.problems);
  for (const auto& [key, value] : file.metadata) {
    report_metadata(context, key, value);
  }
  std::uint64_t end = file.data_offset;
  for (const TensorInfo& tensor : file.tensors) {
    end = std::max(end, tensor.offset + tensor.size);
  }
  const std::uint64_t size = subject.source.size();
  if (file.data_offset == 0 || end >= size) return;
  // Bytes that belong to no tensor: what they are is looked at.
  const SubSource rest(subject.source, end, size - end);
  context.scan_member("behind the tensors", end, rest, MemberBytes::in_file);
  scan_pickle_rest(context, rest, end);
}

}  // namespace impound
