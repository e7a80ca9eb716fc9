// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/export_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <set>

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/line_check.hpp"
#include "core/casefile/record_files.hpp"
#include "core/crypto/note.hpp"
#include "core/crypto/time_stamp.hpp"
#include "core/evidence/layout.hpp"

namespace impound {
namespace {

constexpr std::uint32_t kFileMode = 0640;
constexpr TimeNs kSecond = 1'000'000'000;
constexpr std::string_view kNote = "checkpoint.note";
constexpr std::string_view kSigner = "signer.pub.pem";
constexpr std::string_view kWitness = "witness.pub.pem";
constexpr std::string_view kStamp = "checkpoint.tsr";
constexpr std::string_view kStampChain = "tsa-chain.pem";

constexpr std::size_t kMaxStamp = 1 << 20;  // a reply has some 6 KB

/// Seconds since 1970 as a date, in UTC; years beyond TimeNs stay seconds.
std::string date_of(std::uint64_t seconds) {
  constexpr auto kLast =
      static_cast<std::uint64_t>(std::numeric_limits<TimeNs>::max() / kSecond);
  return seconds > kLast
             ? fmt::format("{} seconds after 1970-01-01 (UTC)", seconds)
             : format_time(static_cast<TimeNs>(seconds) * kSecond);
}

const ExportFile* known_file(std::string_view name) {
  const auto found = std::ranges::find(kExportFiles, name, &ExportFile::name);
  return found == kExportFiles.end() ? nullptr : &*found;
}

/// A name and what lies under it, as found.
struct Found {
  std::string name;  ///< below the export, with '/'
  FileKind kind = FileKind::regular;
};

bool is_record_folder(std::string_view name) {
  return std::ranges::find(kExportFolders, name) != kExportFolders.end();
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
  for (const std::string_view inner : kExportFolders) {
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
  Checker(const fs::path& folder, const ExportClaims& claims)
      : folder_(folder), claims_(claims) {}

  ExportCheck run() {
    const std::vector<Found> found = find_files(folder_);
    for (const Found& file : found) here_.emplace(file.name, file.kind);
    is_unsigned_ = here_.contains(kNotRecorded);
    if (is_unsigned_) check_.signature = ExportSignature::none;
    for (const ExportFile& file : kExportFiles) {
      const auto here = here_.find(file.name);
      if (here == here_.end()) continue;
      if (file.is_forbidden()) {
        wrong(file.name, "nothing", "a file that changes what case.db says");
      } else if (is_unsigned_ && file.is_only_signed()) {
        wrong(file.name, "nothing beside " + std::string(kNotRecorded),
              "a file of a signed export");
      } else if (file.is_added() && here->second != FileKind::regular) {
        wrong(file.name, "a file or nothing",
              std::string(to_string(here->second)));
      }
    }
    read_record();
    if (!here_.contains(kExportList) && !claims_.is_list_required &&
        !is_unsigned_) {
      check_.signature = ExportSignature::of_no_list;
      check_.foreign.emplace_back(
          "everything beside case.db: this export is of a version that signs "
          "no list of its files; its VERIFY.sh checks what it can");
      return std::move(check_);
    }
    if (is_unsigned_) {
      list_ = text_of(kExportList).value_or("");
      if (!claims_.witness.empty()) {
        wrong(kNote, "a head that the witness signed",
              "an export that nobody signed");
      }
    } else {
      check_signature();
    }
    check_listed();
    compare_lines("custody.jsonl", lines_);
    compare_lines("custody.sig", signatures_);
    if (!is_unsigned_) check_note();
    for (const Found& file : found) check_unlisted(file);
    return std::move(check_);
  }

 private:
  void wrong(std::string_view what, std::string expected, std::string found) {
    check_.problems.push_back(
        {0, printable(what), std::move(expected), std::move(found)});
  }

  /// What case.db holds, as the files beside it must have it.
  void read_record() {
    Sha256 lines;
    Sha256 signatures;
    Statement rows = claims_.database.prepare(
        "SELECT line, signature FROM custody ORDER BY seq");
    head_ = genesis_prev();
    while (rows.step()) {
      lines.update(as_bytes(rows.text(0)));
      lines.update(as_bytes("\n"));
      signatures.update(as_bytes(rows.text(1)));
      signatures.update(as_bytes("\n"));
      head_ = link_of(rows.text(0));
      if (++entries_ == 1) read_genesis(std::string(rows.text(0)));
    }
    lines_ = lines.finish();
    signatures_ = signatures.finish();
    Statement note = claims_.database.prepare(
        "SELECT note FROM heads WHERE size=(SELECT max(seq) FROM custody)");
    if (note.step()) stored_note_ = note.text(0);
  }

  /// A first entry that cannot be read is a problem of the chain, said there.
  void read_genesis(const std::string& line) {
    try {
      const Json json = parse_json(line, "entry 1");
      const auto began = parse_time(text_or(json, "ts", ""));
      if (began) began_ = *began / kSecond;
    } catch (const Error&) {
      began_.reset();
    }
  }

  void compare_lines(std::string_view name, const Digest& expected) {
    const auto here = here_.find(name);
    if (here == here_.end() || here->second != FileKind::regular) {
      wrong(name, "a file", here == here_.end() ? "nothing" : "something else");
      return;
    }
    try {
      const Digest found = sha256_of(*open_source(folder_ / name));
      if (found != expected) {
        wrong(name, "what case.db holds, SHA-256 " + expected.hex(),
              found.hex());
      }
    } catch (const Error& error) {
      wrong(name, "a readable file", error.what());
    }
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

  void check_signature() {
    const auto list = text_of(kExportList);
    const auto signature = text_of(kExportSignature);
    const auto signer = text_of(kSigner);
    if (!list || !signature || !signer) return;
    list_ = *list;
    try {
      const PublicKey key = PublicKey::from_pem(*signer, kSigner);
      signer_ = key;
      if (!claims_.keys.contains(key.fingerprint().hex())) {
        wrong(kSigner, "a key that the record introduces",
              key.fingerprint().hex());
      }
      const bool is_line = signature->ends_with('\n');
      const Bytes bytes = from_base64(
          std::string_view(*signature).substr(0, signature->size() - is_line));
      if (!is_line || to_base64(bytes) + "\n" != *signature) {
        wrong(kExportSignature, "64 bytes in base64 and a line break",
              excerpt(*signature));
      }
      if (!key.verify(as_bytes(list_), bytes)) {
        wrong(kExportSignature,
              "the signature of " + std::string(kSigner) + " over " +
                  std::string(kExportList),
              "one that does not fit");
      }
    } catch (const Error& error) {
      wrong(kExportSignature, "a signature and its key", error.what());
    }
  }

  /// What an exporter may list: their signature makes nothing part of a record.
  void read_places() {
    for (const ExportFile& file : kExportFiles) {
      if (is_unsigned_ ? file.is_listed_unsigned() : file.is_listed_signed()) {
        places_.emplace(file.name);
      }
    }
    const bool has_exhibits =
        is_unsigned_ ? here_.contains("exhibits") || here_.contains("reports")
                     : claims_.is_with_exhibits;
    if (!has_exhibits) return;
    Statement sealed = claims_.database.prepare(
        "SELECT DISTINCT json_extract(line,'$.item') FROM custody"
        " WHERE CASE WHEN json_valid(line)"
        " THEN json_extract(line,'$.action')='bundle.seal' END");
    while (sealed.step()) {
      for (const std::string_view ending : kExhibitEndings) {
        places_.insert(fmt::format("exhibits/{}{}", sealed.text(0), ending));
      }
    }
    for (const char* what : {"result", "baseline"}) {
      Statement kept = claims_.database.prepare(fmt::format(
          "SELECT json_extract(line,'$.detail.{}_file') FROM custody"
          " WHERE CASE WHEN json_valid(line)"
          " THEN json_extract(line,'$.action')='baseline.diff' END",
          what));
      while (kept.step()) places_.emplace(kept.text(0));
    }
  }

  /// Judges a listed name by what the record says that there is.
  void check_place(const std::string& name) {
    if (places_.contains(name)) return;
    for (const Signer& signer : claims_.signers.all()) {
      if (name != fmt::format("keys/{}.pem", signer.fingerprint)) continue;
      const auto text = text_of(name);
      if (text && *text != signer.public_key) {
        wrong(name, "the key that the record has under this fingerprint",
              "another one");
      }
      return;
    }
    wrong(kExportList, "names of files that this record has", name);
  }

  void check_listed() {
    read_places();
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
      check_place(name);
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
    for (const ExportFile& file : kExportFiles) {
      const bool must =
          is_unsigned_ ? file.is_listed_unsigned() : file.is_listed_signed();
      if (must && !listed_.contains(file.name)) {
        wrong(kExportList, "a line for " + std::string(file.name), "none");
      }
    }
  }

  /// The head of the export, and the lines that others may add to its note.
  void check_note() {
    const auto text = text_of(kNote);
    if (!text) return;
    try {
      const SignedNote note = parse_note(*text, kNote);
      const Checkpoint head = parse_checkpoint(note.text, kNote);
      const std::string exported = exported_note(*text);
      if (signer_ &&
          !verify_note(parse_note(exported, kNote), head.origin, *signer_)) {
        wrong(kNote, "a signature of signer.pub.pem", "none that is valid");
      }
      if (std::cmp_not_equal(head.size, entries_)) {
        wrong(kNote, fmt::format("a head of {} entries", entries_),
              fmt::format("one of {}", head.size));
      }
      if (head.chain.hex() != head_) wrong(kNote, head_, head.chain.hex());
      if (exported != stored_note_) {
        wrong(kNote, "the head of the whole chain in case.db",
              stored_note_.empty() ? "no such head" : "another one");
      }
      std::size_t further = note.signatures.size() - 1;
      if (is_file(kWitness)) {
        check_witness(note);
        if (further > 0) --further;
      } else if (!claims_.witness.empty()) {
        wrong(kWitness, "the key of the witness", "nothing");
      }
      if (further > 0) {
        check_.foreign.push_back(
            fmt::format("{} further signatures in {}", further, kNote));
      }
      check_stamp(note);
    } catch (const Error& error) {
      wrong(kNote, "a signed head", error.what());
    }
  }

  [[nodiscard]] bool is_file(std::string_view name) const {
    const auto here = here_.find(name);
    return here != here_.end() && here->second == FileKind::regular;
  }

  /// cosignature/v1 (C2SP): 8 bytes of time, 64 of signature behind the key id.
  void check_witness(const SignedNote& note) {
    const auto pem = text_of(kWitness);
    if (!pem) return;
    std::optional<PublicKey> key;
    try {
      key = PublicKey::from_pem(*pem, kWitness);
    } catch (const Error& error) {
      wrong(kWitness, "an Ed25519 key in PEM", error.what());
      return;
    }
    const std::string fingerprint = key->fingerprint().hex();
    if (std::ranges::any_of(claims_.signers.all(), [&](const Signer& signer) {
          return signer.fingerprint == fingerprint;
        })) {
      wrong(kWitness,
            "another key than those of the record: nobody is a witness of "
            "their own acts",
            fingerprint);
    }
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
    if (time >> 63U != 0) {
      wrong(kNote, "a time of the cosignature below 2^63 seconds",
            fmt::format("{}", time));
      return;
    }
    if (began_ && std::cmp_less(time, *began_)) {
      wrong(kNote,
            fmt::format("a cosignature after the record began ({})", *began_),
            fmt::format("{}", time));
    }
    const std::string text =
        fmt::format("cosignature/v1\ntime {}\n{}", time, note.text);
    if (!key->verify(as_bytes(text), ByteView(cosignature).subspan(kTime))) {
      wrong(kNote, "a cosignature of witness.pub.pem", "one that does not fit");
      return;
    }
    if (claims_.witness.empty()) {
      check_.vouching.push_back(fmt::format(
          "another key signed the head, {}, and states the time {}; it came "
          "with this folder, so that anybody could have made it",
          fingerprint, date_of(time)));
    } else if (claims_.witness == fingerprint) {
      check_.vouching.push_back(
          fmt::format("the witness that you named, key {}, signed the head "
                      "and states the time {}",
                      fingerprint, date_of(time)));
    } else {
      wrong(kWitness, claims_.witness, fingerprint);
    }
  }

  /// A time stamp of the head (RFC 3161), by the certificates beside it.
  void check_stamp(const SignedNote& note) {
    if (!is_file(kStamp)) return;
    if (!is_file(kStampChain)) {
      wrong(kStampChain, "the certificates of checkpoint.tsr", "nothing");
      return;
    }
    try {
      const std::string reply = read_text_file(folder_ / kStamp, kMaxStamp);
      const std::int64_t time = verify_time_stamp(
          as_bytes(reply), read_text_file(folder_ / kStampChain, kMaxStamp),
          note.text);
      if (began_ && time < *began_) {
        wrong(kStamp,
              fmt::format("a time after the record began ({})", *began_),
              fmt::format("{}", time));
      }
      check_.vouching.push_back(fmt::format(
          "a time stamp says that the head existed at {}; whether the "
          "certificates in {}, which came with this folder, are of an "
          "authority was not compared",
          date_of(static_cast<std::uint64_t>(time)), kStampChain));
    } catch (const Error& error) {
      wrong(kStamp, "a time stamp of the head", error.what());
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
    const ExportFile* known = known_file(name);
    // Judged above; certificates alone are certificates of nothing, and what
    // others add vouches for a head that a signed export has.
    if (known != nullptr &&
        (!known->is_added() ||
         (!is_unsigned_ && (name != kStampChain || is_file(kStamp))))) {
      return;
    }
    check_.foreign.push_back(name + (is_folder ? "/" : ""));
  }

  const fs::path& folder_;
  const ExportClaims& claims_;
  ExportCheck check_;
  std::int64_t entries_ = 0;
  std::string head_;
  std::string stored_note_;
  Digest lines_;
  Digest signatures_;
  std::optional<std::int64_t> began_;  ///< seconds since 1970
  std::map<std::string, FileKind, std::less<>> here_;
  std::set<std::string, std::less<>> listed_;
  std::set<std::string, std::less<>> places_;
  std::string list_;
  std::optional<PublicKey> signer_;
  bool is_unsigned_ = false;
};

}  // namespace

void write_export_list(const fs::path& folder, const KnownDigests& known,
                       const SigningKey* key) {
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
  if (key == nullptr) return;
  write_file_durably(folder / kExportSignature,
                     as_bytes(to_base64(key->sign(as_bytes(list))) + "\n"),
                     kFileMode);
}

bool is_export(const fs::path& folder) {
  const auto is_there = [&](std::string_view name) {
    return static_cast<bool>(stat_path(folder / name, Links::refuse));
  };
  const bool has_file =
      std::ranges::any_of(kExportFiles, [&](const ExportFile& file) {
        return file.presence != Presence::maybe && file.name != kCaseDatabase &&
               is_there(file.name);
      });
  return has_file ||
         ((is_there("exhibits") || is_there("keys")) && !is_there("evidence"));
}

bool is_unsigned_export(const fs::path& folder) {
  return is_export(folder) &&
         static_cast<bool>(stat_path(folder / kNotRecorded, Links::refuse));
}

bool is_report_name(std::string_view name) noexcept {
  constexpr std::string_view kFolder = "reports/";
  return name.starts_with(kFolder) && name.size() > kFolder.size() &&
         std::ranges::all_of(name.substr(kFolder.size()), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-';
         });
}

ExportCheck check_export(const fs::path& folder, const ExportClaims& claims) {
  return Checker(folder, claims).run();
}

}  // namespace impound
