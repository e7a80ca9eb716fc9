// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one place that knows which Catch2 is installed (Debian 12: 2.13).

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace impound::test {

/// The source tree that these tests belong to. A function and no macro on the
/// command line, so that a compiler cache serves every checkout.
[[nodiscard]] std::string source_folder();

}  // namespace impound::test

#define IMPOUND_SOURCE_DIR impound::test::source_folder()
