// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/acquisition.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/release.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/verify.hpp"

namespace impound {
namespace {

constexpr std::string_view kLate =
    "the process that took it ended before it could record this; written by a "
    "later one that verified the bundle and held it against the record";

fs::path bundle_path(const CaseFile& case_file, const std::string& exhibit) {
  return case_file.folder() / "evidence" / (exhibit + ".tar.zst");
}

bool is_there(const fs::path& path) {
  return static_cast<bool>(stat_path(path, Links::refuse));
}

/// What the seal beside a bundle says, after the bundle was verified with it.
SealedBundle sealed_facts(const BundleReader& reader, const fs::path& path) {
  const Json& seal = reader.seal();
  const std::string source = printable(path.native()) + ", its seal";
  const Json& bundle = require_key(seal, "bundle", source);
  const auto digest = [&](const Json& object, std::string_view key) {
    const auto value = Digest::from_hex(require_text(object, key, source));
    if (!value) throw Error(Errc::malformed, source + ": not a digest");
    return *value;
  };
  SealedBundle facts;
  facts.path = path;
  facts.size = require_u64(bundle, "size", source);
  facts.sha256 = digest(bundle, "sha256");
  facts.manifest_sha256 = digest(seal, "manifest_sha256");
  facts.tagmanifest_sha256 = digest(seal, "tagmanifest_sha256");
  facts.frames = require_key(seal, "frames", source).size();
  facts.payload_bytes = require_u64(seal, "payload_bytes", source);
  facts.items = require_u64(seal, "items", source);
  facts.gaps = require_u64(seal, "gaps", source);
  facts.counts = require_key(seal, "counts", source);
  facts.compression = require_text(seal, "compression", source);
  facts.seal = seal;
  // The text beside the bundle, which verify_bundle() made again and compared.
  fs::path beside = path.parent_path() / require_text(seal, "exhibit", source);
  beside += ".seal.json";
  facts.seal_sha256 = sha256_of(*open_source(beside));
  facts.verify_txt_sha256 = digest(seal, "verify_txt_sha256");
  return facts;
}

/// The facts of a bundle that is on disk whole.
/// @throws Error{integrity} naming the first thing that is wrong.
Snapshot read_sealed(Session& session, const std::string& exhibit) {
  const fs::path path = bundle_path(session.case_file, exhibit);
  const VerifyReport report =
      verify_bundle(path, {}, session.cancellation, session.progress);
  if (!report.ok()) {
    const VerifyProblem& first = report.problems.front();
    throw Error(Errc::integrity,
                fmt::format("{} does not verify: {} of {}: expected {}, found "
                            "{}",
                            exhibit, first.what, first.where, first.expected,
                            first.found));
  }
  const BundleReader reader(path);
  Snapshot snapshot;
  snapshot.exhibit = exhibit;
  snapshot.is_adopted = true;
  snapshot.bundle = sealed_facts(reader, path);
  std::vector<std::string> order;
  for (const Item& item : reader.items()) {
    if (order.empty() || order.back() != item.collector) {
      order.push_back(item.collector);
      snapshot.collectors.emplace_back();
      snapshot.collectors.back().name = item.collector;
    }
    snapshot.collectors.back().add(item);
  }
  for (const Gap& gap : reader.gaps()) {
    auto summary = std::ranges::find(snapshot.collectors, gap.collector,
                                     &CollectorSummary::name);
    if (summary == snapshot.collectors.end()) {
      snapshot.collectors.emplace_back();
      summary = std::prev(snapshot.collectors.end());
      summary->name = gap.collector;
    }
    summary->add(gap);
    snapshot.gap_list.push_back(gap);
  }
  return snapshot;
}

/// A bundle may verify and be another one: of another case, or made by whoever
/// can write here. The one that was being taken holds the lines of its own
/// acquisition, and its items are those that the chain recorded.
/// @throws Error{integrity} naming the first thing that differs.
void require_own(const Session& session, const std::string& exhibit) {
  const auto row = session.case_file.exhibit(exhibit);
  const BundleReader reader(bundle_path(session.case_file, exhibit));
  const auto refuse = [&](const std::string& why) {
    throw Error(Errc::integrity,
                fmt::format("{} is not the bundle whose acquisition the record "
                            "began: {}",
                            exhibit, why));
  };
  std::map<std::string, std::string> sealed;  // "E001/1" to its digest
  for (const Item& item : reader.items()) {
    sealed.emplace(fmt::format("{}/{}", exhibit, item.number),
                   item.sha256.hex());
  }
  std::set<std::string> recorded;
  for (const Entry& entry : session.case_file.entries(row->begin_seq)) {
    recorded.insert(entry.line);
    const Json& json = entry.json;
    const auto item = sealed.find(text_or(json, "item", ""));
    if (item == sealed.end() || text_or(json, "action", "") != "acquire.file") {
      continue;
    }
    const std::string digest = text_or(json.at("object"), "sha256", "");
    if (digest != item->second) {
      refuse(fmt::format("{} has SHA-256 {}, the record says {}", item->first,
                         item->second, digest));
    }
    sealed.erase(item);
  }
  if (!sealed.empty()) refuse("the record has no " + sealed.begin()->first);
  for (const std::string& line :
       split(reader.meta("meta/acquisition.jsonl"), '\n')) {
    if (!line.empty() && !recorded.contains(line)) {
      refuse("a line of its meta/acquisition.jsonl is not in the record");
    }
  }
}

/// Writes the entries that the crash prevented.
Snapshot adopt(Session& session, const std::string& exhibit) {
  Snapshot snapshot = read_sealed(session, exhibit);
  require_own(session, exhibit);
  auto drafts = acquisition_end(session, snapshot);
  for (EntryDraft& draft : drafts) draft.late_reason = kLate;
  session.case_file.append(drafts, session.examiner,
                           session.journal(snapshot.to_json()));
  return snapshot;
}

/// Moves a file to evidence/aside/, never over another.
/// @return its name there.
std::string move_aside(const fs::path& evidence, const std::string& name) {
  const fs::path aside = evidence / "aside";
  create_folders(aside);
  std::string to = name;
  for (int n = 2; is_there(aside / to); ++n) to = fmt::format("{}.{}", name, n);
  rename_durably(evidence / name, aside / to);
  return to;
}

/// Moves every file of an exhibit to evidence/aside/.
std::string set_aside(const fs::path& evidence, const std::string& exhibit) {
  std::string moved;
  const auto names = list_directory(evidence);
  if (!names) return moved;
  for (const std::string& name : *names) {
    if (!name.starts_with(exhibit + ".") || name.ends_with(".lock")) continue;
    moved += (moved.empty() ? "" : ", ") + move_aside(evidence, name);
  }
  return moved;
}

/// Finishes or sets aside an exhibit whose acquire.begin has no end. The lock
/// of the exhibit is held, so that nobody else will.
CaseCheckItem repair_begun(Session& session, const std::string& exhibit,
                           bool repair) {
  const fs::path evidence = session.case_file.folder() / "evidence";
  CaseCheckItem item;
  item.subject = exhibit;
  std::string damage;
  if (is_there(bundle_path(session.case_file, exhibit))) {
    item.kind = "orphan";
    item.what =
        "has a sealed bundle, but its entries are missing; whether it is whole "
        "was not looked at";
    if (!repair) return item;
    try {
      const Snapshot snapshot = adopt(session, exhibit);
      item.what = fmt::format(
          "is sealed and whole, but its entries were missing; "
          "adopted, {} items",
          snapshot.bundle.items);
      item.is_repaired = true;
      return item;
    } catch (const Error& error) {
      if (error.code() != Errc::integrity && error.code() != Errc::malformed) {
        throw;
      }
      damage = error.what();
    }
  }
  item.kind = "partial";
  item.what = damage.empty() ? "was interrupted before it was sealed"
                             : "is damaged: " + damage;
  if (!repair) return item;
  const std::string moved = set_aside(evidence, exhibit);
  EntryDraft draft = acquisition_failed(
      session, exhibit,
      fmt::format("interrupted; {}{}",
                  moved.empty() ? "nothing was written"
                                : "kept in evidence/aside: " + moved,
                  damage.empty() ? "" : "; " + damage));
  session.case_file.append({draft}, session.examiner);
  item.what += moved.empty() ? "; nothing was written"
                             : "; set aside in evidence/aside: " + moved;
  item.is_repaired = true;
  return item;
}

/// An exhibit that had no seal when the record was read. None if it was
/// finished meanwhile.
std::optional<CaseCheckItem> check_begun(Session& session,
                                         const std::string& exhibit,
                                         bool repair) {
  const auto lock =
      EvidenceLock::try_take(session.case_file.folder() / "evidence", exhibit);
  if (!lock) {
    return CaseCheckItem{.kind = "busy",
                         .subject = exhibit,
                         .what = "is being written by another process"};
  }
  // Its process gives up the lock after it has committed the end: only what is
  // still without one under the lock was really left behind.
  const auto row = session.case_file.exhibit(exhibit);
  if (!row || row->state != "begun") return std::nullopt;
  return repair_begun(session, exhibit, repair);
}

/// What a writer leaves of an exhibit in evidence/, by the end of the name.
constexpr std::array<std::string_view, 4> kSealedEndings{
    ".tar.zst", ".tar.zst.sha256", ".VERIFY.txt", ".seal.json"};
constexpr std::string_view kPartialEnding = ".tar.zst.partial";
constexpr std::string_view kLockEnding = ".lock";

/// Records where a file of a failed acquisition is from now on.
void record_move(Session& session, const std::string& exhibit,
                 const std::string& name, const std::string& to) {
  const auto source =
      open_source(session.case_file.folder() / "evidence" / "aside" / to);
  EntryDraft draft = session.draft("store.move");
  draft.item = exhibit;
  draft.purpose = "left by an acquisition that failed; no part of an exhibit";
  Json object;
  object["kind"] = "leftover";
  object["path"] = lossless_utf8("evidence/" + name);
  object["size"] = source->size();
  object["sha256"] = sha256_of(*source).hex();
  draft.object = std::move(object);
  draft.detail["from"] = lossless_utf8("evidence/" + name);
  draft.detail["to"] = lossless_utf8("evidence/aside/" + to);
  draft.detail["control"] = "folder of the case, kept beside the evidence";
  session.case_file.append({draft}, session.examiner);
}

/// Holds what lies in evidence/ against what the record says should be there.
class EvidenceFolder {
 public:
  EvidenceFolder(Session& session, bool repair)
      : session_(session),
        repair_(repair),
        folder_(session.case_file.folder() / "evidence") {}

