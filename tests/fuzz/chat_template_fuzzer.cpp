// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The chat template analysis on arbitrary text.

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/formats/chat/chat_template.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  const TemplateReport report = analyse_chat_template(text);
  for (const TemplateCondition& condition : report.conditions) {
    static_cast<void>(describe(condition));
  }
  static_cast<void>(analyse_chat_template(text, "{{ messages }}"));
  return 0;
}
