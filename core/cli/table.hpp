// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Tables that fit the screen they are shown on.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace impound {

enum class TableHead : bool { none, first_row };

/// Rows as format_table() of text.hpp makes them, where that fits into `width`
/// columns. Else the last column is wrapped below itself; and where there is no
/// room for that, each row becomes a block: its first cell, then one line for
/// each other cell that is not empty, after the name of its column.
[[nodiscard]] std::string table_of_width(
    std::span<const std::vector<std::string>> rows, TableHead head,
    std::size_t width);

/// For standard output: of the width of the terminal, or of any width where
/// there is none, so that programs get one line a row.
[[nodiscard]] std::string fitted_table(
    std::span<const std::vector<std::string>> rows, TableHead head);

}  // namespace impound