  std::vector<CaseCheckItem> check() {
    // Files first: whatever has a file by now has its entry already.
    const auto names = list_directory(folder_);
    for (ExhibitRow& row : session_.case_file.exhibits()) {
      if (row.state == "sealed") sealed(row);
      rows_.emplace(row.id, std::move(row));
    }
    if (!names) {
      add("lost", "evidence/", "cannot be read: " + names.failure().message());
      return std::move(items_);
    }
    for (const std::string& name : *names) {
      if (name.ends_with(kLockEnding)) {
        lock(name);
      } else if (name != "aside") {
        file(name);
      }
    }
    return std::move(items_);
  }

 private:
  void add(std::string kind, std::string subject, std::string what,
           bool is_repaired = false) {
    items_.push_back({.kind = std::move(kind),
                      .subject = std::move(subject),
                      .what = std::move(what),
                      .is_repaired = is_repaired});
  }

  void sealed(const ExhibitRow& row) {
    for (const std::string_view ending : kSealedEndings) {
      const std::string name = row.id + std::string(ending);
      const auto stat = stat_path(folder_ / name, Links::refuse);
      if (!stat) {
        add("lost", row.id,
            fmt::format("is sealed in the chain, and {} is not in evidence/",
                        name));
      } else if (ending == kSealedEndings.front() && stat->size != row.size) {
        add("damaged", row.id,
            fmt::format("{} holds {} bytes, the record says {}", name,
                        stat->size, row.size));
      }
    }
  }

