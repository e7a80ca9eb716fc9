// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What an export and a case folder consist of: the one list.
///
/// Two programs judge an export, this one and the VERIFY.sh in it, and as long
/// as each had its own idea of what belongs to it, each let something pass that
/// the other refused. Here every name stands once, with what covers it: a
/// signature, a value that is computed again from case.db, an entry of the
/// chain, or nothing, and then it is named as outside the record. VERIFY.sh is
/// made from this table, and so are its comment and the check of
/// export_list.cpp. SCHEMA.md has the same for people; a test compares.

#include <array>
#include <cstdint>
#include <string_view>

namespace impound {

/// What covers a file.
enum class Cover : std::uint8_t {
  own_signature,  ///< a signature of its own, by a key of the record
  list,           ///< its digest in export.list
  recomputed,     ///< made again from case.db and compared; and the list
  chain,          ///< its digest in an entry; and the list
  added,          ///< others add it later; judged if it is there
  forbidden,      ///< would change what case.db says
};

/// Which exports have a file.
enum class Presence : std::uint8_t {
  always,
  if_signed,    ///< and an export that nobody signed must not have it
  if_unsigned,  ///< and a signed export must not have it
  maybe,        ///< as the case has it, or as others add it
};

struct ExportFile {
  std::string_view name;  ///< a file, or a folder with '/' and a pattern
  Cover cover;
  Presence presence;
  std::string_view how;  ///< one line for people

  /// Must be in a signed export, by that name.
  [[nodiscard]] constexpr bool is_required() const {
    return presence == Presence::always || presence == Presence::if_signed;
  }
  /// Must be in an export that could not be recorded, so that nobody signed it.
  [[nodiscard]] constexpr bool is_required_unsigned() const {
    return presence == Presence::always || presence == Presence::if_unsigned;
  }
  /// Must not be there, whatever it holds: it contradicts what is.
  [[nodiscard]] constexpr bool is_only_signed() const {
    return presence == Presence::if_signed;
  }
  [[nodiscard]] constexpr bool is_only_unsigned() const {
    return presence == Presence::if_unsigned;
  }
  /// Must stand in the export.list of such an export.
  [[nodiscard]] constexpr bool is_listed_signed() const {
    return is_required() && cover != Cover::own_signature;
  }
  [[nodiscard]] constexpr bool is_listed_unsigned() const {
    return is_required_unsigned() && cover != Cover::own_signature;
  }
  [[nodiscard]] constexpr bool is_added() const {
    return cover == Cover::added;
  }
  [[nodiscard]] constexpr bool is_forbidden() const {
    return cover == Cover::forbidden;
  }
};

inline constexpr std::array kExportFiles{
    ExportFile{"VERIFY.sh", Cover::list, Presence::always, "export.list"},
    ExportFile{"case.db", Cover::chain, Presence::always,
               "lines by their signatures, heads by entries, all by the list"},
    ExportFile{"custody.jsonl", Cover::recomputed, Presence::always,
               "it is what case.db holds"},
    ExportFile{"custody.sig", Cover::recomputed, Presence::always,
               "it is what case.db holds"},
    ExportFile{"checkpoint.note", Cover::recomputed, Presence::if_signed,
               "its signature; size, last hash and root are computed again"},
    ExportFile{"signer.pub.pem", Cover::list, Presence::if_signed,
               "a key that the record introduces; export.list"},
    ExportFile{"keys/*.pem", Cover::recomputed, Presence::maybe,
               "it is what the record has; steps use that"},
    ExportFile{"exhibits/*.tar.zst", Cover::chain, Presence::maybe,
               "bundle.seal: every byte, and every member by the manifests"},
    ExportFile{"exhibits/*.sha256", Cover::recomputed, Presence::maybe,
               "it is what bundle.seal says"},
    ExportFile{"exhibits/*.seal.json", Cover::chain, Presence::maybe,
               "bundle.seal"},
    ExportFile{"exhibits/*.VERIFY.txt", Cover::chain, Presence::maybe,
               "bundle.seal"},
    ExportFile{"reports/*", Cover::chain, Presence::maybe, "baseline.diff"},
    ExportFile{"export.list", Cover::own_signature, Presence::always,
               "export.sig"},
    ExportFile{"export.sig", Cover::own_signature, Presence::if_signed,
               "it is the signature of signer.pub.pem over export.list"},
    ExportFile{"NOT-RECORDED.txt", Cover::list, Presence::if_unsigned,
               "only where nobody signed, and then nothing covers the list"},
    ExportFile{
        "witness.pub.pem", Cover::added, Presence::maybe,
        "added by others: its signature on the head; whose it is, is not"},
    ExportFile{"checkpoint.tsr", Cover::added, Presence::maybe,
               "added by others: a time stamp of the head"},
    ExportFile{"tsa-chain.pem", Cover::added, Presence::maybe,
               "added by others: certificates of the time stamp"},
    ExportFile{"case.db-wal", Cover::forbidden, Presence::maybe,
               "must not be here: sqlite3 would read it into case.db"},
    ExportFile{"case.db-journal", Cover::forbidden, Presence::maybe,
               "must not be here: sqlite3 would read it into case.db"},
    ExportFile{"case.db-shm", Cover::forbidden, Presence::maybe,
               "must not be here: sqlite3 would use it for case.db"},
};

/// A file at the top of a case that is worked on. Below evidence/ every file is
/// one of kExhibitEndings of a sealed exhibit, or left by an acquisition that
/// came to no seal; below reports/ it is what a comparison kept, or not named.
struct CaseFolderFile {
  std::string_view name;
  bool is_covered;
  std::string_view how;
};
inline constexpr std::array kCaseFiles{
    CaseFolderFile{"case.db", true,
                   "lines by their signatures, heads by entries"},
    CaseFolderFile{"case.db-wal", true,
                   "read with case.db: its newest entries"},
    CaseFolderFile{"case.db-shm", false, "an index of SQLite's, made anew"},
    CaseFolderFile{"case.db-journal", false,
                   "of SQLite; a case uses case.db-wal"},
};

/// What lies in evidence/, or exhibits/, for each sealed exhibit.
inline constexpr std::array<std::string_view, 4> kExhibitEndings{
    ".tar.zst", ".tar.zst.sha256", ".seal.json", ".VERIFY.txt"};

/// Says in an export why no entry tells of it and nobody signed it.
inline constexpr std::string_view kNotRecorded = "NOT-RECORDED.txt";

/// Folders that belong to the record: nothing may be added to them.
inline constexpr std::array<std::string_view, 3> kExportFolders{
    "exhibits", "keys", "reports"};

}  // namespace impound
