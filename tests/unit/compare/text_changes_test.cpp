// SPDX-License-Identifier: Apache-2.0
#include "core/compare/meaning/text_changes.hpp"

#include "core/compare/meaning/line_diff.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"

namespace impound::test {
namespace {

ModelDiff explain(const MemoryTree::Files& before,
                  const MemoryTree::Files& after) {
  const MemoryTree one(before);
  const MemoryTree two(after);
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView a = view_tree(one, {}, progress, cancellation);
  const ModelView b = view_tree(two, {}, progress, cancellation);
  ModelDiff diff = diff_models(a, b);
  explain_files(diff, a, b);
  return diff;
}

TEST_CASE("a unified diff as diff -u writes it", "[compare]") {
  CHECK(unified_diff("a\nb\n", "a\nb\n") == "");
  CHECK(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                     "1\n2\n3\n4\nfive\n6\n7\n8\n9\n") ==
        "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
  CHECK(unified_diff("", "a\nb\n") == "@@ -0,0 +1,2 @@\n+a\n+b\n");
  CHECK(unified_diff("a\n", "") == "@@ -1,1 +0,0 @@\n-a\n");
  CHECK(unified_diff("a\nb\nc\n", "b\nc\nd\n") ==
        "@@ -1,3 +1,3 @@\n-a\n b\n c\n+d\n");
  CHECK(unified_diff("a\n", "a")->starts_with("only the line end"));
}

TEST_CASE("two distant changes are two hunks", "[compare]") {
  std::string before;
  for (int i = 1; i <= 30; ++i) before += std::to_string(i) + "\n";
  std::string after = before;
  after.replace(after.find("3\n"), 2, "three\n");
  after.replace(after.find("27\n"), 3, "twenty-seven\n");
  const auto lines = unified_diff(before, after);
  REQUIRE(lines);
  CHECK(lines->starts_with("@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n"));
  CHECK(lines->find("@@ -24,7 +24,7 @@\n") != std::string::npos);
}

TEST_CASE("texts that share nothing are not drawn", "[compare]") {
  std::string before;
  std::string after;
  for (int i = 0; i < 1500; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  CHECK_FALSE(unified_diff(before, after));
}

TEST_CASE("a configuration is compared by path", "[compare]") {
  const ModelDiff diff = explain(
      {{"config.json",
        R"({"auto_map":{},"eos":[1,2],"a/b":1,"t":"x\ny\n","same":true})"},
       {"w.bin", std::string("\0a", 2)}},
      {{"config.json",
        R"({"auto_map":{"AutoModel":"evil.py"},"eos":[1],"a/b":2,)"
        R"("t":"x\nz\n","same":true})"},
       {"w.bin", std::string("\0b", 2)}});
  const Json files = diff.to_json()["files"];
  const Json& changes = files[0]["content"]["json"];
  REQUIRE(changes.size() == 4);
  CHECK(changes[0]["path"] == "/auto_map/AutoModel");
  CHECK(changes[0]["after"] == "evil.py");
  CHECK_FALSE(changes[0].contains("before"));
  CHECK(changes[1]["path"] == "/eos/1");
  CHECK_FALSE(changes[1].contains("after"));
  CHECK(changes[2]["path"] == "/a~1b");
  CHECK(changes[3]["unified"] == "@@ -1,2 +1,2 @@\n x\n-y\n+z\n");
  CHECK_FALSE(files[1].contains("content"));
  CHECK(diff.to_text().find("/auto_map/AutoModel: (none) → \"evil.py\"") !=
        std::string::npos);
}

TEST_CASE("code and templates are compared line by line", "[compare]") {
  const ModelDiff diff = explain(
      {{"chat_template.jinja", "{{ messages }}\n"}, {"broken.json", "{\n1\n"}},
      {{"chat_template.jinja", "{{ messages }}\n\x1b[2J{{ evil }}\n"},
       {"broken.json", "{\n2\n"}});
  const std::string text = diff.to_text();
  CHECK(text.find("+") != std::string::npos);
  CHECK(text.find("{{ evil }}") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(diff.files[0].content["unified"] == "@@ -1,2 +1,2 @@\n {\n-1\n+2\n");
}

TEST_CASE("a list of many differences is cut and counted", "[compare]") {
  Json one = Json::array();
  Json two = Json::array();
  for (int i = 0; i < 1000; ++i) {
    one.push_back(i);
    two.push_back(i + 1);
  }
  const Json changes = diff_json(one, two);
  CHECK(changes["json"].size() == kMostJsonChanges);
  CHECK(changes["left_out"] == 1000 - kMostJsonChanges);
}

TEST_CASE("a template on one line is compared clause by clause",
          "[compare][text]") {
  const auto lines = unified_text_diff(
      "{% for m in messages %}{{ m.content }}{% endfor %}",
      "{% for m in messages %}{% if 'x' in m.content %}{{ 'y' }}{% endif %}"
      "{{ m.content }}{% endfor %}");
  REQUIRE(lines);
  CHECK(*lines ==
        "@@ -1,3 +1,6 @@\n"
        " {% for m in messages %}\n"
        "+{% if 'x' in m.content %}\n"
        "+{{ 'y' }}\n"
        "+{% endif %}\n"
        " {{ m.content }}\n"
        " {% endfor %}\n");
  CHECK_FALSE(unified_text_diff("one line", "another"));
}

}  // namespace
}  // namespace impound::test
