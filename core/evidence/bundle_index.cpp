// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/bundle_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Decoded frames kept: six take 24 MiB. A parser walks a file forwards and
/// looks back at its header; more frames would not be touched again.
constexpr std::size_t kCachedFrames = 6;

/// Most bytes of metadata that are held in memory. A line of files.jsonl takes
/// about 500 bytes: two million items.
constexpr std::uint64_t kMaxMetadata = limits::kGiB;

[[noreturn]] void fail(std::string_view source, std::uint64_t offset,
                       std::string_view expected) {
  throw Error(Errc::malformed, fmt::format("{}: offset {}: expected {}", source,
                                           offset, expected));
}

}  // namespace

FrameIndex read_frame_index(const ByteSource& file, std::string_view source) {
  const std::uint64_t size = file.size();
  const std::uint64_t tail = std::min<std::uint64_t>(size, kSeekTableFooter);
  const auto table_size = seek_table_size(file.head(size - tail, tail));
  if (!table_size || *table_size > size) {
    fail(source, size, "a zstd seek table before the end of the file");
  }
  const std::uint64_t table_at = size - *table_size;
  const std::vector<FrameEntry> entries =
      parse_seek_table(file.head(table_at, *table_size), size, source);
  if (entries.empty() || entries.back().content != 0 ||
      entries.back().stored != kSkippableHeader + layout::kPointerSize) {
    fail(source, table_at, "the metadata pointer before the seek table");
  }
  FrameIndex index;
  index.table_offset = table_at;
  index.pointer_offset = entries.back().offset;
  index.meta = layout::parse_pointer(
      file.head(entries.back().offset, entries.back().stored), source,
      entries.back().offset);
  for (std::size_t i = 0; i + 1 < entries.size(); ++i) {
    const FrameEntry& entry = entries[i];
    if (entry.content == 0 || entry.content > limits::kFrameContent ||
        entry.stored > FrameEncoder::bound(entry.content)) {
      fail(source, entry.offset,
           fmt::format("a frame of 1 to {} bytes of content, the seek table "
                       "says {} in {}",
                       limits::kFrameContent, entry.content, entry.stored));
    }
    index.frames.push_back({entry, index.tar_size});
    index.tar_size += entry.content;
  }
  const layout::MetaPointer& meta = index.meta;
  if (meta.first_frame >= index.frames.size() ||
      index.frames[meta.first_frame].tar_offset != meta.tar_offset ||
      meta.tar_size != index.tar_size) {
    fail(source, index.pointer_offset,
         "a metadata pointer that agrees with the seek table");
  }
  return index;
}

struct TarSource::Cache {
  std::mutex mutex;
  std::list<std::pair<std::size_t, std::shared_ptr<const Bytes>>> frames;
  std::vector<FrameDecoder> decoders;  // not in use
};

TarSource::TarSource(const ByteSource& file, const FrameIndex& index,
                     std::string source)
    : file_(file),
      index_(index),
      source_(std::move(source)),
      cache_(std::make_unique<Cache>()) {}
TarSource::~TarSource() = default;

void TarSource::decode(std::size_t frame, std::span<std::byte> out) const {
  const FrameEntry& entry = index_.frames[frame].entry;
  const Bytes stored = file_.head(entry.offset, entry.stored);
  std::unique_lock lock(cache_->mutex);
  FrameDecoder decoder = [&] {
    if (cache_->decoders.empty()) return FrameDecoder();
    FrameDecoder idle = std::move(cache_->decoders.back());
    cache_->decoders.pop_back();
    return idle;
  }();
  lock.unlock();
  const std::string problem = decoder.decode(stored, out);
  lock.lock();
  cache_->decoders.push_back(std::move(decoder));
  lock.unlock();
  if (!problem.empty()) {
    throw Error(Errc::integrity,
                fmt::format("{}: frame {} at offset {}: {}", source_, frame,
                            entry.offset, problem));
  }
}

std::shared_ptr<const Bytes> TarSource::fetch(std::size_t frame) const {
  {
    const std::lock_guard lock(cache_->mutex);
    const auto found = std::ranges::find(
        cache_->frames, frame, [](const auto& kept) { return kept.first; });
    if (found != cache_->frames.end()) {
      cache_->frames.splice(cache_->frames.begin(), cache_->frames, found);
      return cache_->frames.front().second;
    }
  }
  auto content = std::make_shared<Bytes>(index_.frames[frame].entry.content);
  decode(frame, *content);
  const std::lock_guard lock(cache_->mutex);
  cache_->frames.emplace_front(frame, content);
  if (cache_->frames.size() > kCachedFrames) cache_->frames.pop_back();
  return content;
}

void TarSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size() || out.size() > size() - offset) {
    throw Error(Errc::malformed,
                fmt::format("{}: tar offset {}: expected {} bytes, the tar "
                            "has {}",
                            source_, offset, out.size(), size()));
  }
  if (out.empty()) return;
  auto at = std::ranges::upper_bound(index_.frames, offset, {},
                                     &IndexedFrame::tar_offset);
  auto frame = static_cast<std::size_t>(at - index_.frames.begin()) - 1;
  while (!out.empty()) {
    const IndexedFrame& indexed = index_.frames[frame];
    const auto skip = static_cast<std::size_t>(offset - indexed.tar_offset);
    const std::size_t count =
        std::min<std::size_t>(out.size(), indexed.entry.content - skip);
    if (skip == 0 && count == indexed.entry.content) {
      decode(frame, out.first(count));  // whole: the caller's memory will do
    } else {
      const std::shared_ptr<const Bytes> content = fetch(frame);
      std::copy_n(content->begin() + static_cast<std::ptrdiff_t>(skip), count,
                  out.begin());
    }
    out = out.subspan(count);
    offset += count;
    ++frame;
  }
}

TarHeaders read_tar_headers(const ByteSource& tar, std::uint64_t offset,
                            std::string_view source) {
  const std::size_t size = tar_headers_size(tar.head(offset, kTarBlock));
  return parse_tar_headers(tar.head(offset, size), source, offset);
}

TagMembers read_tag_members(const TarSource& tar, const FrameIndex& index,
                            std::string_view source) {
  TagMembers members;
  std::uint64_t at = index.meta.tar_offset;
  if (index.tar_size - at > kMaxMetadata) {
    throw Error(Errc::limit,
                fmt::format("{}: metadata of {} are more than {}", source,
                            human_bytes(index.tar_size - at),
                            human_bytes(kMaxMetadata)));
  }
  while (true) {
    if (is_zero_block(tar.head(at, kTarBlock))) break;
    const TarHeaders headers = read_tar_headers(tar, at, source);
    const TarMember& member = headers.member;
    const std::uint64_t content_at = at + headers.size;
    const std::uint64_t end =
        content_at + member.size + tar_padding(member.size);
    if (member.type != TarType::regular ||
        !member.name.starts_with(layout::kRoot) ||
        member.name.starts_with(layout::kData) || end > index.tar_size) {
      fail(source, at,
           fmt::format("a metadata member, found \"{}\"",
                       printable(member.name)));
    }
    std::string content(static_cast<std::size_t>(member.size), '\0');
    tar.read(content_at, std::as_writable_bytes(std::span(content)));
    if (!members
             .emplace(member.name.substr(layout::kRoot.size()),
                      std::move(content))
             .second) {
      fail(source, at,
           fmt::format("each metadata member once, \"{}\" is there twice",
                       printable(member.name)));
    }
    at = end;
  }
  if (at + layout::kTarEnd != index.tar_size ||
      !is_zero_block(tar.head(at + kTarBlock, kTarBlock))) {
    fail(source, at, "two blocks of zeros that end the tar");
  }
  for (const std::string_view name :
       {layout::kBagit, layout::kBagInfo, layout::kManifest, layout::kFiles,
        layout::kSkipped, layout::kTagManifest}) {
    if (!members.contains(name)) {
      fail(source, index.meta.tar_offset, fmt::format("a member \"{}\"", name));
    }
  }
  return members;
}

namespace {

/// Calls `take` with every line and its number.
void each_line(
    std::string_view text, std::string_view source,
    const std::function<void(const Json& json, std::string_view where)>& take) {
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string where = fmt::format("{}: line {}", source, number);
    if (end == text.npos) {
      throw Error(Errc::malformed,
                  fmt::format("{}: expected a line break at its end", where));
    }
    take(parse_json(text.substr(0, end), where), where);
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<Item> parse_items(std::string_view text, std::string_view source) {
  std::vector<Item> items;
  std::unordered_set<std::string> names;
  each_line(text, source, [&](const Json& json, std::string_view where) {
    Item item = Item::from_json(json, where);
    if (items.size() == limits::kMaxBundleMembers) {
      throw Error(Errc::limit, fmt::format("{}: more than {} items", where,
                                           limits::kMaxBundleMembers));
    }
    if (item.number != items.size() + 1) {
      throw Error(Errc::malformed,
                  fmt::format("{}: expected item {}, found {}", where,
                              items.size() + 1, item.number));
    }
    if (!names.insert(layout::stored_name(item.name)).second) {
      throw Error(Errc::malformed,
                  fmt::format("{}: expected each name once, \"{}\" is there "
                              "twice",
                              where, printable(item.name)));
    }
    items.push_back(std::move(item));
  });
  return items;
}

std::vector<Gap> parse_gaps(std::string_view text, std::string_view source) {
  std::vector<Gap> gaps;
  each_line(text, source, [&](const Json& json, std::string_view where) {
    gaps.push_back(Gap::from_json(json, where));
  });
  return gaps;
}

}  // namespace impound
