// SPDX-License-Identifier: Apache-2.0
#include "lua/host/lua_library.hpp"

namespace impound::lua {

std::optional<std::string_view> library_source(std::string_view name) {
  for (const LibraryModule& module : library_modules()) {
    if (module.name == name) return module.source;
  }
  return std::nullopt;
}

}  // namespace impound::lua
