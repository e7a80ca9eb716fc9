// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/export.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/fs_copy.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/case_file_impl.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/export_list.hpp"
#include "core/casefile/record_files.hpp"
#include "core/casefile/schema.hpp"
#include "core/casefile/verify_script.hpp"
#include "core/crypto/note.hpp"
#include "core/evidence/layout.hpp"

namespace impound {
namespace {

constexpr std::uint32_t kFileMode = 0640;  // a record holds what people typed
constexpr std::uint32_t kScriptMode = 0750;
constexpr std::size_t kWriteSize = 1 << 20;
/// Another process may append between the signature and the copy; then both
/// are made again.
constexpr int kAttempts = 20;

void require_empty(const fs::path& folder) {
  const auto names = list_directory(folder);
  if (!names) {
    if (names.failure().is_missing()) return;
    throw Error(Errc::io, fmt::format("cannot export to {}: {}",
                                      printable(folder.native()),
                                      names.failure().message()));
  }
  if (names->empty()) return;
  throw Error(
      Errc::bad_input,
      fmt::format("{} is not empty: an export needs a folder of its own",
                  printable(folder.native())));
}

void write_new(const fs::path& path, std::string_view text,
               std::uint32_t mode = kFileMode) {
  write_file_durably(path, as_bytes(text), mode);
}

/// A file that is written line by line.
class LineFile {
 public:
  explicit LineFile(fs::path path)
      : path_(std::move(path)), file_(create_file(path_, kFileMode)) {}

  void add(std::string_view line) {
    buffer_ += line;
    buffer_ += '\n';
    if (buffer_.size() >= kWriteSize) flush();
  }
  void finish() {
    flush();
    sync_fd(file_, path_);
  }

 private:
  void flush() {
    write_all(file_, as_bytes(buffer_), path_);
    buffer_.clear();
  }

  fs::path path_;
  UniqueFd file_;
  std::string buffer_;
};

/// A file below reports/ that a comparison made, as its entry names it.
struct Report {
  std::int64_t seq = 0;
  std::string name;
  std::string sha256;
};

/// The copy of the case that is handed out; everything else is derived from it,
/// so that it all belongs together. Of the case itself (read_only) only what an
/// export would hold is asked.
class ExportedRecord {
 public:
  explicit ExportedRecord(const fs::path& file,
                          Database::Mode mode = Database::Mode::immutable)
      : database_(file, mode) {}

  /// What the heads of the case call their origin.
  [[nodiscard]] std::string origin(std::string_view case_id) const {
    return head_origin(
        database_.text_of(
            "SELECT coalesce(json_extract(line,'$.detail.org'),'')"
            " FROM custody WHERE seq=1"),
        case_id);
  }

  [[nodiscard]] std::int64_t entries() const {
    return database_.integer_of("SELECT count(*) FROM custody");
  }

  /// @return the head.
  std::string write_lines(const fs::path& folder) const {
    LineFile lines(folder / "custody.jsonl");
    LineFile signatures(folder / "custody.sig");
    Statement rows =
        database_.prepare("SELECT line, signature FROM custody ORDER BY seq");
    std::string head = genesis_prev();
    while (rows.step()) {
      lines.add(rows.text(0));
      signatures.add(rows.text(1));
      head = link_of(rows.text(0));
    }
    lines.finish();
    signatures.finish();
    return head;
  }

  [[nodiscard]] std::map<std::string, PublicKey> keys() const {
    std::map<std::string, PublicKey> keys;
    Statement rows = database_.prepare("SELECT public_key FROM (" +
                                       view_query("signers") + ")");
    while (rows.step()) {
      const PublicKey key = PublicKey::from_pem(
          rows.text(0), "a signer that the case introduces");
      keys.emplace(key.fingerprint().hex(), key);
    }
    return keys;
  }

