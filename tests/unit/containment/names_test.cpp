// SPDX-License-Identifier: Apache-2.0
/// Names that lie on machines: a newer program must find what an older one
/// left.
#include "containment/names.hpp"

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

TEST_CASE("the digits in a name are those that earlier versions wrote") {
  CHECK(name_hash({"IR-1", "small"}) == "cf4a65567c382d89");
  // Where one part ends and the next begins is part of it.
  CHECK(name_hash({"IR-1s", "mall"}) != name_hash({"IR-1", "small"}));
}

TEST_CASE("a plain name has at most forty bytes, and nothing that is no name") {
  CHECK(plain_name("a/../b c", "._", '-') == "a-..-b-c");
  CHECK(plain_name("a/../b c", "_", '_') == "a____b_c");
  CHECK(plain_name(std::string(100, 'x'), "", '_').size() == 40);
}

}  // namespace
}  // namespace impound::test
