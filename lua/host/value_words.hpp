// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Values of parameters and arguments, as a person writes them.

#include <string>

#include "core/base/json.hpp"

namespace impound::lua {

/// Text as it is, lists with commas, yes and no, "none" for null, and
/// "name=value" of each member of an object: what others chose is printable().
[[nodiscard]] std::string value_words(const Json& value);

}  // namespace impound::lua