  [[nodiscard]] std::vector<ScriptExhibit> exhibits() const {
    Statement rows = database_.prepare(
        "SELECT json_extract(line,'$.item'),"
        " json_extract(line,'$.object.sha256'),"
        " json_extract(line,'$.detail.manifest_sha256'),"
        " json_extract(line,'$.detail.tagmanifest_sha256')"
        " FROM custody WHERE seq IN (SELECT min(seq) FROM custody"
        " WHERE json_extract(line,'$.action')='bundle.seal'"
        " GROUP BY json_extract(line,'$.item')) ORDER BY seq");
    std::vector<ScriptExhibit> exhibits;
    while (rows.step()) {
      ScriptExhibit exhibit{.id = std::string(rows.text(0)),
                            .bundle = {},
                            .sha256 = std::string(rows.text(1)),
                            .manifest_sha256 = std::string(rows.text(2)),
                            .tagmanifest_sha256 = std::string(rows.text(3))};
      exhibit.bundle = exhibit.id + std::string(layout::kSuffix);
      exhibits.push_back(std::move(exhibit));
    }
    return exhibits;
  }

  /// What comparisons kept: their results, and the baselines they used.
  [[nodiscard]] std::vector<Report> reports() const {
    std::vector<Report> reports;
    for (const char* what : {"result", "baseline"}) {
      Statement rows = database_.prepare(
          fmt::format("SELECT seq, json_extract(line,'$.detail.{0}_file'),"
                      " json_extract(line,'$.detail.{0}_sha256') FROM custody"
                      " WHERE json_extract(line,'$.action')='baseline.diff'"
                      " AND json_extract(line,'$.detail.{0}_file') IS NOT NULL"
                      " ORDER BY seq",
                      what));
      while (rows.step()) {
        reports.push_back({rows.integer(0), std::string(rows.text(1)),
                           std::string(rows.text(2))});
      }
    }
    return reports;
  }

 private:
  Database database_;
};

bool is_signed_by(const std::string& note, const Examiner& examiner) {
  const SignedNote head = parse_note(note, "the signed head");
  return verify_note(head,
                     parse_checkpoint(head.text, "the signed head").origin,
                     examiner.key.public_key());
}

/// Signs and copies until both speak of the same chain.
std::string sign_and_copy(CaseFile& case_file, const Examiner& examiner,
                          const fs::path& copy) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string note = case_file.sign_whole_chain(examiner);
    if (!is_signed_by(note, examiner)) {
      // Another examiner signed this very head, in an export of theirs. Who
      // hands this one out signs for it.
      EntryDraft draft;
      draft.action = "note";
      draft.purpose = "sign an export";
      draft.detail = {{"text",
                       "From here on the head is signed by who exports "
                       "the case: " +
                           examiner.actor.name}};
      static_cast<void>(case_file.append({draft}, examiner));
      note = case_file.sign_whole_chain(examiner);
    }
    case_file.copy_to(copy);
    const Checkpoint head = parse_checkpoint(
        parse_note(note, "the signed head").text, "the signed head");
    if (std::cmp_equal(head.size, ExportedRecord(copy).entries())) return note;
    remove_file(copy);
  }
  throw Error(Errc::io,
              "the case grows all the time: end the run that is writing to it, "
              "then export again");
}

/// Every key under keys/: of an export that nobody signs none is the signer's.
void write_keys(const ExportedRecord& record, const fs::path& folder) {
  create_folders(folder / "keys");
  for (const auto& [fingerprint, key] : record.keys()) {
    write_new(folder / "keys" / (fingerprint + ".pem"), key.pem());
  }
}

/// signer.pub.pem, and the other keys under keys/.
void write_keys(const ExportedRecord& record, const std::string& note,
                const fs::path& folder) {
  const SignedNote head = parse_note(note, "the signed head");
  const std::string origin =
      parse_checkpoint(head.text, "the signed head").origin;
  bool is_signer_known = false;
  for (const auto& [fingerprint, key] : record.keys()) {
    if (!is_signer_known && verify_note(head, origin, key)) {
      write_new(folder / "signer.pub.pem", key.pem());
      is_signer_known = true;
      continue;
    }
    create_folders(folder / "keys");
    write_new(folder / "keys" / (fingerprint + ".pem"), key.pem());
  }
  if (is_signer_known) return;
  throw Error(Errc::integrity,
              "the head of the case is signed by a key that it does not "
              "introduce; see impound custody verify");
}

