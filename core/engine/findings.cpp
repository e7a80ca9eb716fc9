// SPDX-License-Identifier: Apache-2.0
#include "core/engine/findings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/exhibits.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound {
namespace {

/// @throws Error{bad_input} unless `reference` names a sealed exhibit of this
/// case or an item of one.
void require_evidence(const std::vector<ExhibitRow>& exhibits,
                      const std::string& reference) {
  const auto fail = [&](const std::string& why) {
    throw Error(Errc::bad_input,
                fmt::format("a finding cannot rest on \"{}\": {}",
                            printable(reference), why));
  };
  const auto parsed = parse_exhibit_reference(reference);
  if (!parsed) fail("expected an exhibit or an item of one, E001 or E001/17");
  const auto row =
      std::ranges::find(exhibits, parsed->exhibit, &ExhibitRow::id);
  if (row == exhibits.end()) {
    fail("the case has no exhibit " + parsed->exhibit);
  }
  if (row->state != "sealed") {
    fail(fmt::format("exhibit {} is {}, not sealed", row->id, row->state));
  }
  // Items are numbered from 1 without a gap.
  if (parsed->item > row->items) {
    fail(fmt::format("exhibit {} has {} items", row->id, row->items));
  }
}

}  // namespace

std::string add_finding(Session& session, const Finding& finding) {
  if (finding.items.empty()) {
    throw Error(Errc::bad_input,
                "a finding must name the evidence it rests on");
  }
  const auto exhibits = session.case_file.exhibits();
  for (const std::string& item : finding.items) {
    require_evidence(exhibits, item);
  }
  EntryDraft draft = session.draft("note");
  draft.item = finding.items.front();
  draft.detail["kind"] = "finding";
  draft.detail["verdict"] = to_string(finding.verdict);
  draft.detail["severity"] = to_string(finding.severity);
  draft.detail["title"] = lossless_utf8(finding.title);
  draft.detail["detail"] = lossless_utf8(finding.detail);
  draft.detail["items"] = finding.items;
  draft.detail["playbook"] = finding.playbook;
  // Numbered by the case file, under its lock; the journal row needs the
  // number.
  std::string id;
  session.case_file.append(
      {draft}, session.examiner, [&](const std::vector<Entry>& entries) {
        id = text_or(entries.front().json.at("detail"), "id", "");
        return session.journal({{"finding", id}});
      });
  return id;
}

void add_gap(Session& session, const std::string& subject,
             const std::string& reason, const std::string& outcome) {
  const auto known = outcome_from(outcome);
  if (!known || *known == Outcome::ok || !is_item_outcome(*known)) {
    throw Error(Errc::bad_input,
                fmt::format("outcome \"{}\" of a gap: expected missing, "
                            "denied, failed, partial or empty",
                            printable(outcome)));
  }
  EntryDraft draft = session.draft("acquire.file");
  // It is no gap of any exhibit: its run and step say who looked for it.
  draft.outcome = *known;
  Json object;
  object["kind"] = "gap";
  object["path"] = lossless_utf8(subject);
  draft.object = std::move(object);
  draft.detail["gap"] = true;
  draft.detail["collector"] = "playbook";
  draft.detail["reason"] = lossless_utf8(reason);
  session.case_file.append({draft}, session.examiner,
                           session.journal(Json::object()));
}

}  // namespace impound