  void file(const std::string& name) {
    const std::string exhibit = name.substr(0, name.find('.'));
    std::string_view ending = std::string_view(name).substr(exhibit.size());
    // Written under this name first; base/fs.hpp.
    if (ending.ends_with(".new")) ending.remove_suffix(4);
    const bool is_of_sealed =
        std::ranges::find(kSealedEndings, ending) != kSealedEndings.end();
    const bool is_of_writer = is_of_sealed || ending == kPartialEnding;
    const auto row = rows_.find(exhibit);
    const std::string_view state =
        row == rows_.end() ? std::string_view() : row->second.state;
    // What is begun was spoken of by check_begun, or is being written.
    if (state == "begun" && is_of_writer) return;
    if (state == "sealed" && is_of_sealed) return;
    if (!is_there(folder_ / name)) return;  // renamed since it was listed
    if (state == "failed" && is_of_writer) return leftover(exhibit, name);
    add("stray", printable(name), "lies in evidence/ and no entry mentions it");
  }

  /// Whoever holds a lock removes it at the end; one that is free was left by a
  /// process that could not. It says nothing about the evidence.
  void lock(const std::string& name) const {
    if (!repair_) return;
    static_cast<void>(EvidenceLock::try_take(
        folder_, name.substr(0, name.size() - kLockEnding.size())));
  }