/// A file of its own, or on demand a second name of the sealed one.
void hand_out(const fs::path& from, const fs::path& to, ExhibitCopies copies) {
  if (copies == ExhibitCopies::apart) {
    copy_file_apart(from, to);
    return;
  }
  std::error_code failure;
  fs::create_hard_link(from, to, failure);
  if (failure) {
    throw Error(
        Errc::io,
        fmt::format("cannot give {} the second name {}: {}; without --link it "
                    "is copied",
                    printable(from.native()), printable(to.native()),
                    failure.message()));
  }
}

/// The text of a report, if it is what its entry says.
std::string require_report(const fs::path& from, const Report& report) {
  const auto wrong = [&](std::string_view what) -> Error {
    return {Errc::integrity,
            fmt::format("cannot export {}, which entry {} names: {}; an "
                        "export without exhibits is still possible",
                        printable(report.name), report.seq, what)};
  };
  if (!is_report_name(report.name)) throw wrong("this is no name of a report");
  std::string text;
  try {
    text = read_text_file(from / report.name, limits::kMaxJsonDocument);
  } catch (const Error& error) {
    throw wrong(error.what());
  }
  if (const std::string found = sha256(text).hex(); found != report.sha256) {
    throw wrong(
        fmt::format("expected SHA-256 {}, found {}", report.sha256, found));
  }
  return text;
}

/// Copied, not linked: small, and nobody shall change the case by its export.
void export_report(const fs::path& from, const fs::path& to,
                   const Report& report) {
  const std::string text = require_report(from, report);
  create_folders((to / report.name).parent_path());
  write_file_durably(to / report.name, as_bytes(text), kFileMode);
}

/// The bundle of an exhibit, if it is a file.
fs::path require_bundle(const fs::path& evidence,
                        const ScriptExhibit& exhibit) {
  fs::path bundle = evidence / exhibit.bundle;
  const auto stat = stat_path(bundle, Links::refuse);
  if (!stat || stat->kind != FileKind::regular) {
    throw Error(
        Errc::io,
        fmt::format("cannot export {}: {}: {}; an export without "
                    "exhibits is still possible",
                    exhibit.id, printable(bundle.native()),
                    stat ? "no regular file" : stat.failure().message()));
  }
  if (const auto opened = open_read(bundle); !opened) {
    throw Error(Errc::io,
                fmt::format("cannot export {}: {}: {}; an export without "
                            "exhibits is still possible",
                            exhibit.id, printable(bundle.native()),
                            opened.failure().message()));
  }
  return bundle;
}

/// Room for copies of `bundles`, which share nothing, at `folder`.
void require_room(const fs::path& folder,
                  const std::vector<fs::path>& bundles) {
  std::uint64_t needed = 0;
  for (const fs::path& bundle : bundles) {
    const auto stat = stat_path(bundle, Links::refuse);
    if (stat) needed += stat->size;
  }
  const fs::path place = existing_part(folder);
  const std::uint64_t free = free_bytes(place);
  if (needed <= free || can_share_blocks(bundles.front(), place)) return;
  throw Error(Errc::io,
              fmt::format("cannot export to {}: the copies of {} exhibits need "
                          "{}, the disk has {}; an export without exhibits is "
                          "still possible",
                          printable(folder.native()), bundles.size(),
                          human_bytes(needed), human_bytes(free)));
}

void export_exhibit(const fs::path& evidence, const fs::path& folder,
                    const ScriptExhibit& exhibit, ExhibitCopies copies) {
  hand_out(require_bundle(evidence, exhibit), folder / exhibit.bundle, copies);
  for (const std::string& name :
       {exhibit.bundle + ".sha256", exhibit.id + ".seal.json",
        exhibit.id + ".VERIFY.txt"}) {
    const auto beside = stat_path(evidence / name, Links::refuse);
    // Without these the exhibit can still be checked against the chain.
    if (beside && beside->kind == FileKind::regular) {
      hand_out(evidence / name, folder / name, copies);
    }
  }
  // The one of them that repeats an entry and nothing else.
  const std::string digest_file = exhibit.bundle + ".sha256";
  if (!stat_path(folder / digest_file, Links::refuse)) {
    write_new(folder / digest_file,
              fmt::format("{}  {}\n", exhibit.sha256, exhibit.bundle));
  }
}

}  // namespace

