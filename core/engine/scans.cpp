// SPDX-License-Identifier: Apache-2.0
#include "core/engine/scans.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/model_sides.hpp"
#include "core/engine/scan_unpacker.hpp"

namespace impound {

ScanReport scan_subject(const std::string& subject, const CaseFile* case_file,
                        Progress& progress, const Cancellation& cancellation,
                        ScanOptions::Depth depth) {
  const ModelSide side = open_model_side(subject, case_file);
  if (!side.tree) {
    throw Error(Errc::bad_input, printable(subject) +
                                     " is a baseline, which holds no bytes; "
                                     "expected a path or an exhibit");
  }
  const ArchiveUnpacker unpacker;
  ScanOptions options;
  options.unpacker = &unpacker;
  options.depth = depth;
  return scan_tree(*side.tree, options, progress, cancellation);
}

void record_scan(Session& session, const std::string& subject,
                 const Json& answer) {
  EntryDraft draft = session.draft("verify");
  draft.purpose = "scan for code that would run";
  draft.detail["what"] = "scan of " + lossless_utf8(subject);
  draft.detail["expected"] = "nothing that needs a look";
  draft.detail["found"] = answer.at("verdict");
  draft.detail["result"] = answer.at("verdict");
  draft.detail["result_sha256"] = sha256(dump_line(answer)).hex();
  session.case_file.append({draft}, session.examiner, session.journal(answer));
}

}  // namespace impound
