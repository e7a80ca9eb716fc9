// SPDX-License-Identifier: Apache-2.0
#include "containment/freezer.hpp"

#include <filesystem>
#include <fstream>

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {
namespace {

TEST_CASE("a group that a faster release removed is nothing to thaw",
          "[containment]") {
  const TempDir folder;
  for (const FreezeMethod method :
       {FreezeMethod::cgroup_v2, FreezeMethod::cgroup_v1}) {
    const FreezerGroup gone(method, folder.path() / "impound-gone");
    CHECK_FALSE(gone.exists());
    CHECK_FALSE(gone.thaw());
    CHECK(gone.members().empty());
    CHECK(gone.remove());
  }
}

TEST_CASE("a group that is there is told to thaw", "[containment]") {
  const TempDir folder;
  std::ofstream(folder.path() / "cgroup.freeze") << "1";
  const FreezerGroup group(FreezeMethod::cgroup_v2, folder.path());
  CHECK(group.thaw());
  std::ifstream file(folder.path() / "cgroup.freeze");
  CHECK(file.get() == '0');
}

}  // namespace
}  // namespace impound::test
