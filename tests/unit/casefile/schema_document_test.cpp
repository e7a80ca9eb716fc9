// SPDX-License-Identifier: Apache-2.0
/// SCHEMA.md and the program say the same.

#include <map>
#include <set>
#include <tuple>

#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/record_files.hpp"
#include "core/casefile/schema.hpp"
#include "core/crypto/digest.hpp"
#include "core/storage/sqlite.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

using Names = std::vector<std::string>;

/// Words between backticks.
Names words_in_ticks(std::string_view text) {
  Names names;
  const Names parts = split(text, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) names.push_back(parts[i]);
  return names;
}

/// The document, taken apart by its headings and tables.
struct Document {
  std::map<std::string, Names> columns;  ///< of "table x" and "view x"
  std::map<std::string, Names> actions;  ///< required keys of detail
  std::map<std::string, Names> fields;
  std::set<std::string> triggers;
  std::set<std::string> exported;
  Names line_keys;

  Document() {
    const std::string text = read_text_file(
        fs::path(IMPOUND_SOURCE_DIR) / "core/casefile/SCHEMA.md", 1 << 20);
    std::string section;
    for (const std::string& line : split(text, '\n')) {
      if (line.starts_with("#")) {
        section = trim(line.substr(line.find_first_not_of('#')));
        std::erase(section, '`');
      }
      if (!line.starts_with("| ")) continue;
      const Names cells = split(line, '|');
      const Names first = words_in_ticks(cells[1]);
      if (section == "The line") {
        const Names key = words_in_ticks(cells[2]);
        line_keys.insert(line_keys.end(), key.begin(), key.end());
      } else if (first.empty()) {
        continue;
      } else if (section == "The export") {
        exported.insert(first.begin(), first.end());
      } else if (section == "Triggers") {
        triggers.insert(first[0]);
      } else if (section == "Actions" && cells.size() > 6) {
        actions[first[0]] = words_in_ticks(cells[2]);
        fields[first[0]] = words_in_ticks(cells[3]);
      } else if (section.starts_with("table ") ||
                 section.starts_with("view ")) {
        Names& all = columns[section];
        all.insert(all.end(), first.begin(), first.end());
      }
    }
  }
};

Names words(std::string_view text, std::string_view separators) {
  Names names;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (separators.find(c) == separators.npos) {
      word += c;
    } else if (!word.empty()) {
      names.push_back(std::exchange(word, {}));
    }
  }
  return names;
}

TEST_CASE("SCHEMA.md names every table, view and column, and no other",
          "[casefile]") {
  const Scene scene;
  const Database database(scene.folder / "case.db", Database::Mode::read_only);
  std::map<std::string, Names> real;
  std::set<std::string> triggers;
  Statement objects = database.prepare(
      "SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL");
  while (objects.step()) {
    const std::string type(objects.text(0));
    const std::string name(objects.text(1));
    if (type == "trigger") {
      triggers.insert(name);
      continue;
    }
    // A view is asked with the program's words; see view_query().
    real[type + " " + name] =
        database
            .prepare(type == "view" ? view_query(name)
                                    : "SELECT * FROM " + name)
            .column_names();
  }
  const Document document;
  CHECK(document.columns == real);
  CHECK(document.triggers == triggers);
}

TEST_CASE("SCHEMA.md has the digest of the schema's text for every version",
          "[casefile]") {
  const std::string document = read_text_file(
      fs::path(IMPOUND_SOURCE_DIR) / "core/casefile/SCHEMA.md", 1 << 20);
  for (std::int64_t version = 1; version <= newest_schema(); ++version) {
    std::vector<SchemaRow> rows = schema_rows(version);
    std::ranges::sort(rows, [](const SchemaRow& a, const SchemaRow& b) {
      return std::tie(a.type, a.name) < std::tie(b.type, b.name);
    });
    std::string text;
    for (const SchemaRow& row : rows) {
      text +=
          row.type + "|" + row.name + "|" + row.table + "|" + row.sql + "\n";
    }
    const std::string expected =
        "`" + sha256(text).hex() + "` in version " + std::to_string(version);
    INFO(expected);
    CHECK(document.find(expected) != std::string::npos);
  }
}

TEST_CASE("SCHEMA.md names every action with its keys, and the keys of a line",
          "[casefile]") {
  const Document document;
  CHECK(document.line_keys == Names(kEntryKeys.begin(), kEntryKeys.end()));
  CHECK(document.actions.size() == action_rules().size());
  for (const ActionRule& rule : action_rules()) {
    INFO(rule.name);
    const std::string name(rule.name);
    REQUIRE(document.actions.contains(name));
    CHECK(document.actions.at(name) == words(rule.detail, " |"));
    CHECK(document.fields.at(name) == words(rule.fields, " "));
  }
}

TEST_CASE("The table of an export's files is the one of the document",
          "[casefile]") {
  std::set<std::string> table;
  for (const ExportFile& file : kExportFiles) table.emplace(file.name);
  CHECK(table == Document().exported);
}

}  // namespace
}  // namespace impound::test
