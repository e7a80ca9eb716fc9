// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Names by which a bill of material says what it speaks of.

#include <optional>
#include <string>
#include <string_view>

namespace impound {

/// "pkg:huggingface/EleutherAI/gpt-j-6B@<commit>".
struct HuggingfacePurl {
  std::string repository;  ///< "EleutherAI/gpt-j-6B", percent-decoded
  std::string revision;    ///< may be empty
};

/// Empty for package URLs of another type and for what is none.
/// Source: package-url/purl-spec, PURL-TYPES, "huggingface".
[[nodiscard]] std::optional<HuggingfacePurl> parse_huggingface_purl(
    std::string_view purl);

/// True for "1.5" and later of the first CycloneDX, which know model cards.
[[nodiscard]] bool is_model_spec(std::string_view version) noexcept;

}  // namespace impound
