// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Looking at exhibits of a case: finding, verifying, handing out copies.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/session.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/tree.hpp"
#include "core/evidence/verify.hpp"

namespace impound {

/// "E001" or "E001/17" as a person writes it.
struct ExhibitReference {
  std::string exhibit;
  std::uint64_t item = 0;  ///< 0 = the whole exhibit
};

/// Empty if `text` has not that form.
[[nodiscard]] std::optional<ExhibitReference> parse_exhibit_reference(
    std::string_view text);

/// What a person typed may name an exhibit and a file of the current folder at
/// once; nobody guesses which was meant.
/// @return whether it is a path on disk.
/// @throws Error{bad_input} if it can be both.
[[nodiscard]] bool is_path_on_disk(const std::string& subject);

/// The sealed bundle of an exhibit, below evidence/ of a case, exhibits/ of an
/// export: opened, and its lists measured to be those that the record sealed.
/// Whoever reads an item to its end and checks its digest has read what was
/// sealed.
/// @throws Error{bad_input} if the case has no such exhibit or it is not
/// sealed, Error{integrity} if another bundle lies in its place.
[[nodiscard]] std::unique_ptr<BundleReader> open_exhibit(
    const CaseFile& case_file, std::string_view exhibit);

/// Where that bundle lies, measured as open_exhibit() does.
/// @throws as open_exhibit().
[[nodiscard]] std::filesystem::path bundle_of(const CaseFile& case_file,
                                              std::string_view exhibit);

/// Checks a bundle against the custody chain and everything in it.
[[nodiscard]] VerifyReport measure_exhibit(const CaseFile& case_file,
                                           std::string_view exhibit,
                                           unsigned threads,
                                           const Cancellation& cancellation,
                                           Progress& progress);

/// Records such a check as a `verify` entry.
void record_verification(Session& session, const VerifyReport& report);

/// Both.
[[nodiscard]] VerifyReport verify_exhibit(Session& session,
                                          std::string_view exhibit,
                                          unsigned threads);

/// What a check of an export's exhibits found.
struct ExportedExhibits {
  std::vector<VerifyReport> reports;
  /// Exhibits that the chain seals and that this export was made without.
  std::vector<std::string> left_out;

  [[nodiscard]] bool ok() const;
};

/// Checks the exhibits of an export (all if `exhibits` is empty, and then also
/// that exhibits/ holds nothing else). An export is signed as it is, so nothing
/// is recorded.
/// @throws Error{io} if a bundle that the export lists cannot be opened.
[[nodiscard]] ExportedExhibits verify_exported(
    const CaseFile& case_file, std::vector<std::string> exhibits,
    unsigned threads, const Cancellation& cancellation, Progress& progress);

/// A working copy, unpacked.
struct WorkingCopy {
  std::string exhibit;
  std::filesystem::path folder;
  std::size_t items = 0;
  bool is_all = false;  ///< every item of the exhibit
  /// What did not verify while it was written; empty if all is well.
  std::vector<std::string> problems;
};

/// Unpacks a verified working copy into `folder`. `names` are item numbers or
/// glob patterns over item names; none = all.
[[nodiscard]] WorkingCopy extract_exhibit(const CaseFile& case_file,
                                          std::string_view exhibit,
                                          const std::vector<std::string>& names,
                                          const std::filesystem::path& folder,
                                          Progress& progress);

/// Records a working copy (`copy.make`).
void record_copy(Session& session, const WorkingCopy& copy,
                 const std::string& purpose);

/// Notes in the chain that an item was opened for reading (`access`).
void record_access(Session& session, const std::string& item,
                   const std::string& purpose);

/// Items that `names` choose, in order; all for an empty list.
/// @throws Error{bad_input} naming a pattern that chooses nothing.
[[nodiscard]] std::vector<const Item*> choose_items(
    const BundleReader& reader, const std::vector<std::string>& names);

}  // namespace impound
