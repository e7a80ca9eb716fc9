// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Hands a case out: its record, its exhibits, and a script with which a
/// stranger checks both with stock tools. See SCHEMA.md.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/casefile/case_file.hpp"

namespace impound {

/// What the exhibits of an export are.
enum class ExhibitCopies : std::uint8_t {
  apart,   ///< files of their own
  shared,  ///< second names of the sealed files: a write to one changes both
};

struct ExportOptions {
  std::filesystem::path folder;  ///< made if it is not there; must be empty
  bool with_exhibits = true;     ///< off: neither exhibits/ nor reports/
  ExhibitCopies copies = ExhibitCopies::apart;
};

/// What an export holds.
struct ExportResult {
  std::filesystem::path folder;
  std::int64_t entries = 0;
  std::string head;             ///< of the exported chain, 64 hex digits
  std::string checkpoint_note;  ///< covers every exported entry
  /// Sealed exhibits: exported ones, or with with_exhibits off those that the
  /// chain speaks of and the folder lacks.
  std::vector<std::string> exhibits;
};

/// Looks at what an export is made of, before anybody says that it was made:
/// every sealed bundle is a file that can be read, every report the one that
/// its entry names, and the disk has room for the copies. Bundles are not
/// hashed: the export's own check measures them.
/// @throws Error{io} or Error{integrity} naming what cannot go with it.
void require_exportable(const CaseFile& case_file,
                        const ExportOptions& options);

/// Signs the whole chain and writes VERIFY.sh, case.db, custody.jsonl,
/// custody.sig, checkpoint.note, signer.pub.pem, keys/, exhibits/, reports/
/// (the results of comparisons and their baselines), and a signed list of all
/// that. Copies share their blocks with the originals where the file system
/// can, never the file, unless `copies` asks for it; they have the originals'
/// modes.
/// @throws Error{bad_input} if the folder holds anything, Error{io},
///         Error{integrity} if the chain states an exhibit in a way that no
///         script can be made of, or a report is not the one that it names.
ExportResult export_case(CaseFile& case_file, const Examiner& examiner,
                         const ExportOptions& options);

/// The same of a case that cannot be written to, or by somebody without a key:
/// no entry tells of it and nobody signs its list, so that it has
/// NOT-RECORDED.txt with `statement` instead of checkpoint.note,
/// signer.pub.pem and export.sig, and no verifier calls it whole.
/// @throws as export_case().
ExportResult export_case_unsigned(const CaseFile& case_file,
                                  const ExportOptions& options,
                                  std::string_view statement);

}  // namespace impound
