// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Rules for functions that Lua may call, in code.
///
/// The program links liblua5.4-c++ (Lua built as C++), so a Lua error is a C++
/// exception and destructors run. Two rules follow: never write catch (...) in
/// a binding, and never let a C++ exception leave one (Lua would swallow it).

#include <lua.hpp>

#include <exception>
#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace impound::lua {

/// Pushes the error table { code, message, at }; `at` is the file and line of
/// the innermost function that a playbook's author wrote. Its text form is
/// "at: message".
void push_error(lua_State* L, std::string_view code, std::string_view message);

/// "playbook.lua:31" of the innermost function on the call stack that does not
/// belong to the tool; empty if there is none.
[[nodiscard]] std::string author_position(lua_State* L);

/// Wraps a binding so that C++ exceptions become Lua error tables.
template <int (*Body)(lua_State*)>
int guarded(lua_State* L) {
  try {
    return Body(L);
  } catch (const Error& error) {
    push_error(L, to_string(error.code()), error.what());
  } catch (const std::exception& error) {
    push_error(L, "internal", error.what());
  }
  return lua_error(L);
}

/// Text argument `index`; raises a Lua argument error if it is not a string.
/// The view lives as long as the value stays on the Lua stack.
[[nodiscard]] inline std::string_view check_text(lua_State* L, int index) {
  std::size_t size = 0;
  const char* chars = luaL_checklstring(L, index, &size);
  return {chars, size};
}

}  // namespace impound::lua
