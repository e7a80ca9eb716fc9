// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/bundle_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_set>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/piece_digest.hpp"
#include "core/evidence/file_identity.hpp"
#include "core/evidence/frame_stream.hpp"
#include "core/evidence/layout.hpp"
#include "core/evidence/pipeline.hpp"
#include "core/evidence/seal.hpp"
#include "core/evidence/source_file.hpp"
#include "core/evidence/sparse_file.hpp"
#include "core/storage/tar.hpp"

namespace impound {
namespace {

constexpr std::string_view kPartial = ".partial";

/// Bytes of metadata that one item or gap may take at the end, for the check of
/// free space: a line in files.jsonl and one in the manifest.
constexpr std::uint64_t kMetaBytesPerItem = 2048;

/// Frames that may be on their way to the disk when free space is looked at.
constexpr std::uint64_t kFramesInFlight = 8;

/// An item on its way, and who knows its digest.
struct Pending {
  Item item;
  std::shared_ptr<ContentDigest> digest;  // null: nothing to hash
  std::shared_ptr<Pending> target;        // of a hard link
  std::shared_ptr<SourceFile> source;     // until it is read
};

/// A file is the same file as long as none of these changed: an inode number
/// alone is reused when a log is rotated.
using Identity =
    std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, TimeNs, TimeNs>;

Identity identity_of(const FileStat& stat) {
  return {stat.device, stat.inode, stat.size, stat.mtime_ns, stat.ctime_ns};
}

}  // namespace

struct BundleWriter::Impl {
  Impl(const fs::path& where, BundleOptions wanted, const Clock& time,
       const Cancellation& stop, Progress& listener)
      : folder(where),
        options(std::move(wanted)),
        clock(time),
        cancellation(stop),
        progress(listener) {
    path = folder / (options.exhibit_id + std::string(layout::kSuffix));
    partial = path;
    partial += kPartial;
    if (stat_path(path, Links::refuse)) {
      throw Error(Errc::io, fmt::format("cannot create {}: it exists",
                                        printable(path.native())));
    }
    const std::uint64_t free = free_bytes(folder);
    if (free < limits::kReservedFreeBytes ||
        free - limits::kReservedFreeBytes < options.expected_bytes) {
      throw Error(
          Errc::io,
          fmt::format("cannot create {}: {} are free, {} are needed and {} "
                      "must stay free",
                      printable(path.native()), human_bytes(free),
                      human_bytes(options.expected_bytes),
                      human_bytes(limits::kReservedFreeBytes)));
    }
    levels = {options.weights_level, options.text_level};
    stream = std::make_unique<FrameStream>(
        create_file(partial, 0600), partial,
        options.threads == 0 ? usable_cores() : options.threads, levels);
    stream->on_frame([this](std::uint64_t tar_bytes) {
      progress.advance(tar_bytes, subject);
    });
  }

  [[nodiscard]] bool must_stop() const {
    return cancellation.requested() || disk_full;
  }

  /// What must be free on the disk: frames on their way, the metadata of the
  /// end, and what the case file needs.
  [[nodiscard]] std::uint64_t reserve() const {
    return limits::kReservedFreeBytes +
           kFramesInFlight * limits::kFrameContent +
           (items_made + gaps_made) * kMetaBytesPerItem;
  }

  void watch_disk(std::uint64_t needed) {
    if (!disk_full && free_bytes(folder) < needed) disk_full = true;
  }

  [[nodiscard]] std::string stop_reason() const {
    return disk_full ? "the disk is full: only the space that the case file "
                       "needs is left"
                     : "stopped by request";
  }

  void add_gap(std::string_view what, Outcome outcome,
               std::string_view reason) {
    gaps.push_back({.subject = std::string(what),
                    .collector = collector,
                    .outcome = outcome,
                    .reason = std::string(reason),
                    .at = clock.now()});
    ++gaps_made;
  }

