// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One question, one answer: is everything in this folder what the record says?
///
/// The folder may be an export or a case that is worked on, somebody else's, on
/// media that cannot be written to; no key is needed and nothing is recorded.
/// What belongs to it, and what covers each part, is the table of
/// record_files.hpp, which VERIFY.sh is made from as well.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/progress.hpp"
#include "core/casefile/case_file.hpp"
#include "core/evidence/verify.hpp"

namespace impound {

/// A file that no part of the record covers.
struct OutsideFile {
  std::string name;  ///< as found; may hold anything
  std::string why;   ///< what it is, as far as its name tells
};

struct FolderReport {
  std::filesystem::path folder;
  bool is_export = false;
  CustodyReport custody;  ///< and of an export its files
  std::vector<VerifyReport> exhibits;
  /// Exhibits that the chain seals and that this export was made without.
  std::vector<std::string> left_out;
  /// Files of a case folder that should not be there, or are missing.
  std::vector<VerifyProblem> files;
  std::vector<OutsideFile> outside;

  /// True if nothing here contradicts the record.
  [[nodiscard]] bool is_right() const;
  /// That, and somebody's signature covers the whole of it.
  [[nodiscard]] bool ok() const { return is_right() && !custody.is_unsigned(); }
  /// {"ok","folder","kind","custody","exhibits","left_out","files","outside"}
  [[nodiscard]] Json to_json() const;
};

/// @throws Error{io} if there is no case.db that can be opened,
///         Error{bad_input} as verify_custody().
[[nodiscard]] FolderReport verify_folder(const std::filesystem::path& folder,
                                         const WrittenDown& known,
                                         unsigned threads, const Clock& clock,
                                         const Cancellation& cancellation,
                                         Progress& progress);

}  // namespace impound