  void leftover(const std::string& exhibit, const std::string& name) {
    std::string what = "was left by " + exhibit + ", which failed";
    if (!repair_) return add("leftover", printable(name), std::move(what));
    const std::string to = move_aside(folder_, name);
    record_move(session_, exhibit, name, to);
    what += "; set aside in evidence/aside";
    add("leftover", printable(name), std::move(what), true);
  }

  Session& session_;
  bool repair_;
  fs::path folder_;
  std::map<std::string, ExhibitRow> rows_;
  std::vector<CaseCheckItem> items_;
};

/// An undo that was begun and has no end in the record: what is, and since when
/// that is known. The record of a release that did happen is then completed.
CaseCheckItem check_half_undone(Session& session, const ContainmentRow& row,
                                const CheckRequest& request) {
  CaseCheckItem item;
  item.kind = "containment";
  item.subject = row.deployment;
  const std::string found_at = format_time(session.clock.now());
  const auto result =
      finish_undo(session, row,
                  {.methods = request.methods,
                   .probe = request.probe,
                   .purpose = "complete the record of an undo that was "
                              "interrupted"});
  if (!result) {
    item.kind = "busy";
    item.what = "is being contained or released by another process";
    return item;
  }
  item.is_repaired = result->is_released();
  item.what = fmt::format(
      "by {} since {} was left {}: its end was never recorded. Found at {} and "
      "measured as {}: {}; recorded as {}",
      row.method, row.at, to_string(row.state), found_at,
      to_string(result->state.measured), result->why,
      result->is_released()
          ? "undone"
          : "not proved to be undone; this tries again: " +
                next_command(session.case_file.folder(),
                             {"release", "--deployment", row.deployment}));
  return item;
}

CaseCheckItem check_containment(Session& session, const ContainmentRow& row,
                                const CheckRequest& request, bool may_repair) {
  if (row.is_being_undone() && may_repair) {
    return check_half_undone(session, row, request);
  }
  const ContainmentNow now = measure_containment(
      row, request.methods, session.clock, session.cancellation);
  CaseCheckItem item;
  item.kind = "containment";
  item.subject = row.deployment;
  item.what = fmt::format(
      "by {} since {}: recorded as {}; measured now as {}: {}; this {}: {}",
      row.method, row.at, to_string(row.state), to_string(now.measured),
      now.why, release_does(now),
      next_command(session.case_file.folder(),
                   {"release", "--deployment", row.deployment}));
  return item;
}

}  // namespace

std::size_t CaseCheck::open_problems() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(items, [](const CaseCheckItem& item) {
        return !item.is_repaired && item.kind != "busy";
      }));
}

