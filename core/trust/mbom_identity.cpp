// SPDX-License-Identifier: Apache-2.0
#include "core/trust/mbom_identity.hpp"

#include <charconv>

namespace impound {
namespace {

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* first = text.data() + i + 1;
      const auto result = std::from_chars(first, first + 2, value, 16);
      if (result.ec == std::errc() && result.ptr == first + 2) {
        decoded += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    decoded += text[i];
  }
  return decoded;
}

}  // namespace

std::optional<HuggingfacePurl> parse_huggingface_purl(std::string_view purl) {
  constexpr std::string_view kPrefix = "pkg:huggingface/";
  if (!purl.starts_with(kPrefix)) return std::nullopt;
  std::string_view rest = purl.substr(kPrefix.size());
  rest = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t at = rest.rfind('@');
  HuggingfacePurl parts;
  if (at != std::string_view::npos) {
    parts.revision = percent_decoded(rest.substr(at + 1));
  }
  parts.repository = percent_decoded(rest.substr(0, at));
  return parts;
}

bool is_model_spec(std::string_view version) noexcept {
  if (!version.starts_with("1.")) return false;
  unsigned minor = 0;
  const char* end = version.data() + version.size();
  const auto result = std::from_chars(version.data() + 2, end, minor);
  return result.ec == std::errc() && result.ptr == end && minor >= 5;
}

}  // namespace impound
