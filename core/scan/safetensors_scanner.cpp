// SPDX-License-Identifier: Apache-2.0
/// safetensors: no code, but a structure that may hide something, and metadata
/// that may carry it.

#include "core/formats/safetensors/safetensors.hpp"

#include <algorithm>

#include "core/base/text.hpp"
#include "core/scan/metadata_report.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

void scan_safetensors(ScanContext& context, const Subject& subject) {
  const Safetensors file = read_safetensors(subject.source, subject.name);
  context.add_problems(file.problems);
  for (const auto& [key, value] : file.metadata) {
    report_metadata_text(context, "__metadata__." + printable(key), 0, value);
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
