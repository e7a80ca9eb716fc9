# SPDX-License-Identifier: Apache-2.0
# The one place where flags are set.

# -O3 buys nothing here that -O2 has not, and costs a tenth of every build. The
# unit tests' own files are not optimised (property IMPOUND_IS_TEST of a target):
# they run for seconds, and optimising them took as long again as compiling them.
# The rooms that they test are the ones that ship.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(is_test $<BOOL:$<TARGET_PROPERTY:IMPOUND_IS_TEST>>)

add_library(impound_flags INTERFACE)
target_include_directories(impound_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(impound_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
  -fstack-protector-strong
  # Debug paths inside the binary do not depend on where the tree lies.
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(IMPOUND_SANITIZE)
  target_compile_options(impound_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(impound_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(impound_flags INTERFACE
    $<IF:${is_test},-O0,-D_FORTIFY_SOURCE=2>)
endif()
if(IMPOUND_FUZZ)
  target_compile_options(impound_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(impound_flags INTERFACE -fsanitize=address,undefined)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
