// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/schema.hpp"

#include <fmt/format.h>

#include <map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/schema.sql.hpp"

namespace impound {
namespace {

template <typename Visit>
void for_each_object(Visit visit) {
  for (const auto& object : sql::kTables) visit(object);
  for (const auto& object : sql::kTriggers) visit(object);
  for (const auto& object : sql::kViews) visit(object);
}

}  // namespace

void create_schema(const Database& database) {
  for_each_object(
      [&](const sql::SchemaObject& object) { database.execute(object.sql); });
  database.stamp(sql::kApplicationId, sql::kUserVersion);
}

std::vector<SchemaDeparture> compare_schema(const Database& database) {
  std::map<std::string, std::string, std::less<>> found;
  Statement rows = database.prepare(
      "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  std::vector<SchemaDeparture> departures;
  while (rows.step()) {
    const std::string name(rows.text(0));
    if (found.emplace(name, rows.text(1)).second) continue;
    // SQLite gives a table and a trigger the same name if asked to.
    departures.push_back(
        {name, "nothing else of that name", std::string(rows.text(1))});
  }
  for_each_object([&](const sql::SchemaObject& object) {
    const auto here = found.find(object.name);
    if (here == found.end()) {
      departures.push_back(
          {std::string(object.name), std::string(object.sql), "nothing"});
      return;
    }
    if (here->second != object.sql) {
      departures.push_back(
          {std::string(object.name), std::string(object.sql), here->second});
    }
    found.erase(here);
  });
  for (const auto& [name, text] : found) {
    departures.push_back({name, "nothing", text});
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
                            "version 1, found {}",
                            path, version));
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
