// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/frame_recovery.hpp"
#include "core/evidence/layout.hpp"
#include "core/evidence/pipeline.hpp"
#include "core/evidence/seal.hpp"
#include "core/evidence/verify_walk.hpp"

namespace impound {
namespace {

/// Problems that are listed one by one; a bundle with more is described by its
/// lists of whole and damaged items.
constexpr std::size_t kMaxProblems = 1000;

/// Everything that the check of one bundle works on.
struct Check {
  fs::path path;
  std::string name;     ///< "E001.tar.zst"
  std::string exhibit;  ///< "E001"
  std::unique_ptr<ByteSource> file;
  VerifyReport report;

  std::string seal_file;  ///< text beside the bundle; empty if missing
  std::string digest_file;
  std::string verify_file;

  FrameIndex index;
  bool is_indexed = false;  ///< `index` is usable
  TagMembers tags;
  bool has_tags = false;
  std::vector<Item> items;
  std::uint64_t gaps = 0;

  Digest bundle_sha256;
  std::vector<SealedFrame> frames;  ///< as found
  std::vector<bool> is_frame_whole;

  void problem(std::string what, std::string where, std::string expected,
               std::string found) {
    if (report.problems.size() < kMaxProblems) {
      report.problems.push_back({std::move(what), std::move(where),
                                 std::move(expected), std::move(found)});
    }
  }
};

std::string read_beside(Check& check, std::string_view ending) {
  const fs::path path =
      check.path.parent_path() / (check.exhibit + std::string(ending));
  // Not through a link: what stands elsewhere is not handed out with it.
  const auto stat = stat_path(path, Links::refuse);
  if (!stat || stat->kind != FileKind::regular) {
    check.problem("file beside the bundle", path.filename().native(), "a file",
                  stat ? std::string(to_string(stat->kind)) : "none");
    return {};
  }
  std::string text = read_text_file(path, limits::kMaxJsonDocument);
  if (text.empty()) {
    check.problem("file beside the bundle", path.filename().native(),
                  "what the bundle itself says", "an empty file");
  }
  return text;
}

/// Finds the frames: by the bundle's own table, else by the seal, else by
/// looking for them from the start.
void find_frames(Check& check) {
  try {
    check.index = read_frame_index(*check.file, check.name);
    check.is_indexed = true;
    return;
  } catch (const Error& error) {
    check.problem("frame table", check.name,
                  "a seek table that fits the frames", error.what());
  }
  auto recovered = frames_from_seal(check.seal_file);
  if (!recovered) recovered = frames_by_scanning(*check.file);
  if (!recovered) return;
  check.index = std::move(*recovered);
  check.is_indexed = true;
}

void read_metadata(Check& check) {
  if (!check.is_indexed) return;
  try {
    const TarSource tar(*check.file, check.index, check.name);
    check.tags = read_tag_members(tar, check.index, check.name);
    check.items = parse_items(check.tags.find(layout::kFiles)->second,
                              check.name + ": meta/files.jsonl");
    check.gaps = parse_gaps(check.tags.find(layout::kSkipped)->second,
                            check.name + ": meta/skipped.jsonl")
                     .size();
    check.has_tags = true;
  } catch (const Error& error) {
    check.problem("metadata", check.name, "readable metadata members",
                  error.what());
  }
}

/// One frame on its way through the pipeline.
struct Slot {
  std::size_t frame = 0;
  Bytes stored;
  Bytes content;
  std::string problem;
};

/// Reads every byte once: digest of the bundle, digest and content of every
/// frame, every item.
PayloadWalk::Result walk_frames(Check& check, unsigned threads,
                                const Cancellation& cancellation,
                                Progress& progress) {
  PayloadWalk walk(check.items,
                   check.has_tags ? check.index.meta.tar_offset : 0,
                   check.exhibit);
  const unsigned cores = threads == 0 ? usable_cores() : threads;
  std::vector<Slot> slots(2 * std::size_t{cores} + 2);
  std::vector<FrameDecoder> decoders(cores);
  PieceDigest bundle;
  std::uint64_t hashed = 0;
  const auto hash_until = [&](std::uint64_t end) {
    while (hashed < std::min(end, check.file->size())) {
      const Bytes block = check.file->head(
          hashed, std::min<std::uint64_t>(limits::kFrameContent, end - hashed));
      bundle.update(block);
      hashed += block.size();
    }
  };
  const auto& frames = check.index.frames;
  check.frames.resize(frames.size());
  check.is_frame_whole.assign(frames.size(), false);

  Pipeline::Stations stations;
  stations.load = [&](std::size_t at) {
    Slot& slot = slots[at];
    const FrameEntry& entry = frames[slot.frame].entry;
    // Into the same memory again: a fresh block costs a page fault per page.
    const std::uint64_t size = check.file->size();
    slot.stored.resize(static_cast<std::size_t>(std::min<std::uint64_t>(
        entry.stored, size - std::min(size, entry.offset))));
    if (!slot.stored.empty()) check.file->read(entry.offset, slot.stored);
  };
  stations.first = [&](std::size_t at) {
    Slot& slot = slots[at];
    const std::uint64_t offset = frames[slot.frame].entry.offset;
    hash_until(offset);
    if (hashed == offset) {
      check.frames[slot.frame].sha256 = bundle.piece(slot.stored);
      hashed += slot.stored.size();
    } else {  // the file ends before the frame begins
      check.frames[slot.frame].sha256 = sha256(slot.stored);
    }
  };
  stations.work = [&](std::size_t at, std::size_t worker) {
    Slot& slot = slots[at];
    const FrameEntry& entry = frames[slot.frame].entry;
    check.frames[slot.frame].entry = entry;
    slot.content.resize(entry.content);
    slot.problem = slot.stored.size() < entry.stored
                       ? fmt::format("the file ends after {} of {} bytes",
                                     slot.stored.size(), entry.stored)
                       : decoders[worker].decode(slot.stored, slot.content);
  };
  stations.second = [&](std::size_t at) {
    Slot& slot = slots[at];
    const IndexedFrame& frame = frames[slot.frame];
    check.is_frame_whole[slot.frame] = slot.problem.empty();
    if (slot.problem.empty()) {
      walk.content(frame.tar_offset, slot.content);
    } else {
      check.problem("frame",
                    fmt::format("{} frame {} at offset {}", check.name,
                                slot.frame, frame.entry.offset),
                    "a zstd frame that decodes to what its checksum says",
                    slot.problem);
      walk.lost(frame.tar_offset, frame.entry.content);
    }
    progress.advance(frame.tar_offset + frame.entry.content, check.name);
  };
  {
    Pipeline pipeline(cores, slots.size(), std::move(stations));
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (cancellation.requested()) {
        throw Error(Errc::io, "the check was interrupted: nothing is proved");
      }
      const std::size_t at = pipeline.acquire();
      slots[at].frame = i;
      pipeline.submit();
    }
    pipeline.drain();
  }
  hash_until(check.file->size());
  check.bundle_sha256 = bundle.finish();
  return walk.finish();
}

/// Items, where the metadata that name them are lost: by the frames that the
/// seal says they lie in.
void judge_by_seal(Check& check) {
  const auto sealed = sealed_frames(check.seal_file);
  if (!sealed) return;
  std::uint64_t last_item = sealed->items;
  for (std::size_t i = sealed->frames.size(); i-- > 0;) {
    const SealedFrame& expected = sealed->frames[i];
    const bool is_whole = i < check.frames.size() && check.is_frame_whole[i] &&
                          check.frames[i].sha256 == expected.sha256;
    // The last item that begins in a frame goes on until the next one begins.
    if (expected.first_item == 0) {
      if (!is_whole && last_item > 0) check.report.damaged.push_back(last_item);
      continue;
    }
    for (std::uint64_t item = expected.first_item; item <= last_item; ++item) {
      auto& list = is_whole ? check.report.whole : check.report.damaged;
      list.push_back(item);
    }
    last_item = expected.first_item - 1;
  }
  // An item may stand in both lists: whole at its start, damaged further on.
  const std::set<std::uint64_t> damaged(check.report.damaged.begin(),
                                        check.report.damaged.end());
  std::erase_if(check.report.whole,
                [&](std::uint64_t item) { return damaged.contains(item); });
  check.report.damaged.assign(damaged.begin(), damaged.end());
  std::ranges::sort(check.report.whole);
}

void check_manifest(Check& check) {
  std::vector<std::pair<std::string, Digest>> expected;
  std::uint64_t bytes = 0;
  for (const Item& item : check.items) {
    if (item.kind != FileKind::regular || item.is_hard_link) continue;
    expected.emplace_back("data/" + layout::stored_name(item.name),
                          item.sha256);
    bytes += item.size_stored;
  }
  const std::size_t files = expected.size();
  const std::string& manifest = check.tags.find(layout::kManifest)->second;
  if (layout::manifest_text(std::move(expected)) != manifest) {
    check.problem("manifest", "manifest-sha256.txt",
                  "one line for every file of meta/files.jsonl", "other lines");
  }
  const std::string& info = check.tags.find(layout::kBagInfo)->second;
  const std::string oxum = fmt::format("{}.{}", bytes, files);
  const auto found = layout::bag_info_value(info, "Payload-Oxum");
  if (found != oxum) {
    check.problem("Payload-Oxum", "bag-info.txt", oxum, found.value_or("none"));
  }
  if (check.tags.find(layout::kBagit)->second != layout::kBagitText) {
    check.problem("BagIt declaration", "bagit.txt",
                  std::string(layout::kBagitText), "another text");
  }
  std::vector<std::pair<std::string, Digest>> tags;
  for (const auto& [name, content] : check.tags) {
    if (name != layout::kTagManifest) tags.emplace_back(name, sha256(content));
  }
  if (layout::manifest_text(std::move(tags)) !=
      check.tags.find(layout::kTagManifest)->second) {
    check.problem("tag manifest", "tagmanifest-sha256.txt",
                  "the digest of every metadata member", "other lines");
  }
}

/// The seal and its neighbours are functions of the bundle: made again from
/// what was found, they must be the same text.
void check_files_beside(Check& check) {
  const std::string& info = check.tags.find(layout::kBagInfo)->second;
  const auto value = [&](std::string_view key) {
    return layout::bag_info_value(info, key).value_or("");
  };
  SealFacts facts;
  const std::string identifier = value("External-Identifier");
  const std::size_t slash = identifier.rfind('/');
  facts.case_id = identifier.substr(0, slash);
  facts.exhibit_id =
      slash == std::string::npos ? "" : identifier.substr(slash + 1);
  facts.bundle_name = facts.exhibit_id + std::string(layout::kSuffix);
  facts.bundle_size = check.file->size();
  facts.bundle_sha256 = check.bundle_sha256;
  facts.manifest_sha256 = sha256(check.tags.find(layout::kManifest)->second);
  facts.tagmanifest_sha256 =
      sha256(check.tags.find(layout::kTagManifest)->second);
  facts.items = check.items.size();
  facts.gaps = check.gaps;
  std::map<std::string, std::uint64_t> counts;
  for (const Item& item : check.items) {
    ++counts[std::string(to_string(item.outcome))];
    if (item.kind == FileKind::regular && !item.is_hard_link) {
      facts.payload_bytes += item.size_stored;
    }
  }
  for (const Gap& gap :
       parse_gaps(check.tags.find(layout::kSkipped)->second, check.name)) {
    ++counts[std::string(to_string(gap.outcome))];
  }
  for (const auto& [name, count] : counts) facts.counts[name] = count;
  facts.compression = value("Impound-Compression");
  facts.chain_head = value("Impound-Chain-Head");
  facts.sealed_at = value("Impound-Sealed-At");
  facts.meta = check.index.meta;
  facts.frames =
      frames_with_pointer(*check.file, check.index, check.frames, check.items);
  const auto compare = [&](std::string_view ending, const std::string& found,
                           const std::string& expected) {
    if (found.empty() || found == expected) return;
    check.problem("file beside the bundle", check.exhibit + std::string(ending),
                  "what the bundle itself says", "another text");
  };
  compare(".tar.zst.sha256", check.digest_file, digest_file_text(facts));
  compare(".VERIFY.txt", check.verify_file, verify_text(facts));
  compare(".seal.json", check.seal_file, seal_text(facts));
}

void check_expected(Check& check, const VerifyOptions& options) {
  const std::string found = check.bundle_sha256.hex();
  if (!options.expected_sha256.empty() && options.expected_sha256 != found) {
    check.problem("bundle digest", check.name, options.expected_sha256, found);
  } else if (!check.digest_file.empty() &&
             !check.digest_file.starts_with(found)) {
    check.problem("bundle digest", check.name, check.digest_file.substr(0, 64),
                  found);
  }
  if (!check.has_tags || options.expected_manifest_sha256.empty()) return;
  const std::string manifest =
      sha256(check.tags.find(layout::kManifest)->second).hex();
  if (manifest != options.expected_manifest_sha256) {
    check.problem("manifest digest", "manifest-sha256.txt",
                  options.expected_manifest_sha256, manifest);
  }
}

}  // namespace

