# SPDX-License-Identifier: Apache-2.0
# Every library that impound uses, found once. All are Debian 12 packages; their
# names for apt stand in debian-packages.txt at the root.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(SQLite3 3.37 REQUIRED)  # 3.37: STRICT tables
find_package(LibArchive REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(ZLIB REQUIRED)  # raw deflate inside zip members
find_package(CURL REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)  # settings of models
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
# Lua built as C++: its errors run our destructors. lua5.4 (the C build) does not.
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4-c++)