Json CaseCheck::to_json() const {
  Json list = Json::array();
  for (const CaseCheckItem& item : items) {
    list.push_back({{"kind", item.kind},
                    {"subject", item.subject},
                    {"what", lossless_utf8(item.what)},
                    {"repaired", item.is_repaired}});
  }
  Json json;
  json["ok"] = custody.ok() && open_problems() == 0;
  json["custody"] = custody.to_json();
  json["items"] = std::move(list);
  return json;
}

std::string CaseCheck::to_text() const {
  std::string text = fmt::format(
      "custody: {} entries, {}\n", custody.entries,
      custody.ok() ? "every line, link and signature is right" : "BROKEN");
  for (const CustodyProblem& problem : custody.problems) {
    text += fmt::format("  entry {}: {}: expected {}, found {}\n", problem.seq,
                        problem.what, printable(problem.expected),
                        printable(problem.found));
  }
  for (const CaseCheckItem& item : items) {
    text +=
        fmt::format("{} {} {} {}\n",
                    item.is_repaired      ? "repaired:"
                    : item.kind == "busy" ? "busy:    "
                                          : "open:    ",
                    item.kind, printable(item.subject), printable(item.what));
  }
  if (items.empty()) {
    text +=
        "evidence/ holds what the record names and nothing else; nothing was "
        "left behind\n";
  }
  return text;
}

CaseCheck check_case(Session& session, const CheckRequest& request) {
  CaseCheck check;
  check.custody = verify_custody(session.case_file.folder(), "");
  // A broken chain is evidence itself: nothing is appended to it.
  const bool may_repair = request.repair == Repair::yes && check.custody.ok();
  for (const ExhibitRow& row : session.case_file.exhibits()) {
    if (row.state != "begun") continue;
    if (auto item = check_begun(session, row.id, may_repair)) {
      check.items.push_back(std::move(*item));
    }
  }
  auto files = EvidenceFolder(session, may_repair).check();
  std::ranges::move(files, std::back_inserter(check.items));
  for (const ContainmentRow& row : open_containments(session.case_file)) {
    check.items.push_back(check_containment(session, row, request, may_repair));
  }
  for (const JournalProblem& one : check_resting_journals(session.case_file)) {
    check.items.push_back({.kind = "journal",
                           .subject = one.run,
                           .what = one.what + "; it is not resumed"});
  }
  for (const RunRow& row : session.case_file.runs()) {
    if (row.state == "done" || row.state == "failed" ||
        row.state == "aborted") {
      continue;
    }
    if (EvidenceLock::is_held(session.case_file.folder() / "evidence",
                              row.id)) {
      check.items.push_back({.kind = "busy",
                             .subject = row.id,
                             .what = "is being run by another process"});
      continue;
    }
    check.items.push_back(
        {.kind = "run",
         .subject = row.id,
         .what = fmt::format(
             "{} of {}; this goes on: {}", row.state, row.playbook,
             next_command(session.case_file.folder(), {"resume", row.id}))});
  }
  return check;
}

std::vector<JournalProblem> check_resting_journals(const CaseFile& case_file) {
  std::vector<std::string> resting;
  for (const RunRow& row : case_file.runs()) {
    if (!EvidenceLock::is_held(case_file.folder() / "evidence", row.id)) {
      resting.push_back(row.id);
    }
  }
  return check_journals(case_file, resting);
}

std::optional<Snapshot> recover_snapshot(Session& session) {
  if (!session.slot) return std::nullopt;
  for (const ExhibitRow& row : session.case_file.exhibits()) {
    if (row.state != "begun" || row.run != session.run) continue;
    const auto begin = session.case_file.entries(row.begin_seq).front();
    if (begin.json.at("detail").value("call", std::int64_t{0}) !=
        session.slot->n) {
      continue;
    }
    const auto item = check_begun(session, row.id, true);
    if (!item) continue;
    if (item->kind == "busy") {
      throw Error(Errc::io, row.id + " is being written by another process");
    }
    if (item->kind == "orphan" && item->is_repaired) {
      return read_sealed(session, row.id);
    }
  }
  return std::nullopt;
}

}  // namespace impound
