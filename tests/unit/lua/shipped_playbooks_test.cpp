// SPDX-License-Identifier: Apache-2.0
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

/// Folders of the playbooks in the tree.
std::vector<fs::path> shipped() {
  const fs::path root = fs::path(IMPOUND_SOURCE_DIR) / "playbooks";
  std::vector<fs::path> folders;
  const auto names = list_directory(root);
  REQUIRE(names);
  for (const std::string& name : *names) {
    if (fs::exists(root / name / "playbook.lua")) {
      folders.push_back(root / name);
    }
  }
  return folders;
}

TEST_CASE("every shipped playbook passes its check", "[lua][playbooks]") {
  REQUIRE(!shipped().empty());
  for (const fs::path& folder : shipped()) {
    for (const Problem& problem :
         check_playbook(folder, test::child_options(), test::instruments())) {
      FAIL_CHECK(problem.text());
    }
  }
}

TEST_CASE("every shipped playbook passes its own tests", "[lua][playbooks]") {
  for (const fs::path& folder : shipped()) {
    const auto results =
        test_playbook(folder, test::child_options(), test::instruments());
    CHECK(!results.empty());
    for (const TestResult& result : results) {
      INFO(folder.string() << ": " << result.name << ": " << result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("the README of a shipped playbook holds what it declares",
          "[lua][playbooks]") {
  for (const fs::path& folder : shipped()) {
    const std::string document =
        document_playbook(load_playbook(folder, test::child_options()));
    const std::string readme = read_text_file(folder / "README.md", 1 << 20);
    INFO(document);
    CHECK(readme.find(document) != std::string::npos);
  }
}

}  // namespace
}  // namespace impound::lua
