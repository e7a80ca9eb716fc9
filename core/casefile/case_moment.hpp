// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Many answers about a case that are of one moment.
///
/// A CaseFile answers each question of the present. Whoever holds several
/// answers against each other (a run without an end, the question it asked, the
/// exhibit it began) would mix moments while another process appends. This
/// reads them in one read transaction, through a connection of its own: nothing
/// is locked that a writer would wait for, and nothing is written.

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/casefile/custody.hpp"
#include "core/casefile/queries.hpp"

namespace impound {

/// The projections of queries.hpp, and entries of some actions.
struct CaseMoment {
  CaseSummary summary;
  std::vector<RunRow> runs;
  std::vector<ExhibitRow> exhibits;
  std::vector<FindingRow> findings;
  std::vector<ContainmentRow> containments;
  std::vector<Json> gaps;
  std::vector<Entry> entries;  ///< of the actions asked for, in their order
};

/// `actions` is a choice because a chain is mostly acquire.file, and parsing
/// those costs more than all else.
/// @throws as the constructor of CaseFile does.
[[nodiscard]] CaseMoment read_moment(const std::filesystem::path& folder,
                                     std::span<const std::string_view> actions);

}  // namespace impound
