// SPDX-License-Identifier: Apache-2.0
#include "core/engine/session.hpp"

namespace impound {

std::vector<JournalRow> Session::journal(const Json& answer) {
  if (!slot) return {};
  if (slot->is_repeatable && cancellation.requested()) return {};
  JournalRow row;
  row.run = run;
  row.n = slot->n;
  row.call_sha256 = slot->call_sha256;
  row.call = slot->call;
  row.answer = dump_line(answer);
  slot->is_answered = true;
  return {std::move(row)};
}

EntryDraft Session::draft(std::string_view action) const {
  EntryDraft draft;
  draft.action = action;
  draft.run = run;
  draft.step = step;
  return draft;
}

}  // namespace impound
