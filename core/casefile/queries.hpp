// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the custody chain states, as rows. Each row type is an SQL view of the
/// same name in case.db, so that a reviewer's sqlite3 gives the same answers.

#include <cstdint>
#include <optional>
#include <string>
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

struct ContainmentRow {
  std::string id;  ///< uuid of the intent entry
  std::string deployment;
  std::string method;
  /// intended, applied, contained, releasing, released, release_failed,
  /// rolling_back, rolled_back, rollback_failed
  std::string state;
  std::string at;
  Json before;  ///< what undo() needs
  Json target;  ///< deployment descriptor facts for a later process

  /// False once its end is recorded and was proved.
  [[nodiscard]] bool is_open() const {
    return state != "released" && state != "rolled_back";
  }
};

}  // namespace impound
