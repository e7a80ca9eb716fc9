// SPDX-License-Identifier: Apache-2.0
/// GGUF: a structure that readers in C trust, a chat template that is a
/// program, and room for what belongs to no tensor.

#include "core/formats/gguf/gguf.hpp"

#include "core/base/text.hpp"
#include "core/scan/metadata_report.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"
#include "core/scan/template_report.hpp"

namespace impound {
namespace {

void report_texts(ScanContext& context, const GgufFile& file) {
  for (const GgufEntry& entry : file.entries) {
    // Templates and vocabularies are read as what they are.
    if (entry.key.starts_with("tokenizer.")) continue;
    const auto* scalar = std::get_if<GgufScalar>(&entry.value);
    const auto* text =
        scalar == nullptr ? nullptr : std::get_if<std::string>(scalar);
    if (text == nullptr) continue;
    report_metadata_text(context, printable(entry.key), entry.offset, *text);
  }
}

}  // namespace

void scan_gguf(ScanContext& context, const Subject& subject) {
  const GgufFile file = read_gguf(subject.source);
  context.add_problems(file.problems);
  for (const GgufTemplate& each : gguf_templates(file)) {
    report_chat_template(context, printable(each.key), each.offset, false,
                         each.text);
  }
  report_texts(context, file);
  if (!file.complete) {
    context.unread(file.data_offset, "the GGUF header is not read to its end");
    return;
  }
  const std::uint64_t size = subject.source.size();
  if (file.data_end == 0 || file.data_end >= size) return;
  // Bytes that belong to no tensor: what they are is looked at.
  const SubSource rest(subject.source, file.data_end, size - file.data_end);
  context.scan_member("behind the tensors", file.data_end, rest,
                      MemberBytes::in_file);
  scan_pickle_rest(context, rest, file.data_end);
}

}  // namespace impound
