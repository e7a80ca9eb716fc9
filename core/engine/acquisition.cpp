// SPDX-License-Identifier: Apache-2.0
#include "core/engine/acquisition.hpp"

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/engine/deployment_record.hpp"

namespace impound {
namespace {

std::string kind_of_object(const Item& item) {
  const std::string kind =
      item.collector == "model-files" ? "weights" : item.collector;
  return item.ranges.empty() ? kind : kind + " slice";
}

/// A gap older than this is recorded with the reason why it is so late; the
/// record asks for one at 60 s.
constexpr TimeNs kLateGapNs = 10'000'000'000;

Json ranges_json(const std::vector<ByteRange>& ranges) {
  Json list = Json::array();
  for (const ByteRange& range : ranges) {
    list.push_back({range.offset, range.length});
  }
  return list;
}

}  // namespace

EntryDraft acquisition_begin(const Session& session,
                             const SnapshotRequest& request,
                             const std::vector<CollectRequest>& requests) {
  EntryDraft draft = session.draft("acquire.begin");
  draft.purpose = request.purpose;
  Json locator;
  locator["kind"] = "deployment";
  locator["path"] = lossless_utf8(request.deployment.model_path.native());
  draft.object = std::move(locator);
  Json collectors = Json::array();
  for (const CollectRequest& one : requests) {
    Json entry;
    entry["name"] = one.collector->name;
    entry["volatility"] = one.collector->volatility;
    entry["arguments"] = one.arguments.json();
    collectors.push_back(std::move(entry));
  }
  draft.detail["title"] = request.title;
  draft.detail["deployment"] = request.deployment.name;
  draft.detail["source"] = deployment_to_json(request.deployment);
  draft.detail["read_method"] =
      "open O_RDONLY|O_NOFOLLOW|O_NOATIME where allowed, pread, one pass, "
      "SHA-256 while reading; a log that is cut to a window is read twice: to "
      "find its records, and to take them; links are followed where an item "
      "says found_as; what is replaced or made by a collector is no copy";
  draft.detail["volatility"] =
      requests.empty() ? 7 : requests.front().collector->volatility;
  draft.detail["collectors"] = std::move(collectors);
  if (session.slot) draft.detail["call"] = session.slot->n;
  return draft;
}

EntryDraft acquisition_item(const Session& session, const std::string& exhibit,
                            const Item& item) {
  EntryDraft draft = session.draft("acquire.file");
  draft.item = fmt::format("{}/{}", exhibit, item.number);
  draft.outcome = item.outcome;
  Json object;
  object["kind"] = kind_of_object(item);
  object["path"] = lossless_utf8(item.source.empty() ? item.name : item.source);
  object["size"] = item.size_stored;
  object["sha256"] = item.sha256.hex();
  // Size and digest are those of the parts, not of the file at that path.
  if (!item.ranges.empty()) object["slice"] = ranges_json(item.ranges);
  draft.object = std::move(object);
  Json& detail = draft.detail;
  detail["collector"] = item.collector;
  detail["name"] = lossless_utf8(item.name);
  detail["file_kind"] = to_string(item.kind);
  if (!item.found_as.empty()) {
    detail["found_as"] = lossless_utf8(item.found_as);
  }
  if (!item.link_target.empty()) {
    detail["link_target"] = lossless_utf8(item.link_target);
  }
  detail["size_declared"] = item.size_declared;
  detail["size_read"] = item.size_read;
  if (item.mtime_ns != 0) detail["mtime"] = format_time(item.mtime_ns);
  if (item.ctime_ns != 0) detail["ctime"] = format_time(item.ctime_ns);
  detail["mode"] = fmt::format("{:04o}", item.mode);
  detail["uid"] = item.uid;
  detail["gid"] = item.gid;
  for (const char* key : {"window", "source_size", "source_sha256"}) {
    if (const auto note = item.notes.find(key); note != item.notes.end()) {
      detail[key] = *note;
    }
  }
  if (!item.reason.empty()) detail["reason"] = lossless_utf8(item.reason);
  return draft;
}

EntryDraft acquisition_gap(const Session& session, const std::string& exhibit,
                           const Gap& gap) {
  EntryDraft draft = session.draft("acquire.file");
  draft.item = exhibit;
  draft.outcome = gap.outcome;
  draft.at = gap.at;
  if (gap.at != 0 && session.clock.now() - gap.at > kLateGapNs) {
    draft.late_reason = "gaps are recorded when their collector has finished";
  }
  Json object;
  object["kind"] = "gap";
  object["path"] = lossless_utf8(gap.subject);
  draft.object = std::move(object);
  draft.detail["gap"] = true;
  draft.detail["collector"] = gap.collector;
  draft.detail["reason"] = lossless_utf8(gap.reason);
  return draft;
}

std::vector<EntryDraft> acquisition_end(const Session& session,
                                        const Snapshot& snapshot) {
  const SealedBundle& bundle = snapshot.bundle;
  EntryDraft end = session.draft("acquire.end");
  end.item = snapshot.exhibit;
  end.outcome = snapshot.outcome();
  end.detail["items"] = bundle.items;
  end.detail["gaps"] = bundle.gaps;
  end.detail["counts"] = bundle.counts;
  end.detail["interrupted"] = snapshot.is_interrupted;
  Json collectors = Json::array();
  for (const CollectorSummary& summary : snapshot.collectors) {
    collectors.push_back(summary.to_json());
  }
  end.detail["collectors"] = std::move(collectors);

  EntryDraft seal = session.draft("bundle.seal");
  seal.item = snapshot.exhibit;
  seal.outcome = end.outcome;
  Json object;
  object["kind"] = "exhibit";
  object["path"] = "evidence/" + bundle.path.filename().string();
  object["size"] = bundle.size;
  object["sha256"] = bundle.sha256.hex();
  seal.object = std::move(object);
  seal.detail["name"] = bundle.path.filename().string();
  seal.detail["manifest_sha256"] = bundle.manifest_sha256.hex();
  seal.detail["tagmanifest_sha256"] = bundle.tagmanifest_sha256.hex();
  seal.detail["frames"] = bundle.frames;
  seal.detail["items"] = bundle.items;
  seal.detail["gaps"] = bundle.gaps;
  seal.detail["counts"] = bundle.counts;
  seal.detail["payload_bytes"] = bundle.payload_bytes;
  seal.detail["compression"] = bundle.compression;
  seal.detail["recipients"] = Json::array();
  seal.detail["seal_sha256"] = bundle.seal_sha256.hex();
  seal.detail["verify_txt_sha256"] = bundle.verify_txt_sha256.hex();
  seal.detail["sha256_kernel"] = PieceDigest::kernel();
  if (snapshot.is_adopted) {
    for (EntryDraft* draft : {&end, &seal}) draft->detail["adopted"] = true;
  }
  return {std::move(end), std::move(seal)};
}

EntryDraft acquisition_failed(const Session& session,
                              const std::string& exhibit,
                              std::string_view reason) {
  EntryDraft draft = session.draft("acquire.end");
  draft.item = exhibit;
  draft.outcome = Outcome::failed;
  draft.detail["items"] = 0;
  draft.detail["gaps"] = 1;
  draft.detail["counts"] = Json::object();
  draft.detail["reason"] = lossless_utf8(reason);
  return draft;
}

}  // namespace impound
