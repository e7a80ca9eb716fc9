// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/schema.sql.hpp"

namespace impound {
namespace {

const sql::SchemaVersion& schema_version(std::int64_t version) {
  for (const auto& known : sql::kVersions) {
    if (known.version == version) return known;
  }
  throw Error(Errc::bad_input,
              fmt::format("no case file has format {}", version));
}

/// The table that an index or a trigger belongs to: the word behind " ON ".
std::string trigger_table(std::string_view text) {
  const std::size_t at = text.find(" ON ") + 4;
  return std::string(text.substr(at, text.find(' ', at) - at));
}

std::string row_text(const SchemaRow& row) {
  return fmt::format("{} {} on {}: {}", row.type, row.name, row.table,
                     row.sql.empty() ? "(no text)" : row.sql);
}

}  // namespace

void create_schema(const Database& database) {
  for (const auto& object : sql::kTables) database.execute(object.sql);
  for (const auto& object : sql::kTriggers) database.execute(object.sql);
  for (const auto& object : sql::kViews) database.execute(object.sql);
  database.stamp(sql::kApplicationId, sql::kUserVersion);
}

std::int64_t newest_schema() noexcept { return sql::kUserVersion; }

bool is_schema_old(const Database& database) {
  return database.user_version() < sql::kUserVersion;
}

void upgrade_schema(const Database& database) {
  for (const auto& view : schema_version(database.user_version()).views) {
    database.execute(fmt::format("DROP VIEW {}", view.name));
  }
  for (const auto& view : sql::kViews) database.execute(view.sql);
  database.stamp(sql::kApplicationId, sql::kUserVersion);
}

std::vector<SchemaRow> schema_rows(std::int64_t version) {
  std::vector<SchemaRow> rows;
  for (const auto& [name, text] : sql::kTables) {
    rows.push_back(
        {"table", std::string(name), std::string(name), std::string(text)});
  }
  // SQLite makes it for the primary key of two columns.
  rows.push_back({"index", "sqlite_autoindex_journal_1", "journal", ""});
  for (const auto& [name, text] : sql::kTriggers) {
    rows.push_back(
        {"trigger", std::string(name), trigger_table(text), std::string(text)});
  }
  for (const auto& [name, text] : schema_version(version).views) {
    rows.push_back(
        {"view", std::string(name), std::string(name), std::string(text)});
  }
  return rows;
}

std::vector<SchemaDeparture> compare_schema(const Database& database) {
  std::multimap<std::string, SchemaRow> found;
  Statement rows =
      database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema");
  while (rows.step()) {
    SchemaRow row{std::string(rows.text(0)), std::string(rows.text(1)),
                  std::string(rows.text(2)), std::string(rows.text(3))};
    found.emplace(row.name, std::move(row));
  }
  std::vector<SchemaDeparture> departures;
  for (const SchemaRow& row : schema_rows(database.user_version())) {
    const auto [first, last] = found.equal_range(row.name);
    const auto here = std::find_if(
        first, last, [&](const auto& one) { return one.second == row; });
    if (here != last) {
      found.erase(here);
      continue;
    }
    departures.push_back({row.name, row_text(row),
                          first == last ? "nothing" : row_text(first->second)});
    if (first != last) found.erase(first);
  }
  // SQLite gives a table and a trigger the same name if asked to.
  for (const auto& [name, row] : found) {
    departures.push_back({name, "nothing", row_text(row)});
  }
  return departures;
}

void require_case_file(const Database& database) {
  const std::string path = printable(database.path().native());
  if (database.application_id() != sql::kApplicationId) {
    throw Error(
        Errc::malformed,
        fmt::format("{} is not an impound case: offset 68: expected "
                    "application id {:#x}, found {:#x}",
                    path, sql::kApplicationId, database.application_id()));
  }
  const std::int64_t version = database.user_version();
  if (version > sql::kUserVersion) {
    throw Error(Errc::unsupported,
                fmt::format("{} has case format {}, this program knows {} and "
                            "older; use a newer impound",
                            path, version, sql::kUserVersion));
  }
  if (version < 1) {
    throw Error(Errc::malformed,
                fmt::format("{} is not an impound case: expected format "
                            "version 1 to {}, found {}",
                            path, sql::kUserVersion, version));
  }
}

std::string view_query(std::string_view view) {
  for (const auto& object : sql::kViews) {
    if (object.name != view) continue;
    return std::string(object.sql.substr(object.sql.find(" AS ") + 4));
  }
  throw Error(Errc::bad_input, fmt::format("no view is called {}", view));
}

}  // namespace impound
