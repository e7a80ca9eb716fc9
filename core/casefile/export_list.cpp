// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/export_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/line_check.hpp"
#include "core/crypto/note.hpp"
#include "core/evidence/layout.hpp"

namespace impound {
namespace {

constexpr std::uint32_t kFileMode = 0640;
constexpr std::string_view kNote = "checkpoint.note";
constexpr std::string_view kSigner = "signer.pub.pem";
constexpr std::string_view kWitness = "witness.pub.pem";
constexpr std::string_view kStamp = "checkpoint.tsr";
constexpr std::string_view kStampChain = "tsa-chain.pem";

/// Folders that belong to the record: nothing may be added to them.
constexpr std::array<std::string_view, 3> kFolders{"exhibits", "keys",
                                                   "reports"};

/// What SQLite would take for unfinished changes of case.db.
constexpr std::array<std::string_view, 3> kDatabaseSides{
    "case.db-wal", "case.db-journal", "case.db-shm"};

/// A name and what lies under it, as found.
struct Found {
  std::string name;  ///< below the export, with '/'
  FileKind kind = FileKind::regular;
};

bool is_record_folder(std::string_view name) {
  return std::ranges::find(kFolders, name) != kFolders.end();
}

/// The files of an export: those at its top and in the folders of the record.
std::vector<Found> find_files(const fs::path& folder) {
  std::vector<Found> found;
  const auto list = [&](const fs::path& where, const std::string& prefix) {
    const auto names = list_directory(where);
    if (!names) {
      throw Error(Errc::io,
                  fmt::format("cannot read {}: {}", printable(where.native()),
                              names.failure().message()));
    }
    for (const std::string& name : *names) {
      const auto stat = stat_path(where / name, Links::refuse);
      found.push_back({prefix + name, stat ? stat->kind : FileKind::unknown});
    }
  };
  list(folder, "");
  for (const std::string_view inner : kFolders) {
    const auto stat = stat_path(folder / inner, Links::refuse);
    if (stat && stat->kind == FileKind::directory) {
      list(folder / inner, std::string(inner) + "/");
    }
  }
  return found;
}

/// The note up to its first signature: what was exported.
std::string exported_note(std::string_view note) {
  std::size_t at = 0;
  while (at < note.size()) {
    const std::size_t end = std::min(note.find('\n', at), note.size() - 1);
    if (note.substr(at).starts_with("— ")) {
      return std::string(note.substr(0, end + 1));
    }
    at = end + 1;
  }
  return std::string(note);
}

bool is_bundle(std::string_view name) {
  return name.starts_with("exhibits/") && name.ends_with(layout::kSuffix);
}

Digest digest_of(const fs::path& folder, const std::string& name) {
  if (name == kNote) {
    return sha256(exported_note(read_text_file(folder / name, kMaxNoteSize)));
  }
  return sha256_of(*open_source(folder / name));
}

/// One line: 64 digits, two blanks, a name of plain characters below here.
std::optional<std::pair<std::string, Digest>> parse_line(
    const std::string& line) {
  if (line.size() < 67 || line.substr(64, 2) != "  ") return std::nullopt;
  const auto digest = Digest::from_hex(line.substr(0, 64));
  const std::string name = line.substr(66);
  const bool is_plain = std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '/' ||
           c == '-';
  });
  if (!digest || !is_plain || name.front() == '/' || name.front() == '.' ||
      name.front() == '-' || name.find("..") != std::string::npos) {
    return std::nullopt;
  }
  return std::pair{name, *digest};
}

class Checker {
 public:
  explicit Checker(const fs::path& folder) : folder_(folder) {}

