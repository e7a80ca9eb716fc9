// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which globals a compiled chunk reads and writes, without running it.

#include <lua.hpp>

#include <string>
#include <vector>

namespace impound::lua {

struct GlobalUse {
  std::string name;
  int line = 0;
  bool is_write = false;
};

/// Every use of a global in the function on top of the stack and in the
/// functions inside it, in the order of the code. Reads the compiled form,
/// lua_dump's, of Lua 5.4 (lopcodes.h: OP_GETTABUP, OP_SETTABUP; ldump.c).
[[nodiscard]] std::vector<GlobalUse> global_uses(lua_State* L);

}  // namespace impound::lua