  /// The name under which an item is kept: the wanted one, or renamed/<n>.
  std::string claim_name(std::string_view wanted, std::uint64_t number) {
    const std::string stored = layout::stored_name(wanted);
    if (is_safe_member_name(wanted) && names.insert(stored).second) {
      return std::string(wanted);
    }
    std::string renamed = fmt::format("renamed/{}", number);
    while (!names.insert(renamed).second) renamed += "_";
    add_gap(wanted, Outcome::partial,
            fmt::format("the name is {} in this exhibit: stored as {}",
                        is_safe_member_name(wanted) ? "taken" : "not safe",
                        renamed));
    return renamed;
  }

  std::shared_ptr<Pending> new_item(std::string_view wanted,
                                    const FileStat& stat) {
    auto pending = std::make_shared<Pending>();
    Item& item = pending->item;
    item.number = ++items_made;
    item.name = claim_name(wanted, item.number);
    item.kind = stat.kind;
    item.collector = collector;
    item.mode = stat.mode;
    item.uid = stat.uid;
    item.gid = stat.gid;
    item.mtime_ns = stat.mtime_ns;
    item.ctime_ns = stat.ctime_ns;
    item.atime_ns = stat.atime_ns;
    item.member_offset = 0;  // known when its headers are appended
    waiting.push_back(pending);
    return pending;
  }

  static TarMember member_of(const Item& item, TarType type) {
    TarMember member;
    member.name = std::string(layout::kData) + layout::stored_name(item.name);
    member.type = type;
    member.mode = item.mode;
    member.uid = item.uid;
    member.gid = item.gid;
    member.mtime_ns = item.mtime_ns;
    member.atime_ns = item.atime_ns;
    member.ctime_ns = item.ctime_ns;
    return member;
  }

  /// A member without content.
  void append_bare(Item& item, const TarMember& member) {
    const Bytes headers = encode_tar_headers(member, item.number);
    item.member_offset = stream->tar_size();
    static_cast<void>(stream->append_small(headers, 0, nullptr, item.number));
  }

  void take_file(const FileRequest& request) {
    const std::string path_asked = request.path.native();
    if (must_stop())
      return add_gap(path_asked, Outcome::partial, stop_reason());
    auto fd = open_read(request.path,
                        request.follow_link ? Links::follow : Links::refuse);
    if (!fd) {
      const auto link = stat_path(request.path, Links::refuse);
      if (link && link->kind == FileKind::symlink && !request.follow_link) {
        return add_gap(path_asked, Outcome::failed,
                       "it is a symbolic link, expected a regular file");
      }
      return add_gap(path_asked, outcome_of(fd.failure()),
                     fd.failure().message());
    }
    const auto stat = stat_fd(*fd);
    if (!stat) {
      return add_gap(path_asked, outcome_of(stat.failure()),
                     stat.failure().message());
    }
    if (stat->kind != FileKind::regular) {
      return add_gap(path_asked, Outcome::failed,
                     fmt::format("it is a {}, expected a regular file",
                                 to_string(stat->kind)));
    }
    const auto known = seen.find(identity_of(*stat));
    if (known != seen.end() && request.ranges.empty()) {
      return link_again(request, *stat, known->second);
    }
    std::optional<SparseFile> by_data;
    if (request.ranges.empty() && stat->allocated < stat->size) {
      SparseFile sparse = look_for_holes(*fd, *stat);
      if (sparse.is_taken_by_data() && sparse.is_scattered) {
        return add_gap(
            path_asked, Outcome::failed,
            fmt::format("a sparse file of {} with more than {} parts of data: "
                        "it is neither read through nor taken in parts",
                        human_bytes(sparse.size), kMostDataParts));
      }
      if (sparse.is_taken_by_data()) by_data = std::move(sparse);
    }
    const auto pending = new_item(request.name, *stat);
    Item& item = pending->item;
    item.source = path_asked;
    item.found_as = request.found_as;
    item.notes = with_identity(request.notes, *stat);
    item.outcome = request.outcome;
    item.reason = request.reason;
    std::vector<ByteRange> ranges = request.ranges;
    if (by_data) {
      ranges = parts_to_take(*by_data);
      item.outcome = Outcome::incomplete;
      item.reason += item.reason.empty() ? "" : "; ";
      item.reason += sparse_reason(*by_data);
      item.notes["sparse"] = {{"size", by_data->size},
                              {"data_bytes", by_data->data_bytes}};
    }
    item.ranges = ranges;
    if (request.searched) judge_searched(*request.searched, *stat, item);
    item.size_declared = stat->size;
    TarMember member = member_of(item, TarType::regular);
    if (auto xattrs = read_xattrs(*fd)) {
      for (const ExtendedAttribute& attribute : *xattrs) {
        member.xattrs.emplace_back(attribute.name, as_text(attribute.value));
      }
    }
    if (request.ranges.empty()) seen.emplace(identity_of(*stat), pending);
    pending->source =
        std::make_shared<SourceFile>(std::move(*fd), *stat, std::move(ranges),
                                     [this] { return must_stop(); });
    member.size = pending->source->size();
    store(pending, member);
  }

