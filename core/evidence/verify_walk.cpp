// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/verify_walk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/evidence/layout.hpp"
#include "core/storage/tar.hpp"

namespace impound {
namespace {

/// What the headers of an item's member must say.
std::string member_text(const TarMember& member) {
  return fmt::format("{} \"{}\", {} bytes", static_cast<char>(member.type),
                     printable(member.name), member.size);
}

TarMember expected_member(const Item& item) {
  TarMember member;
  member.name = std::string(layout::kData) + layout::stored_name(item.name);
  if (item.kind == FileKind::directory) {
    member.type = TarType::directory;
  } else if (item.kind == FileKind::symlink) {
    member.type = TarType::symlink;
    member.link = item.link_target;
  } else if (item.is_hard_link) {
    member.type = TarType::hard_link;
    member.link =
        std::string(layout::kData) + layout::stored_name(item.link_target);
  } else {
    member.type = TarType::regular;
    member.size = item.size_stored;
  }
  return member;
}

bool is_zero(ByteView bytes) {
  return std::ranges::all_of(
      bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

PayloadWalk::PayloadWalk(const std::vector<Item>& items,
                         std::uint64_t payload_end, std::string exhibit)
    : items_(items),
      order_(items.size()),
      payload_end_(payload_end),
      exhibit_(std::move(exhibit)) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::ranges::sort(order_, {}, [&](std::size_t index) {
    return items_[index].member_offset;
  });
  result_.is_whole.assign(items.size(), true);
}

std::string PayloadWalk::where(const Item& item) const {
  return fmt::format("{}/{} {}", exhibit_, item.number, printable(item.name));
}

std::uint64_t PayloadWalk::start_of(std::size_t index) const {
  return index < order_.size() ? items_[order_[index]].member_offset
                               : payload_end_;
}

void PayloadWalk::spoil(std::size_t index, std::string what,
                        std::string expected, std::string found) {
  result_.is_whole[index] = false;
  result_.problems.push_back({std::move(what), where(items_[index]),
                              std::move(expected), std::move(found)});
}

void PayloadWalk::content(std::uint64_t tar_offset, ByteView bytes) {
  if (tar_offset >= payload_end_) return;  // metadata are checked as a whole
  bytes = bytes.first(static_cast<std::size_t>(
      std::min<std::uint64_t>(bytes.size(), payload_end_ - tar_offset)));
  const std::uint64_t end = tar_offset + bytes.size();
  at_ = std::max(at_, tar_offset);
  while (at_ < end) {
    const ByteView rest =
        bytes.subspan(static_cast<std::size_t>(at_ - tar_offset));
    if (!is_inside_) {
      next_member(rest, at_);
      continue;
    }
    if (content_left_ > 0) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(rest.size(), content_left_));
      hash_.update(rest.first(count));
      content_left_ -= count;
      at_ += count;
      result_.content_bytes += count;
    } else {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(rest.size(), padding_left_));
      if (!is_zero(rest.first(count))) {
        spoil(order_[next_ - 1], "tar padding", "zeros", "other bytes");
      }
      padding_left_ -= count;
      at_ += count;
    }
    if (content_left_ == 0 && padding_left_ == 0) end_item();
  }
}

/// Between members there must be nothing.
void PayloadWalk::next_member(ByteView bytes, std::uint64_t tar_offset) {
  // Items whose place lies behind us overlap with what was read already.
  while (next_ < order_.size() && start_of(next_) < tar_offset) {
    spoil(order_[next_], "item place", "a place of its own in the tar",
          fmt::format("tar offset {}, inside another member", start_of(next_)));
    ++next_;
  }
  const std::uint64_t start = start_of(next_);
  if (start > tar_offset) {
    const std::uint64_t gap =
        std::min<std::uint64_t>(start - tar_offset, bytes.size());
    result_.problems.push_back(
        {"tar structure", fmt::format("tar offset {}", tar_offset),
         "the next item that meta/files.jsonl lists",
         fmt::format("{} bytes that no item accounts for", gap)});
    at_ += gap;
    return;
  }
  begin_item(bytes, tar_offset);
}

void PayloadWalk::begin_item(ByteView bytes, std::uint64_t tar_offset) {
  const std::size_t index = order_[next_];
  const Item& item = items_[index];
  const TarMember expected = expected_member(item);
  ++next_;
  try {
    const TarHeaders headers = parse_tar_headers(bytes, exhibit_, tar_offset);
    const TarMember& found = headers.member;
    if (found.name != expected.name || found.type != expected.type ||
        found.size != expected.size || found.link != expected.link) {
      spoil(index, "tar header", member_text(expected), member_text(found));
    }
    at_ += headers.size;
    content_left_ = found.size;
    padding_left_ = tar_padding(found.size);
  } catch (const Error& error) {
    spoil(index, "tar header", member_text(expected), error.what());
    at_ = std::max(at_ + 1, start_of(next_));
    return;
  }
  hash_ = Sha256();
  is_inside_ = true;
  if (content_left_ == 0 && padding_left_ == 0) end_item();
}

void PayloadWalk::end_item() {
  is_inside_ = false;
  const std::size_t index = order_[next_ - 1];
  const Item& item = items_[index];
  if (item.kind != FileKind::regular || item.is_hard_link) return;
  const Digest found = hash_.finish();
  if (found != item.sha256 && result_.is_whole[index]) {
    spoil(index, "item digest", item.sha256.hex(), found.hex());
  }
}

void PayloadWalk::lost(std::uint64_t tar_offset, std::uint64_t size) {
  const std::uint64_t end = std::min(tar_offset + size, payload_end_);
  if (is_inside_) {
    result_.is_whole[order_[next_ - 1]] = false;
    const std::uint64_t left = content_left_ + padding_left_;
    const std::uint64_t item_end = tar_offset + left;
    if (item_end > end) {  // it goes on behind the lost frame
      const std::uint64_t count = end - tar_offset;
      const std::uint64_t content = std::min(content_left_, count);
      content_left_ -= content;
      padding_left_ -= count - content;
      at_ = end;
      return;
    }
    is_inside_ = false;
  }
  while (next_ < order_.size() && start_of(next_) < end) {
    const std::size_t index = order_[next_++];
    result_.is_whole[index] = false;
    // A large member goes on in the frames behind: they are walked past.
    const std::uint64_t following = start_of(next_);
    if (following > end) {
      is_inside_ = true;
      hash_ = Sha256();
      content_left_ = following - end;
      padding_left_ = 0;
    }
  }
  at_ = end;
}

PayloadWalk::Result PayloadWalk::finish() {
  if (is_inside_) {
    const std::size_t index = order_[next_ - 1];
    if (result_.is_whole[index]) {
      spoil(index, "item content",
            fmt::format("{} bytes", items_[index].size_stored),
            "the payload ends before");
    }
  }
  for (; next_ < order_.size(); ++next_) {
    spoil(order_[next_], "item", "a member in the tar", "none");
  }
  // A hard link is as whole as the item that holds its bytes.
  std::unordered_map<std::string_view, std::size_t> files;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (item.is_hard_link) {
      const auto target = files.find(item.link_target);
      if (target == files.end() || !result_.is_whole[target->second]) {
        result_.is_whole[i] = false;
      }
    } else if (item.kind == FileKind::regular) {
      files.emplace(item.name, i);
    }
  }
  return std::move(result_);
}

}  // namespace impound
