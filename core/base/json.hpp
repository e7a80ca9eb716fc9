// SPDX-License-Identifier: Apache-2.0
#pragma once
/// JSON with keys in the order they were written.

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace impound {

using Json = nlohmann::ordered_json;

/// Parses one document, strictly (RFC 8259, UTF-8), nested at most
/// limits::kMaxDepth deep.
/// @throws Error{malformed} naming `source` and the byte offset, Error{limit}.
[[nodiscard]] Json parse_json(std::string_view text, std::string_view source);

/// One line, no spaces, keys in their order, no LF at the end. Text that is not
/// UTF-8 must have gone through lossless_utf8() before: here it is replaced.
[[nodiscard]] std::string dump_line(const Json& json);

/// Indented for people, LF at the end.
[[nodiscard]] std::string dump_pretty(const Json& json);

/// Typed access to a document that somebody else wrote.
/// @throws Error{malformed} naming `source`, the key and the expected type.
[[nodiscard]] const Json& require_key(const Json& object, std::string_view key,
                                      std::string_view source);
[[nodiscard]] std::string require_text(const Json& object, std::string_view key,
                                       std::string_view source);
[[nodiscard]] std::uint64_t require_u64(const Json& object,
                                        std::string_view key,
                                        std::string_view source);

/// The text under `key`, or `otherwise` if it is absent or no text.
[[nodiscard]] std::string text_or(const Json& object, std::string_view key,
                                  std::string_view otherwise);

}  // namespace impound
