// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The Lua that is shipped with the tool (lua/lib), inside the program: there
/// is nothing to find, and nothing to replace, at run time.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace impound::lua {

struct LibraryModule {
  std::string_view name;  ///< "impound.fake"
  std::string_view source;
};

/// Made by CMake from lua/lib/**.lua.
[[nodiscard]] std::span<const LibraryModule> library_modules();

/// SHA-256 over one line "<sha256>  <name>" a module, in hex: what the record
/// of a run says of the library that it ran with.
[[nodiscard]] std::string library_sha256();

/// The source of a module; empty if the tool has none of this name.
[[nodiscard]] std::optional<std::string_view> library_source(
    std::string_view name);

}  // namespace impound::lua