  ExportCheck run(const std::map<std::string, PublicKey, std::less<>>& keys,
                  bool is_list_required) {
    const std::vector<Found> found = find_files(folder_);
    for (const Found& file : found) here_.emplace(file.name, file.kind);
    for (const std::string_view side : kDatabaseSides) {
      if (!here_.contains(side)) continue;
      wrong(side, "nothing", "a file that changes what case.db says");
    }
    if (!here_.contains(kExportList) && !is_list_required) {
      check_.foreign.emplace_back(
          "everything beside case.db: this export is of a version that signs "
          "no list of its files; its VERIFY.sh checks what it can");
      return std::move(check_);
    }
    check_signature(keys);
    check_listed();
    check_note();
    for (const Found& file : found) check_unlisted(file);
    return std::move(check_);
  }

 private:
  void wrong(std::string_view what, std::string expected, std::string found) {
    check_.problems.push_back(
        {0, printable(what), std::move(expected), std::move(found)});
  }

  /// Text of a file of the record; a problem and nothing if it is not there.
  std::optional<std::string> text_of(std::string_view name) {
    const auto here = here_.find(name);
    if (here == here_.end() || here->second != FileKind::regular) {
      wrong(name, "a file", here == here_.end() ? "nothing" : "something else");
      return std::nullopt;
    }
    try {
      return read_text_file(folder_ / name, limits::kMaxJsonDocument);
    } catch (const Error& error) {
      wrong(name, "a readable file", error.what());
      return std::nullopt;
    }
  }

  void check_signature(
      const std::map<std::string, PublicKey, std::less<>>& keys) {
    const auto list = text_of(kExportList);
    const auto signature = text_of(kExportSignature);
    const auto signer = text_of(kSigner);
    if (!list || !signature || !signer) return;
    list_ = *list;
    try {
      const PublicKey key = PublicKey::from_pem(*signer, kSigner);
      signer_ = key;
      if (!keys.contains(key.fingerprint().hex())) {
        wrong(kSigner, "a key that the record introduces",
              key.fingerprint().hex());
      }
      if (!key.verify(as_bytes(list_), from_base64(trim(*signature)))) {
        wrong(kExportSignature,
              "the signature of " + std::string(kSigner) + " over " +
                  std::string(kExportList),
              "one that does not fit");
      }
    } catch (const Error& error) {
      wrong(kExportSignature, "a signature and its key", error.what());
    }
  }

  void check_listed() {
    for (const std::string& line : split(list_, '\n')) {
      if (line.empty()) continue;
      const auto parsed = parse_line(line);
      if (!parsed) {
        wrong(kExportList, "a digest and a name in each line", excerpt(line));
        continue;
      }
      const auto& [name, digest] = *parsed;
      if (!listed_.insert(name).second) {
        wrong(kExportList, "each file once", name);
      }
      const auto here = here_.find(name);
      if (here == here_.end() || here->second != FileKind::regular) {
        wrong(name, "a file, as export.list says",
              here == here_.end() ? "nothing" : "something else");
        continue;
      }
      if (is_bundle(name)) continue;
      try {
        const Digest found = digest_of(folder_, name);
        if (found != digest) wrong(name, digest.hex(), found.hex());
      } catch (const Error& error) {
        wrong(name, digest.hex(), error.what());
      }
    }
    if (!list_.empty() && !list_.ends_with('\n')) {
      wrong(kExportList, "a line break at its end", "none");
    }
  }

  /// The lines that others may add to the note: cosignatures.
  void check_note() {
    const auto text = text_of(kNote);
    if (!text) return;
    const auto witness = here_.contains(kWitness)
                             ? text_of(kWitness)
                             : std::optional<std::string>();
    try {
      const SignedNote note = parse_note(*text, kNote);
      const Checkpoint head = parse_checkpoint(note.text, kNote);
      if (signer_ && !verify_note(note, head.origin, *signer_)) {
        wrong(kNote, "a signature of signer.pub.pem", "none that is valid");
      }
      const std::size_t further = note.signatures.size() - 1;
      if (witness) {
        check_witness(note, *witness);
      } else if (further > 0) {
        check_.foreign.push_back(
            fmt::format("{} further signatures in {}", further, kNote));
      }
    } catch (const Error& error) {
      wrong(kNote, "a signed head", error.what());
    }
  }

