// SPDX-License-Identifier: Apache-2.0
#pragma once
/// JSON of which a stranger chose every byte: parsed in time that grows with
/// its length.

#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// Keys of one object. Keys keep their order in a list, so that reading an
/// object takes the square of their number; signatures have ten.
inline constexpr std::size_t kMaxObjectKeys = 1000;

/// Like parse_json(), for documents whose objects are small.
/// @throws Error{malformed} naming `source` and the byte offset, Error{limit}
///         for more than kMaxObjectKeys or deeper than limits::kMaxDepth.
[[nodiscard]] Json parse_bounded_json(std::string_view text,
                                      std::string_view source);

}  // namespace impound