  /// A log may be rotated between being searched and being taken.
  static void judge_searched(const FileStat& searched, const FileStat& found,
                             Item& item) {
    const bool is_same =
        searched.device == found.device && searched.inode == found.inode;
    const bool has_only_grown =
        found.size > searched.size ||
        (found.size == searched.size && found.mtime_ns == searched.mtime_ns);
    if (is_same && has_only_grown) return;
    item.outcome = Outcome::incomplete;
    item.reason += item.reason.empty() ? "" : "; ";
    item.reason += is_same ? "it was changed between being searched for its "
                             "records and being taken"
                           : "another file had its path when it was taken than "
                             "when it was searched for its records";
    // Of the file that was searched, which is not the one that was taken.
    item.notes.erase("source_size");
    item.notes.erase("source_sha256");
  }

  void link_again(const FileRequest& request, const FileStat& stat,
                  const std::shared_ptr<Pending>& target) {
    const auto pending = new_item(request.name, stat);
    Item& item = pending->item;
    item.source = request.path.native();
    item.found_as = request.found_as;
    item.notes = with_identity(request.notes, stat);
    item.size_declared = stat.size;
    item.is_hard_link = true;
    item.link_target = target->item.name;
    pending->target = target;
    TarMember member = member_of(item, TarType::hard_link);
    member.link =
        std::string(layout::kData) + layout::stored_name(target->item.name);
    append_bare(item, member);
  }

  /// Appends a regular member whose bytes come from pending->source.
  void store(const std::shared_ptr<Pending>& pending, const TarMember& member) {
    Item& item = pending->item;
    subject = item.source;
    const Bytes headers = headers_of(member, item);
    pending->digest = std::make_shared<ContentDigest>();
    SourceFile& source = *pending->source;
    item.member_offset = stream->tar_size();
    watch_disk(reserve());
    if (FrameStream::fits_one_frame(headers.size(), member.size)) {
      const std::span<std::byte> room =
          stream->append_small(headers, static_cast<std::size_t>(member.size),
                               pending->digest, item.number);
      source.load(0, room);
      source.finish(item);
      pending->source.reset();
      return;
    }
    pending->digest->on_end = [raw = pending.get()] {
      raw->source->finish(raw->item);
      raw->source.reset();
    };
    stream->append_large(
        headers, member.size,
        [this, &source, reserve = reserve()](std::uint64_t offset,
                                             std::span<std::byte> out) {
          watch_disk(reserve);
          source.load(offset, out);
        },
        FrameStream::Load::later, pending->digest, item.number);
  }

  /// Extended attributes too large for headers are left out, and that is said.
  static Bytes headers_of(TarMember member, Item& item) {
    std::size_t size = 0;
    for (const auto& [key, value] : member.xattrs) {
      size += key.size() + value.size() + 64;
    }
    if (size > kMaxTarHeaders / 2) {
      member.xattrs.clear();
      item.notes["xattrs_left_out"] = size;
    }
    return encode_tar_headers(member, item.number);
  }