  /// cosignature/v1 (C2SP): 8 bytes of time, 64 of signature behind the key id.
  void check_witness(const SignedNote& note, const std::string& pem) {
    const PublicKey key = PublicKey::from_pem(pem, kWitness);
    constexpr std::size_t kTime = 8;
    if (note.signatures.size() < 2 ||
        note.signatures[1].signature.size() != kTime + 64) {
      wrong(kNote, "a cosignature of witness.pub.pem", "none");
      return;
    }
    const Bytes& cosignature = note.signatures[1].signature;
    std::uint64_t time = 0;
    for (std::size_t i = 0; i < kTime; ++i) {
      time = time << 8 | std::to_integer<std::uint64_t>(cosignature[i]);
    }
    const std::string text =
        fmt::format("cosignature/v1\ntime {}\n{}", time, note.text);
    if (!key.verify(as_bytes(text), ByteView(cosignature).subspan(kTime))) {
      wrong(kNote, "a cosignature of witness.pub.pem", "one that does not fit");
    }
  }

  void check_unlisted(const Found& file) {
    const std::string& name = file.name;
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos) {
      if (!listed_.contains(name)) {
        wrong(name, "nothing: export.list does not name it",
              "a file that was added");
      }
      return;
    }
    const bool is_folder = file.kind == FileKind::directory;
    if (listed_.contains(name) || name == kExportList ||
        name == kExportSignature || (is_folder && is_record_folder(name))) {
      return;
    }
    if (std::ranges::find(kDatabaseSides, name) != kDatabaseSides.end() ||
        name == kWitness) {
      return;  // judged above
    }
    if (name == kStamp || name == kStampChain) {
      check_.foreign.push_back(name + " (a time stamp: VERIFY.sh checks it)");
      return;
    }
    check_.foreign.push_back(printable(name) + (is_folder ? "/" : ""));
  }

  const fs::path& folder_;
  ExportCheck check_;
  std::map<std::string, FileKind, std::less<>> here_;
  std::set<std::string, std::less<>> listed_;
  std::string list_;
  std::optional<PublicKey> signer_;
};

}  // namespace

void write_export_list(const fs::path& folder, const KnownDigests& known,
                       const SigningKey& key) {
  KnownDigests digests = known;
  for (const Found& file : find_files(folder)) {
    if (file.kind != FileKind::regular || digests.contains(file.name)) continue;
    digests.emplace(file.name, digest_of(folder, file.name));
  }
  std::string list;
  for (const auto& [name, digest] : digests) {
    list += fmt::format("{}  {}\n", digest.hex(), name);
  }
  write_file_durably(folder / kExportList, as_bytes(list), kFileMode);
  write_file_durably(folder / kExportSignature,
                     as_bytes(to_base64(key.sign(as_bytes(list))) + "\n"),
                     kFileMode);
}

bool is_export(const fs::path& folder) {
  constexpr std::array<std::string_view, 6> kOnlyThere{
      kExportList, kExportSignature, kNote,
      kSigner,     "custody.jsonl",  "VERIFY.sh"};
  return std::ranges::any_of(kOnlyThere, [&](std::string_view name) {
    return static_cast<bool>(stat_path(folder / name, Links::refuse));
  });
}

bool is_report_name(std::string_view name) noexcept {
  constexpr std::string_view kFolder = "reports/";
  return name.starts_with(kFolder) && name.size() > kFolder.size() &&
         std::ranges::all_of(name.substr(kFolder.size()), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-';
         });
}

ExportCheck check_export(
    const fs::path& folder,
    const std::map<std::string, PublicKey, std::less<>>& keys,
    bool is_list_required) {
  return Checker(folder).run(keys, is_list_required);
}

}  // namespace impound
