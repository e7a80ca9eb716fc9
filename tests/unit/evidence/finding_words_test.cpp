// SPDX-License-Identifier: Apache-2.0
/// The words of findings: one table each, read and written alike.

#include "core/evidence/finding_words.hpp"
#include "tests/support/catch.hpp"

namespace impound {
namespace {

TEST_CASE("every word of a finding reads back as what wrote it",
          "[evidence][finding]") {
  for (const std::string_view word : kFindingVerdicts) {
    INFO(word);
    REQUIRE(finding_verdict_from(word));
    CHECK(to_string(*finding_verdict_from(word)) == word);
  }
  for (const std::string_view word : kFindingSeverities) {
    INFO(word);
    REQUIRE(finding_severity_from(word));
    CHECK(to_string(*finding_severity_from(word)) == word);
  }
  CHECK_FALSE(finding_verdict_from("Cleared"));
  CHECK_FALSE(finding_verdict_from(""));
  CHECK_FALSE(finding_severity_from("hihg"));
}

TEST_CASE("files that are right clear less than a model that is",
          "[evidence][finding][I13]") {
  CHECK(FindingVerdict::cleared < FindingVerdict::cleared_files_only);
  CHECK(FindingVerdict::cleared_files_only < FindingVerdict::likely);
  CHECK(is_cleared(FindingVerdict::cleared_files_only));
  CHECK_FALSE(is_cleared(FindingVerdict::likely));
}

}  // namespace
}  // namespace impound
