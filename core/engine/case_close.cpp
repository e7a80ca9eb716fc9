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

/// Runs that did not end and exhibits that are not sealed, by their ids.
std::vector<std::string> unfinished(const CaseFile& file) {
  std::vector<std::string> ids;
  for (const RunRow& run : file.runs()) {
    if (run.state != "done" && run.state != "aborted") ids.push_back(run.id);
  }
  for (const ExhibitRow& exhibit : file.exhibits()) {
    if (exhibit.state == "begun") ids.push_back(exhibit.id);
  }
  return ids;
}

/// The locks of what did not end, so that nobody works on it or takes it up
/// while the case is being closed: what it would record then could be recorded
/// no more.
/// @throws Error{io} if somebody works on one of them.
std::vector<EvidenceLock> hold_unfinished(const CaseFile& file,
                                          const std::vector<std::string>& ids) {
  std::vector<EvidenceLock> locks;
  locks.reserve(ids.size());
  for (const std::string& id : ids) {
    auto lock = EvidenceLock::try_take(file.folder() / "evidence", id);
    if (!lock) {
      throw Error(Errc::io,
                  fmt::format("another process works on {}: wait for its end, "
                              "or end it there (Ctrl-C), then close {}",
                              id, file.id()));
    }
    locks.push_back(std::move(*lock));
  }
  return locks;
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
  const std::vector<std::string> left = unfinished(session.case_file);
  const std::vector<EvidenceLock> held =
      hold_unfinished(session.case_file, left);
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
  // Asked again under the lock of the record: what was begun in between would
  // be left without an end.
  const auto require_same = [&](const std::vector<Entry>&) {
    if (unfinished(session.case_file) != left) {
      throw Error(Errc::io,
                  fmt::format("something was begun while {} was being closed: "
                              "close it again when that has ended",
                              id));
    }
    return std::vector<JournalRow>();
  };
  result.seq = session.case_file
                   .append({draft}, session.examiner,
                           CaseFile::JournalMaker(require_same))
                   .front()
                   .seq;
  result.note = session.case_file.checkpoint_note();
  return result;
}

}  // namespace impound
