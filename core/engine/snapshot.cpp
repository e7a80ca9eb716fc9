// SPDX-License-Identifier: Apache-2.0
#include "core/engine/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/engine/acquisition.hpp"
#include "core/engine/evidence_lock.hpp"
#include "core/evidence/model_items.hpp"
#include "core/evidence/redaction.hpp"

namespace impound {
namespace {

/// Entries of one transaction: enough to be fast, few enough to lose little.
constexpr std::size_t kEntriesPerCommit = 256;

/// Gaps that an answer spells out: enough to read; the exhibit has all.
constexpr std::size_t kMostGapsListed = 100;

std::vector<CollectRequest> most_volatile_first(
    std::vector<CollectRequest> requests) {
  std::ranges::stable_sort(requests, {}, [](const CollectRequest& request) {
    return request.collector->volatility;
  });
  return requests;
}

/// Appends entries in groups, so that those of an acquisition of any length
/// are never all held as drafts.
class GroupedEntries {
 public:
  /// The lines that the entries became go behind `lines`, each with its LF.
  GroupedEntries(Session& session, std::string& lines)
      : session_(session), lines_(lines) {}

  void add(EntryDraft draft) {
    group_.push_back(std::move(draft));
    if (group_.size() == kEntriesPerCommit) flush();
  }
  /// To be called at the end: what is not flushed is not recorded.
  void flush() {
    if (group_.empty()) return;
    for (const Entry& entry :
         session_.case_file.append(group_, session_.examiner)) {
      lines_ += entry.line + "\n";
    }
    group_.clear();
  }

