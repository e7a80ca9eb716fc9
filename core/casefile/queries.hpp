// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the custody chain states, as rows. Each row type is an SQL view of the
/// same name in case.db, so that a reviewer's sqlite3 gives the same answers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"

namespace impound {

struct CaseSummary {
  std::string id;
  std::string title;
  std::string lead;
  std::string org;
  std::string opened_at;
  std::string closed_at;  ///< empty = open
  std::int64_t entries = 0;
  std::int64_t exhibits = 0;
  std::int64_t findings = 0;
  std::int64_t gaps = 0;
  std::string head;
};

struct ExhibitRow {
  std::string id;     ///< "E001"
  std::string state;  ///< "sealed", "begun" (no seal yet), "failed"
  std::string title;  ///< what was asked for
  std::string begun_at;
  std::string sealed_at;
  std::string bundle;  ///< file name below evidence/
  std::uint64_t size = 0;
  std::string sha256;
  std::string manifest_sha256;
  std::uint64_t items = 0;
  std::uint64_t gaps = 0;
  std::uint64_t payload_bytes = 0;
  std::string outcome;
  std::string run;
  std::string step;
  std::int64_t begin_seq = 0;
  Json counts;
};

struct FindingRow {
  std::int64_t seq = 0;
  std::string id;       ///< "F001"
  std::string verdict;  ///< cleared, likely, confirmed
  std::string severity;
  std::string title;
  std::string detail;
  std::vector<std::string> items;
  std::string run;
  std::string step;
  std::string at;
};

struct RunRow {
  std::string id;  ///< "R001"
  std::string playbook;
  std::string version;
  std::string playbook_sha256;
  std::string state;  ///< running, interrupted, waiting, done, failed
  std::string started_at;
  std::string ended_at;
  Json parameters;
  std::string deployment;
};

/// How far the record of a containment got: what was written, not what holds
/// now. Only engine/contain.hpp measures the present.
enum class ContainmentState : std::uint8_t {
  intended,         ///< the intent alone: the act may have begun
  applied,          ///< done, and its proof was never recorded
  contained,        ///< measured so at that time
  releasing,        ///< a release was begun and its end was never recorded
  release_failed,   ///< undone or not, it was not proved to be back
  rolling_back,     ///< a rollback was begun and its end was never recorded
  rolled_back,      ///< undone at once, and measured to be undone
  rollback_failed,  ///< undone at once, and not measured to be undone
  released,         ///< given back, and proved
};

[[nodiscard]] std::string_view to_string(ContainmentState state) noexcept;
[[nodiscard]] std::optional<ContainmentState> containment_state_from(
    std::string_view name) noexcept;

/// Whether something of it may still be in force: everything but what was
/// proved to be released or rolled back.
[[nodiscard]] bool is_open(ContainmentState state) noexcept;

struct ContainmentRow {
  std::string id;  ///< uuid of the intent entry
  std::string deployment;
  std::string method;
  ContainmentState state = ContainmentState::intended;
  std::string at;
  Json before;           ///< what undo() needs
  Json target;           ///< deployment descriptor facts for a later process
  std::string run;       ///< "R001", or empty
  std::int64_t seq = 0;  ///< of the intent entry

  [[nodiscard]] bool is_open() const noexcept {
    return impound::is_open(state);
  }
  /// An undo was begun, and no end of it is recorded.
  [[nodiscard]] bool is_being_undone() const noexcept {
    return state == ContainmentState::releasing ||
           state == ContainmentState::rolling_back;
  }
};

}  // namespace impound
