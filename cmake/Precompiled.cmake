# SPDX-License-Identifier: Apache-2.0
# impound_precompiled(<target> <set>): the target reads the precompiled header of
# that set. Parsing these headers took two seconds in each of 400 files.
#
# Only headers of others stand here: a change of ours must not build everything
# anew. A file still includes what it uses: configure with
# -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON to see that it does.
set(IMPOUND_PRECOMPILED_rooms
  <algorithm> <array> <charconv> <cstdint> <filesystem> <fstream> <functional>
  <map> <memory> <optional> <set> <span> <string> <string_view> <vector>
  <fmt/format.h> <nlohmann/json.hpp>)
set(IMPOUND_PRECOMPILED_commands ${IMPOUND_PRECOMPILED_rooms} <CLI/CLI.hpp>)
set(IMPOUND_PRECOMPILED_tests ${IMPOUND_PRECOMPILED_rooms} <catch2/catch.hpp>)

# Compiled once for all targets of a set: they have the same flags.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cpp
  CONTENT "// A target needs a source.\n" @ONLY)

function(impound_precompiled target set)
  if(NOT TARGET impound_precompiled_${set})
    add_library(impound_precompiled_${set} OBJECT
      ${PROJECT_BINARY_DIR}/precompiled.cpp)
    target_link_libraries(impound_precompiled_${set} PRIVATE
      impound_flags fmt::fmt nlohmann_json::nlohmann_json)
    target_precompile_headers(impound_precompiled_${set} PRIVATE
      ${IMPOUND_PRECOMPILED_${set}})
  endif()
  if(set STREQUAL tests)
    set_target_properties(${target} impound_precompiled_tests PROPERTIES
      IMPOUND_IS_TEST ON)
  endif()
  target_precompile_headers(${target} REUSE_FROM impound_precompiled_${set})
endfunction()
