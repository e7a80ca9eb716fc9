// SPDX-License-Identifier: Apache-2.0
#include "core/engine/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/exhibits.hpp"
#include "core/evidence/finding_words.hpp"

namespace impound {
namespace {

/// An approval is worth as long as the incident is acute.
constexpr std::int64_t kApprovalLifeNs = 24LL * 3600 * 1'000'000'000;

template <std::size_t N>
void require_one_of(std::string_view value,
                    const std::array<std::string_view, N>& known,
                    std::string_view what) {
  if (std::ranges::find(known, value) != known.end()) return;
  std::string names;
  for (const std::string_view name : known) {
    names += names.empty() ? "" : ", ";
    names += name;
  }
  throw Error(Errc::bad_input, fmt::format("{} \"{}\": expected one of {}",
                                           what, printable(value), names));
}

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

/// The policy that case.open stated.
int approvals_needed(const CaseFile& case_file) {
  const auto first = case_file.entries(1);
  if (first.empty()) return 0;
  const Json& detail = first.front().json.at("detail");
  const auto policy = detail.find("approvals");
  if (policy == detail.end() || !policy->is_number_integer()) return 0;
  return policy->get<int>();
}

std::string fingerprint_of(const Json& line) {
  const std::string auth = text_or(line.at("actor"), "auth", "");
  const std::size_t at = auth.rfind("key ");
  return at == std::string::npos ? auth : auth.substr(at + 4);
}

std::string plan_of(const CaseFile& case_file, std::string_view run) {
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "action", "") == "playbook.start" &&
        text_or(entry.json, "run", "") == run) {
      return text_or(entry.json.at("detail"), "plan_sha256", "");
    }
  }
  throw Error(Errc::bad_input, fmt::format("case {} has no run \"{}\"",
                                           case_file.id(), printable(run)));
}

/// What the approver signs besides the entry itself, so that the approval can
/// be shown without the chain.
std::string approval_text(const CaseFile& case_file, std::string_view run,
                          std::string_view plan, std::string_view expires) {
  return fmt::format(
      "impound approval\ncase {}\nrun {}\nplan {}\nisolate\n"
      "until {}\n",
      case_file.id(), run, plan, expires);
}

EntryDraft grant_draft(const Session& session, const std::string& run,
                       const std::string& plan, const std::string& reason) {
  const std::string expires =
      format_time(session.clock.now() + kApprovalLifeNs);
  EntryDraft draft = session.draft("approval.grant");
  draft.run = run;
  draft.detail["plan_sha256"] = plan;
  draft.detail["class"] = "isolate";
  draft.detail["approver"] = session.examiner.actor.name;
  draft.detail["signature"] = to_base64(session.examiner.key.sign(
      as_bytes(approval_text(session.case_file, run, plan, expires))));
  draft.detail["expires_at"] = expires;
  draft.detail["reason"] = lossless_utf8(reason);
  return draft;
}

}  // namespace

std::string add_finding(Session& session, const Finding& finding) {
  require_one_of(finding.verdict, kFindingVerdicts, "verdict");
  require_one_of(finding.severity, kFindingSeverities, "severity");
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
  draft.detail["verdict"] = finding.verdict;
  draft.detail["severity"] = finding.severity;
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

void request_answer(Session& session, const Json& question) {
  EntryDraft draft = session.draft("note");
  draft.detail["kind"] = "question";
  draft.detail["id"] = text_or(question, "id", "");
  draft.detail["text"] = lossless_utf8(text_or(question, "question", ""));
  draft.detail["choices"] = question.at("choices");
  session.case_file.append({draft}, session.examiner);
}

Json record_answer(Session& session, const Json& question,
                   const std::string& answer, const std::string& basis) {
  Json result;
  result["answer"] = answer;
  result["by"] = session.examiner.actor.name;
  result["at"] = format_time(session.clock.now());
  EntryDraft draft = session.draft("note");
  draft.detail["kind"] = "answer";
  draft.detail["id"] = text_or(question, "id", "");
  draft.detail["text"] = lossless_utf8(text_or(question, "question", ""));
  draft.detail["answer"] = answer;
  draft.detail["basis"] = basis;
  session.case_file.append({draft}, session.examiner, session.journal(result));
  return result;
}

std::optional<std::string> recorded_answer(const CaseFile& case_file,
                                           std::string_view run,
                                           std::string_view id) {
  std::optional<std::string> answer;
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "action", "") != "note" ||
        text_or(entry.json, "run", "") != run) {
      continue;
    }
    const Json& detail = entry.json.at("detail");
    if (text_or(detail, "kind", "") == "answer" &&
        text_or(detail, "id", "") == id) {
      answer = text_or(detail, "answer", "");
    }
  }
  return answer;
}

int approvals_missing(const CaseFile& case_file, std::string_view run) {
  const int needed = approvals_needed(case_file);
  if (needed == 0) return 0;
  std::string starter;
  std::set<std::string> approvers;
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "run", "") != run) continue;
    const std::string action = text_or(entry.json, "action", "");
    if (action == "playbook.start" && starter.empty()) {
      starter = fingerprint_of(entry.json);
    } else if (action == "approval.grant") {
      approvers.insert(fingerprint_of(entry.json));
    } else if (action == "approval.deny") {
      throw Error(
          Errc::bad_input,
          fmt::format(
              "{} was denied by {}: {}", printable(run),
              printable(text_or(entry.json.at("actor"), "name", "?")),
              printable(text_or(entry.json.at("detail"), "reason", ""))));
    }
  }
  approvers.erase(starter);
  return std::max(0, needed - static_cast<int>(approvers.size()));
}

std::vector<std::string> approval_ids(const CaseFile& case_file,
                                      std::string_view run) {
  std::vector<std::string> ids;
  if (approvals_needed(case_file) == 0) return ids;
  for (const Entry& entry : case_file.entries()) {
    if (text_or(entry.json, "action", "") == "approval.grant" &&
        text_or(entry.json, "run", "") == run) {
      ids.push_back(text_or(entry.json, "id", ""));
    }
  }
  return ids;
}

void request_approval(Session& session, const std::string& plan_sha256,
                      const std::string& what) {
  EntryDraft draft = session.draft("approval.request");
  draft.detail["plan_sha256"] = plan_sha256;
  draft.detail["class"] = "isolate";
  draft.detail["reason"] = "the playbook wants to " + what;
  draft.detail["expires_at"] =
      format_time(session.clock.now() + kApprovalLifeNs);
  session.case_file.append({draft}, session.examiner);
}

void decide_approval(Session& session, const std::string& run, bool granted,
                     const std::string& reason) {
  const std::string plan = plan_of(session.case_file, run);
  EntryDraft draft = grant_draft(session, run, plan, reason);
  if (!granted) {
    draft.action = "approval.deny";
    draft.detail.erase("signature");
  }
  session.case_file.append({draft}, session.examiner);
}

}  // namespace impound
