// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_close.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

std::vector<std::string> open_items(const CaseFile& case_file) {
  std::vector<std::string> open;
  for (const ContainmentRow& row : case_file.containments()) {
    if (row.state != "released" && row.state != "rolled_back") {
      open.push_back(fmt::format("containment of {} by {} is {}",
                                 row.deployment, row.method, row.state));
    }
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

}  // namespace

Json CloseResult::to_json() const {
  Json json;
  json["seq"] = seq;
  json["open_items"] = open_items;
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

CloseResult close_case(Session& session, const std::string& reason) {
  if (!session.case_file.summary().closed_at.empty()) {
    throw Error(Errc::bad_input, session.case_file.id() + " is closed already");
  }
  CloseResult result;
  result.open_items = open_items(session.case_file);
  EntryDraft draft = session.draft("case.close");
  draft.purpose = lossless_utf8(reason);
  draft.detail["open_items"] = result.open_items;
  result.seq = session.case_file.append({draft}, session.examiner).front().seq;
  result.note = session.case_file.checkpoint_note();
  return result;
}

}  // namespace impound
