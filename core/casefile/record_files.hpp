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

struct ExportFile {
  std::string_view name;  ///< a file, or a folder with '/' and a pattern
  Cover cover;
  bool is_optional;      ///< an export without exhibits lacks it
  std::string_view how;  ///< one line for people

  [[nodiscard]] constexpr bool is_pattern() const {
    return name.find_first_of("/*") != std::string_view::npos;
  }
  /// Must be in every export, by that name.
  [[nodiscard]] constexpr bool is_required() const {
    return !is_optional && !is_pattern() && !is_added() && !is_forbidden();
  }
  /// Must stand in export.list.
  [[nodiscard]] constexpr bool is_listed() const {
    return is_required() && cover != Cover::own_signature;
  }
  [[nodiscard]] constexpr bool is_added() const {
    return cover == Cover::added;
  }
  [[nodiscard]] constexpr bool is_forbidden() const {
    return cover == Cover::forbidden;
  }
};

inline constexpr std::array kExportFiles{
    ExportFile{"VERIFY.sh", Cover::list, false, "export.list"},
    ExportFile{"case.db", Cover::chain, false,
               "lines by their signatures, heads by entries, all by the list"},
    ExportFile{"custody.jsonl", Cover::recomputed, false,
               "it is what case.db holds"},
    ExportFile{"custody.sig", Cover::recomputed, false,
               "it is what case.db holds"},
    ExportFile{"checkpoint.note", Cover::recomputed, false,
               "its signature; size, last hash and root are computed again"},
    ExportFile{"signer.pub.pem", Cover::list, false,
               "a key that the record introduces; export.list"},
    ExportFile{"keys/*.pem", Cover::list, true,
               "export.list; steps use the keys of the record"},
    ExportFile{"exhibits/*.tar.zst", Cover::chain, true,
               "bundle.seal: every byte, and every member by the manifests"},
    ExportFile{"exhibits/*.sha256", Cover::recomputed, true,
               "it is what bundle.seal says"},
    ExportFile{"exhibits/*.seal.json", Cover::chain, true, "bundle.seal"},
    ExportFile{"exhibits/*.VERIFY.txt", Cover::chain, true, "bundle.seal"},
    ExportFile{"reports/*", Cover::chain, true, "baseline.diff"},
    ExportFile{"export.list", Cover::own_signature, false, "export.sig"},
    ExportFile{"export.sig", Cover::own_signature, false,
               "it is the signature of signer.pub.pem over export.list"},
    ExportFile{
        "witness.pub.pem", Cover::added, true,
        "added by others: its signature on the head; whose it is, is not"},
    ExportFile{"checkpoint.tsr", Cover::added, true,
               "added by others: a time stamp of the head"},
    ExportFile{"tsa-chain.pem", Cover::added, true,
               "added by others: certificates of the time stamp"},
    ExportFile{"case.db-wal", Cover::forbidden, true,
               "must not be here: sqlite3 would read it into case.db"},
    ExportFile{"case.db-journal", Cover::forbidden, true,
               "must not be here: sqlite3 would read it into case.db"},
    ExportFile{"case.db-shm", Cover::forbidden, true,
               "must not be here: sqlite3 would use it for case.db"},
};

/// Folders that belong to the record: nothing may be added to them.
inline constexpr std::array<std::string_view, 3> kExportFolders{
    "exhibits", "keys", "reports"};

}  // namespace impound
