// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/dsse.hpp"

#include <fmt/format.h>

namespace impound {

std::string dsse_pae(std::string_view payload_type, std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", payload_type.size(), payload_type,
                     payload.size(), payload);
}

std::string dsse_pae_v02(std::string_view payload_type,
                         std::string_view payload) {
  return fmt::format("DSSEV1 {} {} {} {}", payload_type.size(), payload_type,
                     payload.size(), python_bytes_repr(payload));
}

std::string python_bytes_repr(std::string_view bytes) {
  const bool has_single = bytes.find('\'') != std::string_view::npos;
  const bool has_double = bytes.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string text{'b', quote};
  for (const char letter : bytes) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == quote || letter == '\\') {
      text += '\\';
      text += letter;
    } else if (letter == '\t') {
      text += "\\t";
    } else if (letter == '\n') {
      text += "\\n";
    } else if (letter == '\r') {
      text += "\\r";
    } else if (code < 0x20 || code >= 0x7F) {
      text += fmt::format("\\x{:02x}", code);
    } else {
      text += letter;
    }
  }
  text += quote;
  return text;
}

}  // namespace impound
