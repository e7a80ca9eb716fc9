// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/acquisition.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/verify.hpp"

namespace impound {
namespace {

constexpr std::string_view kLate =
    "the process that took it ended before it could record this; written by a "
    "later one that verified the bundle";

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
  }
  return snapshot;
}

/// Writes the entries that the crash prevented.
Snapshot adopt(Session& session, const std::string& exhibit) {
  Snapshot snapshot = read_sealed(session, exhibit);
  auto drafts = acquisition_end(session, snapshot);
  for (EntryDraft& draft : drafts) draft.late_reason = kLate;
  session.case_file.append(drafts, session.examiner,
                           session.journal(snapshot.to_json()));
  return snapshot;
}

/// Moves every file of an exhibit to evidence/aside/, never over another.
std::string set_aside(const fs::path& evidence, const std::string& exhibit) {
  const fs::path aside = evidence / "aside";
  create_folders(aside);
  std::string moved;
  const auto names = list_directory(evidence);
  if (!names) return moved;
  for (const std::string& name : *names) {
    if (!name.starts_with(exhibit + ".") || name.ends_with(".lock")) continue;
    fs::path to = aside / name;
    for (int n = 2; is_there(to); ++n)
      to = aside / fmt::format("{}.{}", name, n);
    rename_durably(evidence / name, to);
    moved += (moved.empty() ? "" : ", ") + name;
  }
  return moved;
}

/// An exhibit whose acquire.begin has no seal.
CaseCheckItem check_begun(Session& session, const ExhibitRow& row,
                          bool repair) {
  const fs::path evidence = session.case_file.folder() / "evidence";
  CaseCheckItem item;
  item.subject = row.id;
  if (EvidenceLock::is_held(evidence, row.id)) {
    item.kind = "busy";
    item.what = "is being written by another process";
    return item;
  }
  std::string damage;
  if (is_there(bundle_path(session.case_file, row.id))) {
    item.kind = "orphan";
    item.what = "is sealed and whole, but its entries are missing";
    if (!repair) return item;
    try {
      const Snapshot snapshot = adopt(session, row.id);
      item.what += fmt::format("; adopted, {} items", snapshot.bundle.items);
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
  const std::string moved = set_aside(evidence, row.id);
  EntryDraft draft = acquisition_failed(
      session, row.id,
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

/// Files of evidence/ that no entry mentions.
std::vector<CaseCheckItem> find_strays(const fs::path& evidence,
                                       const std::vector<ExhibitRow>& rows) {
  std::set<std::string> known;
  for (const ExhibitRow& row : rows) known.insert(row.id);
  std::vector<CaseCheckItem> items;
  const auto names = list_directory(evidence);
  if (!names) {
    items.push_back({.kind = "lost",
                     .subject = "evidence/",
                     .what = "cannot be read: " + names.failure().message()});
    return items;
  }
  for (const std::string& name : *names) {
    if (name == "aside" || name.ends_with(".lock")) continue;
    if (known.contains(name.substr(0, name.find('.')))) continue;
    items.push_back({.kind = "stray",
                     .subject = printable(name),
                     .what = "lies in evidence/ and no entry mentions it"});
  }
  return items;
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
  if (items.empty()) text += "nothing was left behind\n";
  return text;
}

CaseCheck check_case(Session& session, bool repair) {
  CaseCheck check;
  check.custody = verify_custody(session.case_file.folder(), "");
  // A broken chain is evidence itself: nothing is appended to it.
  const bool may_repair = repair && check.custody.ok();
  const fs::path evidence = session.case_file.folder() / "evidence";
  const auto rows = session.case_file.exhibits();
  for (const ExhibitRow& row : rows) {
    if (row.state == "begun") {
      check.items.push_back(check_begun(session, row, may_repair));
    } else if (row.state == "sealed" &&
               !is_there(bundle_path(session.case_file, row.id))) {
      check.items.push_back({.kind = "lost",
                             .subject = row.id,
                             .what = "is sealed in the chain, and its bundle "
                                     "is not in evidence/"});
    }
  }
  auto strays = find_strays(evidence, rows);
  std::ranges::move(strays, std::back_inserter(check.items));
  for (const ContainmentRow& row : session.case_file.containments()) {
    if (row.state == "released" || row.state == "rolled_back") continue;
    check.items.push_back(
        {.kind = "containment",
         .subject = row.deployment,
         .what = fmt::format("{} by {} since {}: 'impound release' gives it "
                             "back",
                             row.state, row.method, row.at)});
  }
  for (const RunRow& row : session.case_file.runs()) {
    if (row.state == "done" || row.state == "failed" ||
        row.state == "aborted") {
      continue;
    }
    check.items.push_back(
        {.kind = "run",
         .subject = row.id,
         .what = fmt::format("{} of {}: 'impound resume {}' goes on", row.state,
                             row.playbook, row.id)});
  }
  return check;
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
    const CaseCheckItem item = check_begun(session, row, true);
    if (item.kind == "busy") {
      throw Error(Errc::io, row.id + " is being written by another process");
    }
    if (item.kind == "orphan" && item.is_repaired) {
      return read_sealed(session, row.id);
    }
  }
  return std::nullopt;
}

}  // namespace impound
