// SPDX-License-Identifier: Apache-2.0
#include "core/formats/packed/tar_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "core/base/text.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

constexpr std::size_t kBlock = 512;
/// Bytes of one pax header or GNU long name.
constexpr std::uint64_t kMaxExtension = std::uint64_t{1} << 20U;

std::string field(ByteView block, std::size_t at, std::size_t size) {
  const std::string_view text = as_text(block.subspan(at, size));
  return std::string(text.substr(0, text.find('\0')));
}

/// Octal digits, or base 256 with the top bit set.
std::optional<std::uint64_t> number(ByteView block, std::size_t at,
                                    std::size_t size) {
  const auto first = std::to_integer<unsigned>(block[at]);
  std::uint64_t value = 0;
  if ((first & 0x80U) != 0) {
    if (first != 0x80U) return std::nullopt;  // negative, or beyond 64 bits
    for (std::size_t i = 1; i < size; ++i) {
      if (value >> 56U != 0) return std::nullopt;
      value = value << 8U | std::to_integer<std::uint64_t>(block[at + i]);
    }
    return value;
  }
  const std::string digits = field(block, at, size);
  const std::string_view text = trim(digits);
  if (text.empty()) return 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

bool has_checksum(ByteView block) {
  const auto wanted = number(block, 148, 8);
  if (!wanted) return false;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : std::to_integer<std::uint64_t>(block[i]);
  }
  return sum == *wanted && sum != 8U * ' ';
}

/// "27 path=some/name\n" records.
std::map<std::string, std::string> pax_records(std::string_view text) {
  std::map<std::string, std::string> records;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto parsed =
        std::from_chars(text.data(), text.data() + text.size(), length);
    if (parsed.ec != std::errc{} || length > text.size() || length < 4) break;
    const auto digits = static_cast<std::size_t>(parsed.ptr - text.data());
    const std::string_view record = text.substr(0, length);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos || digits + 1 > equals ||
        record.back() != '\n') {
      break;
    }
    records[std::string(record.substr(digits + 1, equals - digits - 1))] =
        std::string(record.substr(equals + 1, length - equals - 2));
    text.remove_prefix(length);
  }
  return records;
}

bool leads_outside(const std::string& name) {
  return name.starts_with('/') || name == ".." || name.starts_with("../") ||
         name.find("/../") != std::string::npos || name.ends_with("/..");
}

}  // namespace

bool looks_like_tar(ByteView head) {
  return head.size() >= kBlock && has_checksum(head.first(kBlock));
}

TarArchive read_tar(const ByteSource& source) {
  TarArchive archive;
  const std::uint64_t size = source.size();
  const auto problem = [&](std::string_view rule, Severity severity,
                           std::uint64_t offset, std::string message) {
    if (archive.problems.size() >= 256) return;
    archive.problems.push_back({.rule = std::string(rule),
                                .severity = severity,
                                .offset = offset,
                                .message = std::move(message)});
  };
  std::string long_name;
  std::string long_link;
  std::map<std::string, std::string> pax;
  std::uint64_t at = 0;
  bool has_end = false;
  while (at + kBlock <= size &&
         archive.members.size() < TarArchive::kMaxMembers) {
    const Bytes block = source.head(at, kBlock);
    const bool is_zero =
        std::all_of(block.begin(), block.end(),
                    [](std::byte byte) { return byte == std::byte{0}; });
    if (is_zero) {
      has_end = true;
      break;
    }
    if (!has_checksum(block)) {
      has_end = true;  // said here
      problem("tar-broken", Severity::medium, at,
              "no header with a right checksum where the next member begins");
      break;
    }
    TarFileMember member;
    member.header_offset = at;
    member.offset = at + kBlock;
    member.type = static_cast<char>(block[156]);
    member.name = field(block, 0, 100);
    member.link = field(block, 157, 100);
    if (as_text(block).substr(257, 6) == std::string_view("ustar\0", 6)) {
      const std::string prefix = field(block, 345, 155);
      if (!prefix.empty()) member.name = prefix + "/" + member.name;
    }
    const std::optional<std::uint64_t> declared = number(block, 124, 12);
    member.size = declared.value_or(0);
    if (const auto wide = pax.find("size"); wide != pax.end()) {
      std::from_chars(wide->second.data(),
                      wide->second.data() + wide->second.size(), member.size);
    }
    if (!declared || member.size > size - member.offset) {
      problem("tar-broken", Severity::medium, at,
              fmt::format("{} announces more bytes than are left",
                          printable(member.name)));
      member.size = size - member.offset;
    }
    const bool is_extension = member.type == 'L' || member.type == 'K' ||
                              member.type == 'x' || member.type == 'g';
    const std::uint64_t padded = (member.size + kBlock - 1) / kBlock * kBlock;
    at = std::min(member.offset + padded, size);
    archive.end = at;
    if (is_extension) {
      if (member.size > kMaxExtension) {
        problem("tar-broken", Severity::medium, member.header_offset,
                "a name or pax header above 1 MiB");
        continue;
      }
      const Bytes content = source.head(member.offset, member.size);
      const std::string text(as_text(content));
      if (member.type == 'L') long_name = text.substr(0, text.find('\0'));
      if (member.type == 'K') long_link = text.substr(0, text.find('\0'));
      if (member.type == 'x') pax = pax_records(text);
      continue;
    }
    if (!long_name.empty()) member.name = std::exchange(long_name, {});
    if (!long_link.empty()) member.link = std::exchange(long_link, {});
    if (const auto path = pax.find("path"); path != pax.end()) {
      member.name = path->second;
    }
    if (const auto path = pax.find("linkpath"); path != pax.end()) {
      member.link = path->second;
    }
    pax.clear();
    if (leads_outside(member.name)) {
      problem("archive-traversal", Severity::high, member.header_offset,
              fmt::format("{} leads outside of the folder it is unpacked to",
                          printable(member.name)));
    }
    if ((member.type == '1' || member.type == '2') &&
        leads_outside(member.link)) {
      problem("archive-symlink", Severity::high, member.header_offset,
              fmt::format("{} is a link to {}", printable(member.name),
                          printable(member.link)));
    }
    archive.members.push_back(std::move(member));
  }
  if (!has_end) {
    problem("tar-broken", Severity::medium, std::min(at, size),
            archive.members.size() >= TarArchive::kMaxMembers
                ? "more members than are read"
                : "no block of zeros ends the archive: members may be missing");
  }
  return archive;
}

std::string_view why_tar(const FormatSubject& subject) {
  return looks_like_tar(subject.head) ? "begins with the header of a tar" : "";
}

}  // namespace impound
