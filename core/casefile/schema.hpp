// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Makes the schema of a case file, and says where a file departs from it.

#include <string>
#include <string_view>
#include <vector>

#include "core/storage/sqlite.hpp"

namespace impound {

/// Tables, triggers and views of version sql::kUserVersion in an empty file.
void create_schema(const Database& database);

/// One departure: a trigger that is gone, a view that says something else.
struct SchemaDeparture {
  std::string name;
  std::string expected;
  std::string found;
};

/// Compares the text of every table, index, trigger and view with ours.
[[nodiscard]] std::vector<SchemaDeparture> compare_schema(
    const Database& database);

/// @throws Error{malformed} "not an impound case", Error{unsupported} for a
///         newer version.
void require_case_file(const Database& database);

/// The SELECT behind one of our views: the program asks with its own words, not
/// with those that stand in somebody's file.
[[nodiscard]] std::string view_query(std::string_view view);

}  // namespace impound
