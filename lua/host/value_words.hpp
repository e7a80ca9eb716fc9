// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Values of parameters and arguments, as a person writes them.

#include <string>

#include "core/base/json.hpp"

namespace impound::lua {

/// Text as it is, or in quotes where it could be taken for more than one value;
/// lists with commas, true and false, "none" for null, and "name=value" of each
/// member of an object; lists and objects inside in brackets. What others chose
/// is printable().
[[nodiscard]] std::string value_words(const Json& value);

}  // namespace impound::lua
