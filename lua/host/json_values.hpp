// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Values on their way between Lua and JSON.

#include <lua.hpp>

#include "core/base/json.hpp"

namespace impound::lua {

/// Functions become {"$function": {"line": n}} (a description of a playbook) or
/// are refused (arguments of a call).
enum class Functions : std::uint8_t { refuse, describe };

/// The value at `index` as JSON. A table whose keys are 1 … n is an array, one
/// with text keys an object (keys sorted by bytes), an empty one an object.
/// Text that is not UTF-8 goes through lossless_utf8(). Metatables are ignored,
/// so nothing of the playbook runs meanwhile.
/// @throws Error{bad_input} naming the place inside the value for anything that
///         JSON cannot say, Error{limit} for nesting (and so cycles).
[[nodiscard]] Json json_from_lua(lua_State* L, int index, Functions functions);

/// Pushes `json`: fresh tables, null as nil, numbers as integers where they
/// are.
void push_json(lua_State* L, const Json& json);

/// The same for what the host answers, whose texts went through
/// lossless_utf8(): a playbook gets the bytes, as they were found.
void push_answer(lua_State* L, const Json& json);

}  // namespace impound::lua
