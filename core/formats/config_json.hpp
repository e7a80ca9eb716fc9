// SPDX-License-Identifier: Apache-2.0
#pragma once
/// JSON of a model folder, which may be hostile or a vocabulary of 200,000
/// words: read in time that grows with its size.

#include <cstdint>
#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// Values in one document: about 80 bytes each. The largest tokenizers have two
/// million.
inline constexpr std::uint64_t kMaxConfigValues = 4'000'000;

/// Parses one document as Python's json does: of a key that is there twice the
/// last value counts; NaN, Infinity and half surrogate pairs are taken, the
/// former as null.
/// @throws Error{malformed} for what is no JSON, Error{limit} for more values
/// or nesting than is read.
[[nodiscard]] Json parse_config_json(std::string_view text,
                                     std::string_view source);

}  // namespace impound