  void take_bytes(const BytesRequest& request) {
    if (disk_full) {
      return add_gap(request.source.empty() ? request.name : request.source,
                     Outcome::partial, stop_reason());
    }
    FileStat stat;
    stat.kind = FileKind::regular;
    stat.mode = 0644;
    stat.mtime_ns = clock.now();
    const auto pending = new_item(request.name, stat);
    Item& item = pending->item;
    item.source = request.source;
    item.notes = request.notes;
    item.outcome = request.outcome;
    const std::uint64_t size = request.content.size();
    item.size_declared = item.size_read = item.size_stored = size;
    if (size == 0 && item.outcome == Outcome::ok) {
      item.outcome = Outcome::empty;
    }
    TarMember member = member_of(item, TarType::regular);
    member.size = size;
    pending->digest = std::make_shared<ContentDigest>();
    watch_disk(reserve());
    item.member_offset = stream->tar_size();
    append_content(member, item.number, item.number, request.content,
                   pending->digest);
  }

  void append_content(const TarMember& member, std::uint64_t sequence,
                      std::uint64_t number, ByteView content,
                      const std::shared_ptr<ContentDigest>& digest) {
    const Bytes headers = encode_tar_headers(member, sequence);
    if (FrameStream::fits_one_frame(headers.size(), content.size())) {
      const std::span<std::byte> room =
          stream->append_small(headers, content.size(), digest, number);
      if (!content.empty()) {
        std::memcpy(room.data(), content.data(), content.size());
      }
      return;
    }
    stream->append_large(
        headers, content.size(),
        [content](std::uint64_t offset, std::span<std::byte> out) {
          std::memcpy(out.data(),
                      content.data() + static_cast<std::size_t>(offset),
                      out.size());
        },
        FrameStream::Load::now, digest, number);
  }

  void take_entry(std::string_view name, const fs::path& where) {
    if (must_stop()) {
      return add_gap(where.native(), Outcome::partial, stop_reason());
    }
    const auto stat = stat_path(where, Links::refuse);
    if (!stat) {
      return add_gap(where.native(), outcome_of(stat.failure()),
                     stat.failure().message());
    }
    if (stat->kind != FileKind::directory && stat->kind != FileKind::symlink) {
      return add_gap(where.native(), Outcome::failed,
                     fmt::format("it is a {}, expected a directory or a "
                                 "symbolic link",
                                 to_string(stat->kind)));
    }
    std::string link;
    if (stat->kind == FileKind::symlink) {
      auto target = read_link(where);
      if (!target) {
        return add_gap(where.native(), outcome_of(target.failure()),
                       target.failure().message());
      }
      link = std::move(*target);
    }
    const auto pending = new_item(name, *stat);
    Item& item = pending->item;
    item.source = where.native();
    item.link_target = link;
    const bool directory = stat->kind == FileKind::directory;
    TarMember member =
        member_of(item, directory ? TarType::directory : TarType::symlink);
    member.link = link;
    append_bare(item, member);
  }

  /// Everything handed in becomes items with digests.
  void settle() {
    stream->drain();
    for (const auto& pending : waiting) {
      Item& item = pending->item;
      if (pending->digest) item.sha256 = pending->digest->digest;
      if (pending->target) {
        const Item& target = pending->target->item;
        item.sha256 = target.sha256;
        item.size_read = target.size_read;
        item.size_stored = target.size_stored;
        item.outcome = target.outcome;
        item.reason = target.reason;
        item.holes = target.holes;
      } else if (item.kind == FileKind::regular) {
        manifest.emplace_back("data/" + layout::stored_name(item.name),
                              item.sha256);
        payload_bytes += item.size_stored;
      }
      ++counts[std::string(to_string(item.outcome))];
      files_jsonl += dump_line(item.to_json()) + "\n";
      taken.items.push_back(item);
      pending->digest.reset();
    }
    waiting.clear();
    for (Gap& gap : gaps) {
      ++counts[std::string(to_string(gap.outcome))];
      skipped_jsonl += dump_line(gap.to_json()) + "\n";
      taken.gaps.push_back(std::move(gap));
    }
    gaps.clear();
  }

