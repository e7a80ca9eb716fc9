// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/process_mappings.hpp"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, base);
  if (failure != std::errc{} || stop != end || text.empty()) {
    return std::nullopt;
  }
  return value;
}

/// The next word of a line, which loses it and the blanks around it.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

/// The kernel writes a line feed in a name as \012 and leaves the rest alone.
std::string unescaped(std::string_view path) {
  std::string text;
  while (!path.empty()) {
    if (path.starts_with("\\012")) {
      text += '\n';
      path.remove_prefix(4);
    } else {
      text += path.front();
      path.remove_prefix(1);
    }
  }
  return text;
}

/// "7f00-7f01 r--p 00000000 fe:00 123    /x (deleted)".
std::optional<ProcessMapping> heading(std::string_view line) {
  ProcessMapping mapping;
  const std::string_view range = next_word(line);
  const std::size_t dash = range.find('-');
  if (dash == range.npos) return std::nullopt;
  const auto begin = number(range.substr(0, dash), 16);
  const auto end = number(range.substr(dash + 1), 16);
  const std::string_view mode = next_word(line);
  const auto offset = number(next_word(line), 16);
  const std::string_view device = next_word(line);
  const std::size_t colon = device.find(':');
  if (!begin || !end || *end < *begin || mode.size() != 4 || !offset ||
      colon == device.npos) {
    return std::nullopt;
  }
  const auto major = number(device.substr(0, colon), 16);
  const auto minor = number(device.substr(colon + 1), 16);
  const auto inode = number(next_word(line), 10);
  if (!major || !minor || !inode) return std::nullopt;
  // smaps pads addresses to eight digits, the names in map_files do not.
  mapping.range = fmt::format("{:x}-{:x}", *begin, *end);
  mapping.is_shared = mode[3] == 's';
  mapping.offset = *offset;
  mapping.size = *end - *begin;
  mapping.device =
      makedev(static_cast<unsigned>(*major), static_cast<unsigned>(*minor));
  mapping.inode = *inode;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  if (line.ends_with(kDeleted)) {
    mapping.is_deleted = true;
    line.remove_suffix(kDeleted.size());
  }
  mapping.path = unescaped(line);
  return mapping;
}

/// "Anonymous:            12 kB"; nothing for other lines.
void add_detail(std::string_view line, ProcessMapping& mapping) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !line.ends_with(" kB")) return;
  const std::string_view key = line.substr(0, colon);
  const auto kib =
      number(trim(line.substr(colon + 1, line.size() - colon - 4)), 10);
  if (!kib || *kib > (std::uint64_t{1} << 50U)) return;
  if (key == "Rss") mapping.resident = *kib * 1024;
  if (key == "Anonymous") mapping.anonymous = *kib * 1024;
  if (key == "Swap") mapping.swapped = *kib * 1024;
}

}  // namespace

std::vector<ProcessMapping> parse_smaps(std::string_view text) {
  std::vector<ProcessMapping> found;
  bool is_whole = false;  // the last one came to its "VmFlags"
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (auto mapping = heading(line)) {
      found.push_back(std::move(*mapping));
      is_whole = false;
    } else if (!found.empty()) {
      is_whole = is_whole || line.starts_with("VmFlags:");
      add_detail(line, found.back());
    }
  }
  if (!is_whole && !found.empty()) found.pop_back();
  return found;
}

}  // namespace impound
