// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is known of the bytes of a file or a tensor, and when that says whether
/// two of them are the same.

#include <cstdint>
#include <optional>

#include "core/crypto/digest.hpp"

namespace impound {

struct KnownDigests {
  std::optional<Digest> sha256;
  /// FoldedSha256, where the other side may have no other.
  std::optional<Digest> folded;
};

enum class SameBytes : std::uint8_t {
  yes,
  no,
  unknown,  ///< no digest that both have
};

/// Of two things with sha256 and folded.
template <typename Thing>
[[nodiscard]] SameBytes same_bytes(const Thing& one, const Thing& two) {
  if (one.sha256 && two.sha256) {
    return *one.sha256 == *two.sha256 ? SameBytes::yes : SameBytes::no;
  }
  if (one.folded && two.folded) {
    return *one.folded == *two.folded ? SameBytes::yes : SameBytes::no;
  }
  return SameBytes::unknown;
}

/// The digest by which equals are looked up among many: all of a comparison
/// have the folded one, or none has.
template <typename Thing>
[[nodiscard]] const std::optional<Digest>& lookup_digest(const Thing& one) {
  return one.folded ? one.folded : one.sha256;
}

}  // namespace impound
