// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_close.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"

namespace impound {
namespace {

std::vector<std::string> open_items(
    const CaseFile& case_file, const std::vector<ContainmentNow>& contained) {
  std::vector<std::string> open;
  for (const ContainmentNow& now : contained) {
    open.push_back("containment of " + now.to_text());
  }
  for (const RunRow& row : case_file.runs()) {
    if (row.state != "done" && row.state != "failed" &&
        row.state != "aborted") {
      open.push_back(
          fmt::format("run {} of {} is {}", row.id, row.playbook, row.state));
    }
  }
  for (const ExhibitRow& row : case_file.exhibits()) {
    if (row.state == "begun") {
      open.push_back(
          fmt::format("exhibit {} was begun and never sealed", row.id));
    }
  }
  return open;
}

/// @throws Error{bad_input} naming what is contained, or not measured to be
/// over.
void refuse_if_contained(const CaseFile& case_file,
                         const std::vector<ContainmentNow>& contained) {
  std::string list;
  for (const ContainmentNow& now : contained) {
    if (!now.is_over()) list += "\n  " + now.to_text();
  }
  if (list.empty()) return;
  throw Error(
      Errc::bad_input,
      fmt::format("{} has containments that are not measured to be over:{}\n"
                  "--still-contained REASON closes all the same and records "
                  "what was measured; this gives them back: {}",
                  case_file.id(), list,
                  next_command(case_file.folder(), {"release"})));
}

Json containments_json(const std::vector<ContainmentNow>& contained) {
  Json list = Json::array();
  for (const ContainmentNow& now : contained) {
    Json one = now.to_json();
    one["state"] = now.state;
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace

Json CloseResult::to_json() const {
  Json json;
  json["seq"] = seq;
  json["open_items"] = open_items;
  json["containments"] = containments_json(containments);
  json["checkpoint"] = note;
  return json;
}

std::string CloseResult::to_text() const {
  std::string text = fmt::format("Closed as entry {}.\n", seq);
  for (const std::string& item : open_items) {
    text += "  still open: " + printable(item) + "\n";
  }
  text += "Signed head; let a copy leave this machine:\n\n" + note;
  return text;
}

CloseResult close_case(Session& session, const CloseRequest& request) {
  const std::string& id = session.case_file.id();
  // Nothing is contained or released between measuring and closing.
  const EvidenceLock lock(session.case_file.folder() / "evidence",
                          kContainmentLock);
  if (!session.case_file.summary().closed_at.empty()) {
    throw Error(Errc::bad_input, id + " is closed already");
  }
  CloseResult result;
  result.containments = measure_containments(
      session.case_file, request.methods, session.clock, session.cancellation);
  if (request.still_contained.empty()) {
    refuse_if_contained(session.case_file, result.containments);
  }
  result.open_items = open_items(session.case_file, result.containments);
  EntryDraft draft = session.draft("case.close");
  draft.purpose = lossless_utf8(request.reason);
  draft.detail["open_items"] = result.open_items;
  if (!result.containments.empty()) {
    draft.detail["containments"] = containments_json(result.containments);
    draft.detail["still_contained_reason"] =
        lossless_utf8(request.still_contained);
  }
  result.seq = session.case_file.append({draft}, session.examiner).front().seq;
  result.note = session.case_file.checkpoint_note();
  return result;
}

}  // namespace impound
