// SPDX-License-Identifier: Apache-2.0
#include "core/engine/exhibits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/casefile/record_files.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/next_command.hpp"
#include "core/evidence/layout.hpp"

namespace impound {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

ExhibitRow sealed_row(const CaseFile& case_file, std::string_view exhibit) {
  const auto row = case_file.exhibit(exhibit);
  if (!row) {
    throw Error(Errc::bad_input,
                fmt::format("case {} has no exhibit \"{}\"", case_file.id(),
                            printable(exhibit)));
  }
  if (row->state != "sealed") {
    throw Error(
        Errc::bad_input,
        fmt::format("exhibit {} is {}, not sealed; this says more: {}", row->id,
                    row->state,
                    next_command(case_file.folder(), {"case", "check"})));
  }
  return *row;
}

/// Where the bundle of a sealed exhibit lies; nobody has looked at it.
fs::path path_of(const CaseFile& case_file, const ExhibitRow& row) {
  return case_file.folder() /
         (is_export(case_file.folder()) ? "exhibits" : "evidence") /
         fs::path(row.bundle).filename();
}

/// Whether what a bundle says of itself is what the record sealed: its tag
/// manifest has the sealed digest and lists every other metadata member as it
/// is, the list of items among them. An item whose bytes have the digest of
/// that list is then the sealed one. Another bundle with a seal of its own
/// would pass every check that looks into the bundle alone.
void require_sealed(const CaseFile& case_file, const BundleReader& reader,
                    const ExhibitRow& row) {
  const std::string sealed = case_file.sealed_tagmanifest(row.id);
  const std::string found = sha256(reader.meta(layout::kTagManifest)).hex();
  std::vector<std::pair<std::string, Digest>> members;
  for (const std::string& name : reader.meta_names()) {
    if (name == layout::kTagManifest) continue;
    members.emplace_back(name, sha256(reader.meta(name)));
  }
  const std::string made =
      sha256(layout::manifest_text(std::move(members))).hex();
  if (found == sealed && made == sealed) return;
  throw Error(Errc::integrity,
              fmt::format("{} is not the bundle that the record sealed: "
                          "expected a tag manifest with SHA-256 {}, found {}; "
                          "this says more: {}",
                          row.id, sealed, found == sealed ? made : found,
                          next_command(case_file.folder(),
                                       {"exhibit", "verify", row.id})));
}

}  // namespace

std::optional<ExhibitReference> parse_exhibit_reference(std::string_view text) {
  if (text.size() < 2 || text.front() != 'E') return std::nullopt;
  const std::size_t slash = text.find('/');
  const std::string_view exhibit = text.substr(0, slash);
  if (!parse_number(exhibit.substr(1))) return std::nullopt;
  ExhibitReference reference{.exhibit = std::string(exhibit), .item = 0};
  if (slash == text.npos) return reference;
  const auto item = parse_number(text.substr(slash + 1));
  if (!item || *item == 0) return std::nullopt;
  reference.item = *item;
  return reference;
}

bool is_path_on_disk(const std::string& subject) {
  if (!stat_path(subject, Links::follow)) return false;
  if (parse_exhibit_reference(subject)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{0}\" is an exhibit's name and a file here: "
                            "write ./{0} for the file, or go elsewhere for the "
                            "exhibit",
                            printable(subject)));
  }
  return true;
}

std::unique_ptr<BundleReader> open_exhibit(const CaseFile& case_file,
                                           std::string_view exhibit) {
  const ExhibitRow row = sealed_row(case_file, exhibit);
  auto reader = std::make_unique<BundleReader>(path_of(case_file, row));
  require_sealed(case_file, *reader, row);
  return reader;
}

fs::path bundle_of(const CaseFile& case_file, std::string_view exhibit) {
  static_cast<void>(open_exhibit(case_file, exhibit));
  return path_of(case_file, sealed_row(case_file, exhibit));
}

VerifyReport measure_exhibit(const CaseFile& case_file,
                             std::string_view exhibit, unsigned threads,
                             const Cancellation& cancellation,
                             Progress& progress) {
  const ExhibitRow row = sealed_row(case_file, exhibit);
  progress.begin(fmt::format("verify {}", row.id), row.payload_bytes);
  VerifyReport report =
      verify_bundle(path_of(case_file, row),
                    {.threads = threads,
                     .expected_sha256 = row.sha256,
                     .expected_manifest_sha256 = row.manifest_sha256},
                    cancellation, progress);
  report.exhibit = row.id;
  progress.end(report.ok() ? "whole" : "DAMAGED");
  return report;
}

