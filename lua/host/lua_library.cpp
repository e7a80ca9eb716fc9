// SPDX-License-Identifier: Apache-2.0
#include "lua/host/lua_library.hpp"

#include "core/base/bytes.hpp"
#include "core/crypto/digest.hpp"

namespace impound::lua {

std::string library_sha256() {
  Sha256 hash;
  for (const LibraryModule& module : library_modules()) {
    hash.update(as_bytes(sha256(module.source).hex() + "  " +
                         std::string(module.name) + "\n"));
  }
  return hash.finish().hex();
}

std::optional<std::string_view> library_source(std::string_view name) {
  for (const LibraryModule& module : library_modules()) {
    if (module.name == name) return module.source;
  }
  return std::nullopt;
}

}  // namespace impound::lua
