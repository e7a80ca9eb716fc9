// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What an export consists of: a list of its files, signed by the exporter.
///
/// The chain speaks of entries and of sealed bundles. Everything else that lies
/// in an export (keys, the files beside a bundle, results of comparisons, the
/// script itself, and case.db with its heads and its journal) was as good as
/// anything that somebody put there later. `export.list` names every file with
/// its SHA-256, one a line, as sha256sum(1) writes and checks it, and
/// `export.sig` is the exporter's signature over its bytes (base64, Ed25519).
/// Who finds a file that the list does not name knows that it came later.
///
/// Two files are listed otherwise than by their own bytes: a bundle by the
/// digest that the record sealed (the check of exhibits hashes it), and
/// checkpoint.note as it was exported, because a witness adds a line to it.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/casefile/case_file.hpp"
#include "core/crypto/signature.hpp"
#include "core/storage/sqlite.hpp"

namespace impound {

inline constexpr std::string_view kExportList = "export.list";
inline constexpr std::string_view kExportSignature = "export.sig";

/// What every check says of an export that nobody signed, however right the
/// rest of it is.
inline constexpr std::string_view kUnsignedSentence =
    "UNSIGNED: nobody signed this export as a whole, so that entries may be "
    "missing at its end, and its list of files is nobody's word; "
    "NOT-RECORDED.txt in it says why";

/// Digests of files that are not hashed here, by name below the export.
using KnownDigests = std::map<std::string, Digest, std::less<>>;

/// Lists every file below `folder`, and signs the list unless `key` is null:
/// whoever has no key can still hand out what others signed, with a
/// NOT-RECORDED.txt in it. `known` has those that are not there yet, or whose
/// digest is known.
/// @throws Error{io}.
void write_export_list(const std::filesystem::path& folder,
                       const KnownDigests& known, const SigningKey* key);

/// True if a folder is an export and no case that is worked on: it has one of
/// the files that only an export has, or its folders and none for evidence.
[[nodiscard]] bool is_export(const std::filesystem::path& folder);

/// True if an export says of itself that nobody recorded and signed it.
[[nodiscard]] bool is_unsigned_export(const std::filesystem::path& folder);

/// True for "reports/<name>" of lower-case letters, digits, dots and hyphens:
/// how a comparison names what it kept.
[[nodiscard]] bool is_report_name(std::string_view name) noexcept;

/// What was found of an export's files.
struct ExportCheck {
  ExportSignature signature = ExportSignature::signed_whole;
  std::vector<CustodyProblem> problems;
  /// Names in the folder that are no part of the record and were not checked.
  std::vector<std::string> foreign;
  /// Who else vouches for the head, a sentence each; whose keys these are,
  /// nobody here can say.
  std::vector<std::string> vouching;
};

/// What an export is held against.
struct ExportClaims {
  const Database& database;  ///< its case.db
  /// Keys that may sign behind the last entry, by fingerprint.
  const std::map<std::string, PublicKey, std::less<>>& keys;
  const SignerRoll& signers;  ///< all that ever did
  /// It was made with exhibits/ and reports/.
  bool is_with_exhibits = true;
  /// The chain is of a version whose exports have a list.
  bool is_list_required = true;
  /// Fingerprint of the witness that somebody knows; empty = not asked.
  std::string witness;
};

/// Compares a folder with its list and with its case.db, name by name of
/// record_files.hpp. Bundles are only looked for: whether they are as sealed is
/// what verify_exported() measures.
[[nodiscard]] ExportCheck check_export(const std::filesystem::path& folder,
                                       const ExportClaims& claims);

}  // namespace impound