 private:
  Session& session_;
  std::string& lines_;
  std::vector<EntryDraft> group_;
};

/// Where the model came from is the collector's note, and no file of the model.
bool is_own_record(const Item& item) {
  return item.collector == kModelCollector &&
         item.name.starts_with(std::string(kModelSourceFolder) + "/");
}

/// Runs one collector; its failure is a gap, the others still run.
CollectorSummary run_collector(Session& session, BundleWriter& writer,
                               const Deployment& deployment,
                               const CollectRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  CollectorSummary summary;
  summary.name = request.collector->name;
  writer.begin_collector(request.collector->name);
  const Target target{.deployment = deployment,
                      .arguments = request.arguments,
                      .clock = session.clock,
                      .cancellation = session.cancellation};
  try {
    request.collector->collect(target, writer);
  } catch (const Error& error) {
    writer.gap(request.collector->name, Outcome::failed, error.what());
  }
  summary.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return summary;
}

/// What cannot be estimated is found out, and recorded, when it is taken.
std::uint64_t estimate_of(const Collector& collector, const Target& target) {
  try {
    return collector.estimate(target);
  } catch (const Error&) {
    return 0;
  }
}

BundleOptions bundle_options(Session& session, const SnapshotRequest& request,
                             const std::string& exhibit,
                             std::uint64_t expected_bytes) {
  BundleOptions options;
  options.case_id = session.case_file.id();
  options.exhibit_id = exhibit;
  options.threads = request.threads;
  options.expected_bytes = expected_bytes;
  const Actor& actor = session.examiner.actor;
  options.bag_info = {
      {"Source-Organization", actor.org},
      {"Contact-Name", actor.name},
      {"External-Description", request.title},
      {"Internal-Sender-Identifier", request.deployment.name},
  };
  return options;
}

}  // namespace

const Collector& find_collector(std::span<const Collector* const> collectors,
                                std::string_view name) {
  std::vector<std::string> names;
  for (const Collector* const one : collectors) {
    if (one->name == name) return *one;
    names.emplace_back(one->name);
  }
  throw Error(Errc::bad_input,
              "collector: " + no_such_word(name, names, "there are"));
}

std::string title_of(const std::vector<CollectRequest>& requests,
                     const Deployment& deployment) {
  std::string title;
  std::string_view relation = "of";
  for (const CollectRequest& one : requests) {
    title += (title.empty() ? "" : ", ") + std::string(one.collector->name);
    const std::string arguments = one.arguments.in_words();
    if (arguments.empty()) continue;
    title += " (" + arguments + ")";
    relation = "for";
  }
  return fmt::format("{} {} {}", title, relation, deployment.name);
}

void CollectorSummary::add(const Item& item) {
  bytes += item.size_stored;
  if (is_own_record(item)) ++own;
  if (const auto found = item.notes.find("redaction");
      found != item.notes.end()) {
    redaction = *found;
  }
  if (item.outcome == Outcome::ok) {
    ++taken;
  } else {
    count(item.outcome);
  }
}

bool CollectorSummary::is_empty_handed() const {
  return taken + partial + empty == own && missing + failed > 0;
}

void CollectorSummary::add(const Gap& gap) { count(gap.outcome); }

void CollectorSummary::count(Outcome outcome) {
  switch (outcome) {
    case Outcome::empty:
      ++empty;
      break;
    case Outcome::missing:
      ++missing;
      break;
    case Outcome::partial:
    case Outcome::short_read:
    case Outcome::incomplete:
      ++partial;
      break;
    case Outcome::ok:
    case Outcome::denied:
    case Outcome::failed:
    case Outcome::rolled_back:
    case Outcome::intended:
    case Outcome::skipped:
      ++failed;
      break;
  }
}

Json CollectorSummary::to_json() const {
  Json json;
  json["collector"] = name;
  json["taken"] = taken;
  json["partial"] = partial;
  json["missing"] = missing;
  json["empty"] = empty;
  json["failed"] = failed;
  json["bytes"] = bytes;
  json["seconds"] = seconds;
  if (!redaction.is_null()) json["redaction"] = redaction;
  return json;
}

Outcome Snapshot::outcome() const {
  // Nothing at all: the outcome is the word that says why.
  const bool is_nothing =
      std::ranges::all_of(collectors, &CollectorSummary::is_empty_handed);
  if (is_nothing && !gap_list.empty() && !is_interrupted) {
    const auto is_other = [&](const Gap& gap) {
      return gap.outcome != gap_list.front().outcome;
    };
    return std::ranges::any_of(gap_list, is_other) ? Outcome::failed
                                                   : gap_list.front().outcome;
  }
  const bool whole =
      !is_interrupted &&
      std::ranges::all_of(collectors, [](const CollectorSummary& summary) {
        return summary.partial == 0 && summary.missing == 0 &&
               summary.failed == 0;
      });
  return whole ? Outcome::ok : Outcome::partial;
}

bool Snapshot::is_empty_handed() const {
  return std::ranges::any_of(collectors, &CollectorSummary::is_empty_handed);
}

Json Snapshot::to_json() const {
  Json json;
  json["exhibit"] = exhibit;
  json["outcome"] = to_string(outcome());
  json["interrupted"] = is_interrupted;
  json["adopted"] = is_adopted;
  json["bundle"] = lossless_utf8(bundle.path.native());
  json["size"] = bundle.size;
  json["sha256"] = bundle.sha256.hex();
  json["manifest_sha256"] = bundle.manifest_sha256.hex();
  json["payload_bytes"] = bundle.payload_bytes;
  json["items"] = bundle.items;
  json["gaps"] = bundle.gaps;
  json["empty_handed"] = is_empty_handed();
  Json listed = Json::array();
  for (const Gap& gap : gap_list) {
    if (listed.size() == kMostGapsListed) break;
    listed.push_back({{"subject", lossless_utf8(gap.subject)},
                      {"collector", gap.collector},
                      {"outcome", to_string(gap.outcome)},
                      {"reason", lossless_utf8(gap.reason)}});
  }
  json["gap_list"] = std::move(listed);
  Json list = Json::array();
  for (const CollectorSummary& summary : collectors) {
    list.push_back(summary.to_json());
  }
  json["collectors"] = std::move(list);
  return json;
}

std::string Snapshot::to_text() const {
  std::vector<std::vector<std::string>> rows{{"collector", "taken", "partial",
                                              "missing", "empty", "failed",
                                              "size", "time"}};
  for (const CollectorSummary& one : collectors) {
    rows.push_back({one.name, std::to_string(one.taken),
                    std::to_string(one.partial), std::to_string(one.missing),
                    std::to_string(one.empty), std::to_string(one.failed),
                    human_bytes(one.bytes), human_seconds(one.seconds)});
  }
  std::string text = format_table(rows);
  text += fmt::format("{}: {} items, {} gaps, {} sealed in {}\n  sha256 {}\n",
                      exhibit, bundle.items, bundle.gaps,
                      human_bytes(bundle.payload_bytes),
                      printable(bundle.path.native()), bundle.sha256.hex());
  for (const CollectorSummary& one : collectors) {
    if (one.redaction.is_null()) continue;
    text +=
        fmt::format("  {}: {}\n", one.name, redaction_sentence(one.redaction));
  }
  if (is_empty_handed()) {
    for (const Gap& gap : gap_list) {
      text += fmt::format("  {}: {}: {}\n", to_string(gap.outcome),
                          printable(gap.subject), printable(gap.reason));
    }
  }
  if (is_interrupted) {
    text += exhibit +
            " is PARTIAL: it was interrupted, and holds what was taken until "
            "then.\n";
  }
  return text;
}

Snapshot take_snapshot(Session& session, const SnapshotRequest& request) {
  const auto requests = most_volatile_first(request.collectors);
  std::uint64_t expected_bytes = 0;
  for (const CollectRequest& one : requests) {
    const Target target{.deployment = request.deployment,
                        .arguments = one.arguments,
                        .clock = session.clock,
                        .cancellation = session.cancellation};
    expected_bytes += estimate_of(*one.collector, target);
  }

  const fs::path folder = session.case_file.folder() / "evidence";
  // Held from before the record says "begun" until it says how that ended.
  std::optional<EvidenceLock> lock;
  const auto reserved = session.case_file.reserve_exhibit(
      acquisition_begin(session, request, requests), session.examiner,
      [&](const std::string& exhibit) { lock.emplace(folder, exhibit); });
  Snapshot snapshot;
  snapshot.exhibit = reserved.exhibit;
  std::string lines = reserved.entry.line + "\n";
  session.progress.begin("collect " + snapshot.exhibit, expected_bytes);
  try {
    BundleWriter writer(
        folder,
        bundle_options(session, request, snapshot.exhibit, expected_bytes),
        session.clock, session.cancellation, session.progress);
    for (const CollectRequest& one : requests) {
      CollectorSummary summary;
      if (writer.must_stop()) {
        summary.name = one.collector->name;
        writer.begin_collector(one.collector->name);
        writer.gap(one.collector->name, Outcome::failed,
                   "not run: the acquisition was interrupted before");
      } else {
        summary = run_collector(session, writer, request.deployment, one);
      }
      const auto taken = writer.drain();
      GroupedEntries entries(session, lines);
      for (const Item& item : taken.items) {
        summary.add(item);
        entries.add(acquisition_item(session, snapshot.exhibit, item));
      }
      for (const Gap& gap : taken.gaps) {
        summary.add(gap);
        entries.add(acquisition_gap(session, snapshot.exhibit, gap));
        snapshot.gap_list.push_back(gap);
      }
      entries.flush();
      snapshot.collectors.push_back(std::move(summary));
    }
    snapshot.is_interrupted = writer.must_stop();
    for (const auto& [name, content] : request.meta) {
      writer.meta(name, as_bytes(content));
    }
    writer.meta("acquisition.jsonl", as_bytes(lines));
    snapshot.bundle = writer.finish(session.case_file.head());
  } catch (const Error& error) {
    session.progress.end("failed");
    session.case_file.append(
        {acquisition_failed(session, snapshot.exhibit, error.what())},
        session.examiner);
    throw;
  }
  // An interrupted acquisition is no answer: resuming a run takes it again.
  session.case_file.append(acquisition_end(session, snapshot), session.examiner,
                           snapshot.is_interrupted
                               ? std::vector<JournalRow>{}
                               : session.journal(snapshot.to_json()));
  session.progress.end(snapshot.is_interrupted ? "interrupted, sealed"
                                               : "sealed");
  return snapshot;
}

}  // namespace impound