void record_verification(Session& session, const VerifyReport& report) {
  const ExhibitRow row = sealed_row(session.case_file, report.exhibit);
  EntryDraft draft = session.draft("verify");
  draft.item = row.id;
  draft.purpose = "integrity check";
  draft.outcome = report.ok() ? Outcome::ok : Outcome::failed;
  draft.detail["what"] = "exhibit " + row.id;
  draft.detail["expected"] = row.sha256;
  draft.detail["found"] =
      report.ok() ? Json(row.sha256) : report.to_json().at("problems");
  draft.detail["result"] = report.ok() ? "ok" : "damaged";
  session.case_file.append({draft}, session.examiner,
                           session.journal(report.to_json()));
}

VerifyReport verify_exhibit(Session& session, std::string_view exhibit,
                            unsigned threads) {
  VerifyReport report = measure_exhibit(session.case_file, exhibit, threads,
                                        session.cancellation, session.progress);
  record_verification(session, report);
  return report;
}

bool ExportedExhibits::ok() const {
  return std::ranges::all_of(
      reports, [](const VerifyReport& report) { return report.ok(); });
}

namespace {

/// True if the export was made with its exhibits: by what its newest disclosure
/// says; where none is recorded, by what is there. An export that is not
/// recorded itself is none that an entry could tell of.
bool has_exhibits(const CaseFile& case_file) {
  if (is_unsigned_export(case_file.folder())) {
    return static_cast<bool>(
        stat_path(case_file.folder() / "exhibits", Links::refuse));
  }
  const auto entries = case_file.entries();
  const auto disclosure =
      std::find_if(entries.rbegin(), entries.rend(), [](const Entry& entry) {
        return text_or(entry.json, "action", "") == "export.disclose";
      });
  if (disclosure != entries.rend()) {
    const Json& detail = disclosure->json.at("detail");
    if (detail.contains("with_exhibits"))
      return detail["with_exhibits"] == true;
  }
  return static_cast<bool>(
      stat_path(case_file.folder() / "exhibits", Links::refuse));
}

/// Files of exhibits/ that belong to no sealed exhibit, or to an export that
/// was made without any.
VerifyReport check_strangers(const CaseFile& case_file, bool is_with_exhibits) {
  VerifyReport report;
  report.exhibit = "exhibits/";
  std::set<std::string> known;
  for (const ExhibitRow& row : case_file.exhibits()) {
    if (row.state != "sealed" || !is_with_exhibits) continue;
    for (const std::string_view ending : kExhibitEndings) {
      known.insert(row.id + std::string(ending));
    }
  }
  const auto names = list_directory(case_file.folder() / "exhibits");
  if (!names) return report;  // an export without exhibits
  for (const std::string& name : *names) {
    if (known.contains(name)) continue;
    report.problems.push_back({"file", "exhibits/" + printable(name),
                               is_with_exhibits
                                   ? "nothing: the record seals no such exhibit"
                                   : "nothing: this export was made without "
                                     "exhibits",
                               "a file that was added"});
  }
  return report;
}

}  // namespace

ExportedExhibits verify_exported(const CaseFile& case_file,
                                 std::vector<std::string> exhibits,
                                 unsigned threads,
                                 const Cancellation& cancellation,
                                 Progress& progress) {
  ExportedExhibits result;
  const bool is_with_exhibits = has_exhibits(case_file);
  if (exhibits.empty()) {
    for (const ExhibitRow& row : case_file.exhibits()) {
      if (row.state == "sealed") exhibits.push_back(row.id);
    }
    VerifyReport strangers = check_strangers(case_file, is_with_exhibits);
    if (!strangers.ok()) result.reports.push_back(std::move(strangers));
  }
  for (const std::string& exhibit : exhibits) {
    const ExhibitRow row = sealed_row(case_file, exhibit);
    const fs::path bundle = path_of(case_file, row);
    if (!is_with_exhibits) {
      result.left_out.push_back(row.id);
      continue;
    }
    if (const auto stat = stat_path(bundle, Links::refuse);
        !stat || stat->kind != FileKind::regular) {
      VerifyReport report;
      report.exhibit = row.id;
      report.problems.push_back({"file", printable(bundle.filename().native()),
                                 "a file of this export",
                                 stat ? std::string(to_string(stat->kind))
                                      : stat.failure().message()});
      result.reports.push_back(std::move(report));
      continue;
    }
    progress.begin(fmt::format("verify {}", row.id), row.payload_bytes);
    VerifyReport report =
        verify_bundle(bundle,
                      {.threads = threads,
                       .expected_sha256 = row.sha256,
                       .expected_manifest_sha256 = row.manifest_sha256},
                      cancellation, progress);
    report.exhibit = row.id;
    progress.end(report.ok() ? "whole" : "DAMAGED");
    result.reports.push_back(std::move(report));
  }
  return result;
}

