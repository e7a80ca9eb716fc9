// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What every act of the engine needs: the case, who acts, when, for whom.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/progress.hpp"
#include "core/casefile/case_file.hpp"

namespace impound {

/// The place of an act in the journal of a playbook run. Its answer becomes
/// durable in the same transaction as the custody entries of the act.
struct JournalSlot {
  std::int64_t n = 0;
  std::string call_sha256;
  std::string call;  ///< JSON
  /// It measures or reads, so that doing it again costs time alone. What such a
  /// call says once a stop was requested may be half of it, and is no answer.
  bool is_repeatable = false;
  /// The row was handed to the case file with the entries of the act.
  bool is_answered = false;
};

struct Session {
  CaseFile& case_file;
  const Examiner& examiner;
  const Clock& clock;
  const Cancellation& cancellation;
  Progress& progress;
  std::string run = {};   ///< "R001" while a playbook acts
  std::string step = {};  ///< its step
  std::optional<JournalSlot> slot = {};

  /// The rows that make `answer` the recorded answer of the current call;
  /// none outside a playbook.
  [[nodiscard]] std::vector<JournalRow> journal(const Json& answer);

  /// A draft with run, step and action filled in.
  [[nodiscard]] EntryDraft draft(std::string_view action) const;
};

}  // namespace impound
