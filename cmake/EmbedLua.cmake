# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=file.cpp -DROOT=folder -DFILES="a.lua;b.lua" -P EmbedLua.cmake
# Writes the Lua files as C++ raw strings: module "impound.fake" for
# ROOT/impound/fake.lua.
set(text "// Made from lua/lib by cmake/EmbedLua.cmake.\n")
string(APPEND text "#include \"lua/host/lua_library.hpp\"\n\n")
string(APPEND text "namespace impound::lua {\nnamespace {\n\n")
string(APPEND text "constexpr LibraryModule kModules[] = {\n")
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(REGEX REPLACE "\\.lua$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  file(READ ${file} source)
  string(APPEND text "    {\"${name}\", R\"impound_lua(${source})impound_lua\"},\n")
endforeach()
string(APPEND text "};\n\n}  // namespace\n\n")
string(APPEND text "std::span<const LibraryModule> library_modules() {\n")
string(APPEND text "  return kModules;\n}\n\n}  // namespace impound::lua\n")
file(WRITE ${OUT} "${text}")
