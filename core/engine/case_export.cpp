// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export.hpp"

namespace impound {

Json CaseExport::to_json() const {
  Json json;
  json["folder"] = lossless_utf8(folder.native());
  json["entries"] = entries;
  json["head"] = head;
  json["exhibits"] = exhibits;
  json["with_exhibits"] = with_exhibits;
  return json;
}

std::string CaseExport::to_text() const {
  return fmt::format(
      "Exported to {}\n  {} entries, head {}\n  exhibits: {}{}\n  check it "
      "with stock tools: sh {}/VERIFY.sh\n",
      printable(folder.native()), entries, head,
      exhibits.empty() ? "none" : fmt::format("{}", fmt::join(exhibits, ", ")),
      with_exhibits ? "" : " (left out: only their records are here)",
      printable(folder.native()));
}

CaseExport export_case_folder(Session& session,
                              const CaseExportRequest& request) {
  // Before anything is recorded: a disclosure that did not happen is none.
  if (const auto names = list_directory(request.folder);
      names && !names->empty()) {
    throw Error(Errc::bad_input,
                fmt::format("{} is not empty, expected a new or empty folder",
                            printable(request.folder.native())));
  }
  CaseExport result;
  result.folder = request.folder;
  result.with_exhibits = request.with_exhibits;
  for (const ExhibitRow& row : session.case_file.exhibits()) {
    if (row.state == "sealed") result.exhibits.push_back(row.id);
  }
  EntryDraft draft = session.draft("export.disclose");
  draft.purpose = request.purpose;
  draft.detail["recipient"] = lossless_utf8(request.recipient);
  draft.detail["items"] = result.exhibits;
  draft.detail["with_exhibits"] = request.with_exhibits;
  draft.detail["redactions"] = {{"count", 0}, {"basis", "none"}};
  // The disclosure holds the whole chain, so it is named by the head before it.
  draft.detail["disclosure_sha256"] = session.case_file.head();
  session.case_file.append({draft}, session.examiner);
  const ExportResult written = export_case(
      session.case_file, session.examiner,
      {.folder = request.folder, .with_exhibits = request.with_exhibits});
  result.entries = written.entries;
  result.head = written.head;
  return result;
}

}  // namespace impound
