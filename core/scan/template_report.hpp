// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Turns what a chat template does into findings, wherever it stands.

#include <string>
#include <string_view>

#include "core/scan/file_scanner.hpp"

namespace impound {

/// Analyses `source`, a Jinja template, and reports what it does.
/// @param where the part of the present subject that holds it
///        ("tokenizer.chat_template"), or "" if it is the subject itself.
/// @param offset of the template in the subject, bytes. `is_verbatim` says that
///        its bytes stand there unescaped, so that offsets can be added.
void report_chat_template(ScanContext& context, const std::string& where,
                          std::uint64_t offset, bool is_verbatim,
                          std::string_view source);

}  // namespace impound