  /// A tag or meta member; the digest is known at once.
  void append_tag(std::string_view name, ByteView content) {
    TarMember member;
    member.name = std::string(layout::kRoot) + std::string(name);
    member.mode = 0644;
    member.mtime_ns = clock.now();
    member.size = content.size();
    if (name != layout::kTagManifest) {
      tags.emplace_back(std::string(name), sha256(content));
    }
    append_content(member, 0, 0, content, std::make_shared<ContentDigest>());
  }

  fs::path folder;
  BundleOptions options;
  const Clock& clock;
  const Cancellation& cancellation;
  Progress& progress;
  fs::path path;
  fs::path partial;
  FrameLevels levels;
  std::string collector;
  std::string subject;  // at hand, for the listener
  std::atomic<bool> disk_full{false};

  std::uint64_t items_made = 0;
  std::uint64_t gaps_made = 0;
  std::uint64_t payload_bytes = 0;
  std::unordered_set<std::string> names;
  std::map<Identity, std::shared_ptr<Pending>> seen;
  std::deque<std::shared_ptr<Pending>> waiting;
  std::vector<Gap> gaps;
  BundleWriter::Taken taken;
  std::map<std::string, std::uint64_t> counts;
  std::vector<std::pair<std::string, Digest>> manifest;
  std::vector<std::pair<std::string, Digest>> tags;
  std::string files_jsonl;
  std::string skipped_jsonl;
  std::vector<std::pair<std::string, Bytes>> meta;
  bool finished = false;

