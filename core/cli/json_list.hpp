// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A document with a list too long to be held as one.

#include <functional>
#include <optional>
#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// Prints `document` as print_json() would with what `next` gives, until it
/// gives nothing, in its list `key`.
void print_json_with_list(const Json& document, std::string_view key,
                          const std::function<std::optional<Json>()>& next);

}  // namespace impound
