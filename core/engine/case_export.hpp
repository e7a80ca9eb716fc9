// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Handing a case out: the files, and a check that needs only stock tools.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/casefile/export.hpp"
#include "core/engine/session.hpp"

namespace impound {

struct CaseExportRequest {
  std::filesystem::path folder;  ///< made; must not exist or be empty
  bool with_exhibits = true;
  ExhibitCopies copies = ExhibitCopies::apart;
  std::string recipient;
  std::string purpose;
};

struct CaseExport {
  std::filesystem::path folder;
  std::int64_t entries = 0;
  std::string head;
  std::vector<std::string> exhibits;
  bool with_exhibits = true;
  bool is_signed = true;  ///< by the examiner who exported

  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;
};

/// Records export.disclose, signs the head, then writes VERIFY.sh, case.db,
/// custody.jsonl, custody.sig, checkpoint.note, keys and exhibits.
/// @throws Error{bad_input} if the folder is not empty, Error{io}.
[[nodiscard]] CaseExport export_case_folder(Session& session,
                                            const CaseExportRequest& request);

/// The same where nothing can be recorded: from write-protected media, or
/// without a key. Nobody signs it, and it says so inside itself.
/// @param why what stood against recording it.
/// @throws as export_case_folder().
[[nodiscard]] CaseExport export_unrecorded(const CaseFile& case_file,
                                           const CaseExportRequest& request,
                                           std::string_view why,
                                           const Clock& clock);

}  // namespace impound