  std::unique_ptr<FrameStream> stream;  // last: its threads use the rest
};

BundleWriter::BundleWriter(const fs::path& folder, BundleOptions options,
                           const Clock& clock, const Cancellation& cancellation,
                           Progress& progress) {
  // On the machine that seals, which need not be the one that opened the case.
  if (!PieceDigest::is_right()) {
    throw Error(Errc::integrity,
                fmt::format("SHA-256 as computed here ({}) fails its self "
                            "test: nothing is sealed on this machine",
                            PieceDigest::kernel()));
  }
  impl_ = std::make_unique<Impl>(folder, std::move(options), clock,
                                 cancellation, progress);
}
BundleWriter::~BundleWriter() = default;

void BundleWriter::begin_collector(std::string_view name) {
  impl_->collector = name;
}

void BundleWriter::file(const FileRequest& request) {
  impl_->take_file(request);
}

void BundleWriter::entry(std::string_view name, const fs::path& path) {
  impl_->take_entry(name, path);
}

void BundleWriter::bytes(const BytesRequest& request) {
  impl_->take_bytes(request);
}

void BundleWriter::gap(std::string_view subject, Outcome outcome,
                       std::string_view reason) {
  impl_->add_gap(subject, outcome, reason);
}

bool BundleWriter::must_stop() const { return impl_->must_stop(); }

BundleWriter::Taken BundleWriter::drain() {
  impl_->settle();
  return std::exchange(impl_->taken, {});
}

void BundleWriter::meta(std::string_view name, ByteView content) {
  const std::string path = "meta/" + std::string(name);
  const auto is_taken = [&](const auto& known) { return known.first == path; };
  if (!is_safe_member_name(path) || path.find_first_of("\r\n") != path.npos ||
      path == layout::kFiles || path == layout::kSkipped ||
      std::ranges::any_of(impl_->meta, is_taken)) {
    throw Error(Errc::bad_input,
                fmt::format("cannot add {} to {}: the name is not free",
                            printable(path), impl_->options.exhibit_id));
  }
  impl_->meta.emplace_back(path, Bytes(content.begin(), content.end()));
}

SealedBundle BundleWriter::finish(std::string_view chain_head) {
  Impl& impl = *impl_;
  if (impl.finished) {
    throw Error(Errc::bad_input,
                fmt::format("{} is sealed already", impl.options.exhibit_id));
  }
  impl.settle();
  FrameStream& stream = *impl.stream;

  SealFacts facts;
  facts.case_id = impl.options.case_id;
  facts.exhibit_id = impl.options.exhibit_id;
  facts.bundle_name = impl.path.filename().native();
  facts.payload_bytes = impl.payload_bytes;
  facts.items = impl.items_made;
  facts.gaps = impl.gaps_made;
  facts.compression = compression_text(impl.levels);
  facts.chain_head = chain_head;
  facts.sealed_at = format_time(impl.clock.now());
  for (const auto& [name, count] : impl.counts) facts.counts[name] = count;
  facts.meta.first_frame = narrow<std::uint32_t>(stream.frames().size());
  facts.meta.tar_offset = stream.tar_size();

  const BagInfo info{.case_id = facts.case_id,
                     .exhibit_id = facts.exhibit_id,
                     .sealed_at = facts.sealed_at,
                     .payload_bytes = facts.payload_bytes,
                     .payload_files = impl.manifest.size(),
                     .items = facts.items,
                     .gaps = facts.gaps,
                     .compression = facts.compression,
                     .chain_head = facts.chain_head,
                     .extra = impl.options.bag_info};
  impl.append_tag(layout::kBagit, as_bytes(layout::kBagitText));
  impl.append_tag(layout::kBagInfo, as_bytes(bag_info_text(info)));
  const std::string manifest = layout::manifest_text(impl.manifest);
  facts.manifest_sha256 = sha256(manifest);
  impl.append_tag(layout::kManifest, as_bytes(manifest));
  impl.append_tag(layout::kFiles, as_bytes(impl.files_jsonl));
  impl.append_tag(layout::kSkipped, as_bytes(impl.skipped_jsonl));
  for (const auto& [name, content] : impl.meta) impl.append_tag(name, content);
  const std::string tags = layout::manifest_text(impl.tags);
  facts.tagmanifest_sha256 = sha256(tags);
  impl.append_tag(layout::kTagManifest, as_bytes(tags));
  stream.append_raw(Bytes(layout::kTarEnd));
  facts.meta.tar_size = stream.tar_size();
  stream.drain();

  stream.write_skippable(layout::encode_pointer(facts.meta));
  std::vector<FrameEntry> entries;
  for (const SealedFrame& frame : stream.frames()) {
    entries.push_back(frame.entry);
  }
  stream.write_tail(encode_seek_table(entries));
  facts.bundle_size = stream.file_size();
  facts.bundle_sha256 = stream.finish();
  facts.frames = stream.frames();
  const auto beside = [&](std::string_view ending) {
    return impl.folder / (facts.exhibit_id + std::string(ending));
  };
  const std::string seal = seal_text(facts);
  write_file_durably(beside(".tar.zst.sha256"),
                     as_bytes(digest_file_text(facts)));
  write_file_durably(beside(".VERIFY.txt"), as_bytes(verify_text(facts)));
  write_file_durably(beside(".seal.json"), as_bytes(seal));
  // Last: a bundle under its final name has everything that covers it [I3].
  rename_durably(impl.partial, impl.path);
  impl.finished = true;

  return {.path = impl.path,
          .size = facts.bundle_size,
          .sha256 = facts.bundle_sha256,
          .manifest_sha256 = facts.manifest_sha256,
          .tagmanifest_sha256 = facts.tagmanifest_sha256,
          .frames = facts.frames.size(),
          .payload_bytes = facts.payload_bytes,
          .items = facts.items,
          .gaps = facts.gaps,
          .counts = facts.counts,
          .compression = facts.compression,
          .seal = parse_json(seal, facts.exhibit_id + ".seal.json"),
          .seal_sha256 = sha256(seal),
          .verify_txt_sha256 = sha256(verify_text(facts))};
}

}  // namespace impound
