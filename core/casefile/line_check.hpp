// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One line of somebody's chain, judged as bytes: what it must look like by
/// itself, and what its place in the chain demands.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/entry_line.hpp"

namespace impound {

/// A line that was read without looking at its neighbours.
struct CheckedLine {
  Json json;  ///< null if the line is no entry at all
  std::vector<CustodyProblem> problems;
};

/// Size, UTF-8, JSON, keys and their order, times, required fields. Never
/// throws for anything that `line` holds.
[[nodiscard]] CheckedLine check_line(std::int64_t seq, std::string_view line);

/// Version, case, number, link and id, compared with the bytes that the place
/// demands. Precondition: `json` is `line` and has an entry's keys.
void check_place(const ChainPlace& place, std::string_view line,
                 const Json& json, std::vector<CustodyProblem>& problems);

/// The beginning of hostile text, printable and bounded, for a problem.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace impound