Json VerifyReport::to_json() const {
  Json list = Json::array();
  for (const VerifyProblem& one : problems) {
    Json problem;
    problem["what"] = one.what;
    problem["where"] = lossless_utf8(one.where);
    problem["expected"] = lossless_utf8(one.expected);
    problem["found"] = lossless_utf8(one.found);
    list.push_back(std::move(problem));
  }
  Json json;
  json["exhibit"] = exhibit;
  json["ok"] = ok();
  json["items"] = {{"whole", whole}, {"damaged", damaged}};
  json["problems"] = std::move(list);
  return json;
}

VerifyReport verify_bundle(const fs::path& bundle, const VerifyOptions& options,
                           const Cancellation& cancellation,
                           Progress& progress) {
  Check check;
  check.path = bundle;
  check.name = printable(bundle.filename().native());
  check.exhibit = bundle.filename().native();
  if (check.exhibit.ends_with(layout::kSuffix)) {
    check.exhibit.resize(check.exhibit.size() - layout::kSuffix.size());
  }
  check.report.exhibit = printable(check.exhibit);
  check.file = open_source(bundle);
  check.seal_file = read_beside(check, ".seal.json");
  check.digest_file = read_beside(check, ".tar.zst.sha256");
  check.verify_file = read_beside(check, ".VERIFY.txt");
  find_frames(check);
  read_metadata(check);
  PayloadWalk::Result result =
      walk_frames(check, options.threads, cancellation, progress);
  check_expected(check, options);
  check.report.content_bytes = result.content_bytes;
  for (VerifyProblem& problem : result.problems) {
    check.problem(std::move(problem.what), std::move(problem.where),
                  std::move(problem.expected), std::move(problem.found));
  }
  if (check.has_tags) {
    for (std::size_t i = 0; i < check.items.size(); ++i) {
      auto& list =
          result.is_whole[i] ? check.report.whole : check.report.damaged;
      list.push_back(check.items[i].number);
    }
    check_manifest(check);
    if (check.report.problems.empty()) check_files_beside(check);
  } else {
    judge_by_seal(check);
  }
  return check.report;
}

}  // namespace impound
