// SPDX-License-Identifier: Apache-2.0
/// Colour, and tables that fit the screen.

#include "core/cli/paint.hpp"

#include <catch2/catch.hpp>

#include "core/base/text.hpp"
#include "core/cli/table.hpp"

namespace impound {
namespace {

std::string without_escapes(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      plain += text[i];
    }
  }
  return plain;
}

TEST_CASE("Paint takes no word away and adds none") {
  const std::string text =
      "critical  a  high\n  medium  b\nE001  confirmed  low\nDAMAGED: x\n";
  CHECK(painted(text) != text);
  CHECK(without_escapes(painted(text)) == text);
}

TEST_CASE("Severities are painted where a line or a column begins") {
  CHECK(painted("critical  x") == "\x1b[1;31mcritical\x1b[0m  x");
  CHECK(painted("F001  confirmed  high  t") ==
        "F001  \x1b[1;31mconfirmed\x1b[0m  \x1b[1;31mhigh\x1b[0m  t");
  CHECK(painted("  medium  x") == "  \x1b[1;33mmedium\x1b[0m  x");
  CHECK(painted("cleared (files only)  x") ==
        "\x1b[1;33mcleared (files only)\x1b[0m  x");
}

TEST_CASE("A word inside a sentence or a name is not painted") {
  for (const char* text : {"a high risk", "highest  x", "the file critical is",
                           "low-rank  x", "not critical", "x:high"}) {
    CHECK(painted(text) == text);
  }
}

const std::vector<std::vector<std::string>> kRows{
    {"exhibit", "state", "what"},
    {"E001", "sealed",
     "weights, logs and the state of the host, taken at night by somebody"},
    {"E002", "sealed", "short"}};

std::size_t widest(const std::string& text) {
  std::size_t widest = 0;
  for (const std::string& line : split(text, '\n')) {
    widest = std::max(widest, line.size());
  }
  return widest;
}

std::string words_of(const std::string& text) {
  std::string words;
  for (const char c : text) {
    if (c != ' ' && c != '\n') words += c;
  }
  return words;
}

TEST_CASE("A table fits 60 columns, and every word of it is there") {
  const std::string table = table_of_width(kRows, TableHead::first_row, 60);
  CHECK(widest(table) <= 60);
  CHECK(words_of(table) == words_of(format_table(kRows)));
}

TEST_CASE("A table that fits is as it always was") {
  CHECK(table_of_width(kRows, TableHead::first_row, 200) ==
        format_table(kRows));
}

TEST_CASE("A table of many columns becomes blocks, each cell with its name") {
  const std::vector<std::vector<std::string>> rows{
      {"exhibit", "state", "outcome", "items", "gaps", "content", "what"},
      {"E001", "sealed", "incomplete", "1234", "5", "12.3 GB",
       "weights and logs of the support desk"}};
  const std::string table = table_of_width(rows, TableHead::first_row, 60);
  CHECK(widest(table) <= 60);
  CHECK(table.starts_with("E001\n"));
  CHECK(table.find("    outcome: incomplete\n") != std::string::npos);
}

TEST_CASE("A cell with a line break forges no row") {
  const std::vector<std::vector<std::string>> rows{
      {"name", "what"}, {"a\nE999  sealed", std::string(80, 'x') + "\nE998"}};
  for (const std::size_t width : {std::size_t{30}, std::size_t{60}}) {
    const std::string table = table_of_width(rows, TableHead::first_row, width);
    for (const std::string& line : split(table, '\n')) {
      CHECK_FALSE(line.starts_with("E99"));
    }
  }
}

}  // namespace
}  // namespace impound
