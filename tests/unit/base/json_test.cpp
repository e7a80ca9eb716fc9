// SPDX-License-Identifier: Apache-2.0
#include "core/base/json.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

TEST_CASE("JSON keeps the order of keys", "[base]") {
  const Json json = parse_json(R"({"b":1,"a":2})", "test");
  CHECK(dump_line(json) == R"({"b":1,"a":2})");
}

TEST_CASE("JSON nested too deep is refused before it is built",
          "[base][hostile]") {
  const std::string deep(100'000, '[');
  CHECK_THROWS_AS(parse_json(deep, "test"), Error);
}

}  // namespace
}  // namespace impound::test
