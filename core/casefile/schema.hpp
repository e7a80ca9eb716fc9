// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Makes the schema of a case file, and says where a file departs from it.
///
/// A file keeps the version that it was made with until somebody writes to it.
/// The program never needs the views of a file (it asks with view_query()), so
/// a file of an older version can be read as it is; the views are for a
/// reviewer with sqlite3, and what they say may become better from version to
/// version. upgrade_schema() then puts the new views in, and the chain tells
/// that.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/storage/sqlite.hpp"

namespace impound {

/// Tables, triggers and views of version sql::kUserVersion in an empty file.
void create_schema(const Database& database);

/// The version that is written: sql::kUserVersion.
[[nodiscard]] std::int64_t newest_schema() noexcept;

/// True if the file has an older version than the one that is written.
[[nodiscard]] bool is_schema_old(const Database& database);

/// Replaces the views by those of sql::kUserVersion. Within the caller's
/// transaction, which also records it.
void upgrade_schema(const Database& database);

/// One departure: a trigger that is gone, a view that says something else.
struct SchemaDeparture {
  std::string name;
  std::string expected;
  std::string found;
};

/// Compares every row of sqlite_schema (tables, indexes, triggers and views,
/// those without text as well) with what the program writes for the version
/// that the file says it has.
[[nodiscard]] std::vector<SchemaDeparture> compare_schema(
    const Database& database);

/// One row of sqlite_schema; `sql` is empty for an index that SQLite makes by
/// itself.
struct SchemaRow {
  std::string type;
  std::string name;
  std::string table;
  std::string sql;

  auto operator<=>(const SchemaRow&) const = default;
};

/// Every row that a file of `version` has, in no particular order.
/// @throws Error{bad_input} for a version that the program does not know.
[[nodiscard]] std::vector<SchemaRow> schema_rows(std::int64_t version);

/// @throws Error{malformed} "not an impound case", Error{unsupported} for a
///         newer version.
void require_case_file(const Database& database);

/// The SELECT behind one of our views: the program asks with its own words, not
/// with those that stand in somebody's file.
[[nodiscard]] std::string view_query(std::string_view view);

}  // namespace impound
