// SPDX-License-Identifier: Apache-2.0
#include "core/formats/protobuf.hpp"

#include <algorithm>
#include <vector>

namespace impound::wire {
namespace {

constexpr std::uint64_t kWindow = 64 * 1024;

}  // namespace

void Window::move_to(std::uint64_t offset) {
  bytes_ = source_.head(offset, kWindow);
  begin_ = offset;
}

std::string Window::text(const Field& field, std::uint64_t keep) {
  const std::uint64_t count = std::min(field.size, keep);
  if (field.offset >= begin_ && field.offset - begin_ <= bytes_.size() &&
      bytes_.size() - (field.offset - begin_) >= count) {
    return std::string(as_text(ByteView(bytes_).subspan(
        static_cast<std::size_t>(field.offset - begin_),
        static_cast<std::size_t>(count))));
  }
  return std::string(as_text(source_.head(field.offset, count)));
}

std::optional<std::uint64_t> Message::long_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at_ >= end_) return std::nullopt;
    const std::uint64_t byte = window_.at(at_++);
    if (shift < 64) value |= (byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Message::fixed(std::size_t width) {
  if (end_ - at_ < width) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value |= static_cast<std::uint64_t>(window_.at(at_ + i)) << (8 * i);
  }
  at_ += width;
  return value;
}

bool Message::skip_group(std::uint32_t number) {
  // As deep as protobuf itself goes into messages.
  constexpr std::size_t kMaxGroups = 100;
  std::vector<std::uint32_t> open{number};
  while (!open.empty()) {
    const std::optional<std::uint64_t> tag = varint();
    if (!tag || *tag >> 3U == 0 || *tag >> 32U != 0) return false;
    const auto inner = static_cast<std::uint32_t>(*tag >> 3U);
    switch (static_cast<Type>(*tag & 7U)) {
      case Type::varint:
        if (!varint()) return false;
        break;
      case Type::fixed64:
        if (!fixed(8)) return false;
        break;
      case Type::fixed32:
        if (!fixed(4)) return false;
        break;
      case Type::bytes: {
        const std::optional<std::uint64_t> size = varint();
        if (!size || *size > end_ - at_) return false;
        at_ += *size;
        break;
      }
      case Type::group_start:
        if (open.size() >= kMaxGroups) return false;
        open.push_back(inner);
        break;
      case Type::group_end:
        if (open.back() != inner) return false;
        open.pop_back();
        break;
      default:
        return false;
    }
  }
  return true;
}

std::uint32_t Message::skip_small_numbers() {
  std::uint32_t seen = 0;
  const ByteView near = window_.at_hand(at_);
  const std::size_t size = static_cast<std::size_t>(
      std::min<std::uint64_t>(near.size(), end_ - at_));
  std::size_t i = 0;
  for (; i + 2 <= size; i += 2) {
    const auto tag = std::to_integer<std::uint32_t>(near[i]);
    const auto value = std::to_integer<std::uint32_t>(near[i + 1]);
    if (tag < 8 || ((tag & 0x87U) | (value & 0x80U)) != 0) break;
    seen |= 1U << (tag >> 3U);
  }
  at_ += i;
  return seen;
}

Outline read_outline(const ByteSource& source) {
  Outline outline;
  Window window(source);
  Message message(window, 0, source.size());
  const auto note = [&](const Field& field) {
    if (field.number > 31) return;
    std::uint32_t& into =
        field.type == Type::bytes ? outline.bytes : outline.numbers;
    into |= 1U << field.number;
  };
  while (const auto field = message.next()) {
    note(*field);
    if (field->type != Type::bytes) {
      outline.numbers |= message.skip_small_numbers();
    }
  }
  if (message.cut_short()) note(*message.cut_short());
  outline.ok = message.ok();
  return outline;
}

std::optional<Field> Message::next() {
  while (ok_ && at_ < end_) {
    const std::uint64_t begin = at_;
    const auto broken = [&]() -> std::optional<Field> {
      ok_ = false;
      at_ = begin;
      return std::nullopt;
    };
    const std::optional<std::uint64_t> tag = varint();
    if (!tag || *tag >> 3U == 0 || *tag >> 32U != 0) return broken();
    Field field;
    field.number = static_cast<std::uint32_t>(*tag >> 3U);
    field.type = static_cast<Type>(*tag & 7U);
    std::optional<std::uint64_t> value;
    switch (field.type) {
      case Type::varint:
        value = varint();
        break;
      case Type::fixed64:
        value = fixed(8);
        break;
      case Type::fixed32:
        value = fixed(4);
        break;
      case Type::bytes:
        value = varint();
        if (!value) return broken();
        field.offset = at_;
        field.size = *value;
        if (*value > end_ - at_) {
          field.size = end_ - at_;
          cut_short_ = field;
          return broken();
        }
        at_ += *value;
        break;
      case Type::group_start:
        if (!skip_group(field.number)) return broken();
        continue;
      case Type::group_end:
        return broken();
    }
    if (!value) return broken();
    field.value = *value;
    return field;
  }
  return std::nullopt;
}

}  // namespace impound::wire
