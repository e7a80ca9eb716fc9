// SPDX-License-Identifier: Apache-2.0
/// What must not be lost on the way from a finding to a reader: in full lists,
/// in long constants, by pardons.

#include "core/scan/file_scan.hpp"
#include "core/scan/pickle_report.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

namespace {

std::string base64_of(const std::string& content) {
  return to_base64(as_bytes(content));
}

/// A pickle whose only value is this text.
std::string holding(const std::string& text) {
  return PickleWriter(4).text(text).stop();
}

}  // namespace

TEST_CASE("a grave finding stays when the list is full, wherever it stands",
          "[scan][bounds]") {
  const auto flood = [](PickleWriter& pickle) {
    for (std::size_t i = 0; i < FileScan::kMaxFindings + 50; ++i) {
      pickle.global("some.module", "name" + std::to_string(i)).raw("0");
    }
  };
  PickleWriter first(2);
  first.call("os", "system", "id").raw("0");
  flood(first);
  PickleWriter last(2);
  flood(last);
  last.call("os", "system", "id");
  for (const std::string& content : {first.raw("N").stop(), last.stop()}) {
    const FileReport report = scan_bytes(content);
    CHECK(report.verdict == Verdict::malicious);
    CHECK(report.findings.size() <= FileScan::kMaxFindings + 1);
    const ScanFinding* grave = find(report, "pickle-dangerous-call");
    REQUIRE(grave != nullptr);
    CHECK(grave->severity == Severity::critical);
    CHECK(grave->evidence == "os.system('id')");
  }
}

TEST_CASE(
    "an encoded constant is decoded up to its bound, and beyond it says "
    "so",
    "[scan][bounds]") {
  // 64 MiB of digits are 48 MiB of content, and these end with a call.
  const std::string call = PickleWriter(4).call("os", "system", "id").stop();
  const auto digits = [&](std::uint64_t size) {
    const std::size_t content = static_cast<std::size_t>(size / 4 * 3);
    std::string inner =
        "\x80\x04"s + "B" + little(content - 7 - 1 - (call.size() - 2), 4);
    inner.resize(7 + (content - 7 - 1 - (call.size() - 2)), '\0');
    inner += '0';
    inner += call.substr(2);  // without its PROTO
    REQUIRE(inner.size() == content);
    return base64_of(inner);
  };
  const std::string fitting = digits(kMaxDecodedConstant);
  REQUIRE(fitting.size() == kMaxDecodedConstant);
  const FileReport within = scan_bytes(holding(fitting));
  CHECK(within.verdict == Verdict::malicious);
  CHECK(has(within, "pickle-dangerous-call"));
  CHECK_FALSE(has(within, "file-unread"));
  CHECK(within.read_to_end);

  const FileReport beyond =
      scan_bytes(holding(digits(kMaxDecodedConstant + 4)));
  CHECK(has(beyond, "file-unread"));
  CHECK_FALSE(beyond.read_to_end);
  CHECK(beyond.verdict >= Verdict::needs_review);
}

TEST_CASE(
    "getattr of a member is pardoned, of an object with a state it is "
    "not",
    "[scan][bounds]") {
  // Python 3.11 writes members of an enumeration like this.
  const auto member = [] {
    PickleWriter pickle(4);
    pickle.stack_global("builtins", "getattr")
        .stack_global("some.library", "Kind")
        .text("WHOLE_WORD")
        .raw("\x86R");
    return pickle;
  };
  const FileReport pardoned = scan_bytes(member().stop());
  const FileReport built =
      scan_bytes(member().raw("}").text("a").text("b").raw("sb").stop());
  const ScanFinding* import = find(pardoned, "pickle-dangerous-import");
  INFO((import == nullptr ? "" : import->message));
  const auto names_getattr = [](const FileReport& report) {
    return std::any_of(report.findings.begin(), report.findings.end(),
                       [](const ScanFinding& finding) {
                         return finding.message.find("getattr") !=
                                std::string::npos;
                       });
  };
  CHECK_FALSE(names_getattr(pardoned));
  CHECK(names_getattr(built));
  CHECK(built.verdict == Verdict::malicious);
}