std::vector<const Item*> choose_items(const BundleReader& reader,
                                      const std::vector<std::string>& names) {
  std::vector<const Item*> chosen;
  for (const std::string& name : names) {
    const std::size_t before = chosen.size();
    const auto number = parse_number(name);
    for (const Item& item : reader.items()) {
      const bool matches =
          number ? item.number == *number
                 : item.name == name || glob_match(name, item.name);
      if (matches) chosen.push_back(&item);
    }
    if (chosen.size() == before) {
      throw Error(Errc::bad_input,
                  fmt::format("no item is called \"{}\"", printable(name)));
    }
  }
  if (names.empty()) {
    for (const Item& item : reader.items()) chosen.push_back(&item);
  }
  std::ranges::sort(chosen, {}, [](const Item* item) { return item->number; });
  const auto repeated = std::ranges::unique(chosen);
  chosen.erase(repeated.begin(), repeated.end());
  return chosen;
}

WorkingCopy extract_exhibit(const CaseFile& case_file, std::string_view exhibit,
                            const std::vector<std::string>& names,
                            const fs::path& folder, Progress& progress) {
  const auto reader = open_exhibit(case_file, exhibit);
  const auto chosen = choose_items(*reader, names);
  WorkingCopy copy;
  copy.exhibit = exhibit;
  copy.folder = folder;
  copy.items = chosen.size();
  copy.is_all = chosen.size() == reader->items().size();
  progress.begin(fmt::format("extract {}", exhibit), {});
  copy.problems = extract_items(*reader, chosen, folder);
  progress.end(copy.problems.empty()
                   ? fmt::format("{} items, all verified", chosen.size())
                   : "with problems");
  return copy;
}

void record_copy(Session& session, const WorkingCopy& copy,
                 const std::string& purpose) {
  const ExhibitRow row = sealed_row(session.case_file, copy.exhibit);
  EntryDraft draft = session.draft("copy.make");
  draft.item = row.id;
  draft.purpose = purpose;
  draft.outcome = copy.problems.empty() ? Outcome::ok : Outcome::partial;
  Json object;
  object["kind"] = "working copy";
  object["path"] = lossless_utf8(fs::absolute(copy.folder).native());
  draft.object = std::move(object);
  draft.detail["kind"] = "verified working copy";
  draft.detail["parent"] = row.id;
  // open_exhibit() measured that the bundle's manifest is this one.
  draft.detail["sha256_before"] = row.manifest_sha256;
  // Every file is hashed while it is written and compared with its line; the
  // copy is what the manifest lists only if it is all of it.
  draft.detail["sha256_after"] = copy.problems.empty() && copy.is_all
                                     ? Json(row.manifest_sha256)
                                     : Json(nullptr);
  draft.detail["items"] = copy.items;
  Json list = Json::array();
  for (const std::string& problem : copy.problems) {
    list.push_back(lossless_utf8(problem));
  }
  draft.detail["problems"] = std::move(list);
  session.case_file.append({draft}, session.examiner);
}

void record_access(Session& session, const std::string& item,
                   const std::string& purpose) {
  EntryDraft draft = session.draft("access");
  draft.item = item;
  draft.purpose = purpose;
  draft.detail["who"] = session.examiner.actor.name;
  draft.detail["copy"] = "original";
  draft.detail["read_only_proof"] =
      "opened O_RDONLY; what the bundle lists is what the record sealed";
  session.case_file.append({draft}, session.examiner);
}

}  // namespace impound