void require_exportable(const CaseFile& case_file,
                        const ExportOptions& options) {
  require_empty(options.folder);
  if (!options.with_exhibits) return;
  const ExportedRecord record(case_file.folder() / kCaseDatabase,
                              Database::Mode::read_only);
  std::vector<fs::path> bundles;
  for (const ScriptExhibit& exhibit : record.exhibits()) {
    bundles.push_back(require_bundle(case_file.folder() / "evidence", exhibit));
  }
  if (!bundles.empty() && options.copies == ExhibitCopies::apart) {
    require_room(options.folder, bundles);
  }
  for (const Report& report : record.reports()) {
    static_cast<void>(require_report(case_file.folder(), report));
  }
}

namespace {

/// What is written of a copy of the case, whether its head was signed or not.
class ExportWriter {
 public:
  /// case.db is in the folder of the export already.
  ExportWriter(const CaseFile& case_file, const ExportOptions& options)
      : case_file_(case_file),
        options_(options),
        record_(options.folder / kCaseDatabase) {
    facts_.case_id = case_file.id();
    facts_.origin = record_.origin(facts_.case_id);
    facts_.entries = record_.entries();
    facts_.with_exhibits = options.with_exhibits;
    facts_.exhibits = record_.exhibits();
  }

  ExportResult write_signed(const std::string& note, const SigningKey& key) {
    facts_.head = record_.write_lines(options_.folder);
    const std::string script = verify_script(facts_);  // judges every value
    write_new(options_.folder / "checkpoint.note", note);
    write_keys(record_, note, options_.folder);
    write_rest(script, &key);
    ExportResult result = this->result();
    result.checkpoint_note = note;
    return result;
  }

  ExportResult write_unsigned(std::string_view statement) {
    facts_.is_signed = false;
    facts_.head = record_.write_lines(options_.folder);
    const std::string script = verify_script(facts_);
    write_new(options_.folder / kNotRecorded, statement);
    write_keys(record_, options_.folder);
    write_rest(script, nullptr);
    return result();
  }

 private:
  void write_rest(const std::string& script, const SigningKey* key) {
    const fs::path& folder = options_.folder;
    if (options_.with_exhibits && !facts_.exhibits.empty()) {
      create_folders(folder / "exhibits");
      for (const ScriptExhibit& exhibit : facts_.exhibits) {
        export_exhibit(case_file_.folder() / "evidence", folder / "exhibits",
                       exhibit, options_.copies);
      }
      sync_folder(folder / "exhibits");
    }
    if (options_.with_exhibits) {
      for (const Report& report : record_.reports()) {
        export_report(case_file_.folder(), folder, report);
      }
    }
    KnownDigests known{{"VERIFY.sh", sha256(script)}};
    for (const ScriptExhibit& exhibit : facts_.exhibits) {
      if (!options_.with_exhibits) break;
      // As sealed; whether the file has it is what every check measures.
      known.emplace("exhibits/" + exhibit.bundle,
                    Digest::from_hex(exhibit.sha256).value_or(Digest{}));
    }
    write_export_list(folder, known, key);
    // Last: an export that was cut off has no script that could call it whole.
    write_new(folder / "VERIFY.sh", script, kScriptMode);
  }

  [[nodiscard]] ExportResult result() const {
    ExportResult result;
    result.folder = options_.folder;
    result.entries = facts_.entries;
    result.head = facts_.head;
    for (const ScriptExhibit& exhibit : facts_.exhibits) {
      result.exhibits.push_back(exhibit.id);
    }
    return result;
  }

  const CaseFile& case_file_;
  const ExportOptions& options_;
  ExportedRecord record_;
  ScriptFacts facts_;
};

}  // namespace

ExportResult export_case(CaseFile& case_file, const Examiner& examiner,
                         const ExportOptions& options) {
  require_empty(options.folder);
  create_folders(options.folder);
  const std::string note =
      sign_and_copy(case_file, examiner, options.folder / kCaseDatabase);
  return ExportWriter(case_file, options).write_signed(note, examiner.key);
}

ExportResult export_case_unsigned(const CaseFile& case_file,
                                  const ExportOptions& options,
                                  std::string_view statement) {
  require_empty(options.folder);
  create_folders(options.folder);
  case_file.copy_to(options.folder / kCaseDatabase);
  return ExportWriter(case_file, options).write_unsigned(statement);
}

}  // namespace impound
