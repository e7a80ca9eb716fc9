// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/file_identity.hpp"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <charconv>

namespace impound {

std::string device_text(std::uint64_t device) {
  return fmt::format("{}:{}", major(device), minor(device));
}

std::optional<FileIdentity> identity_from_notes(const Json& notes) {
  const std::string device = text_or(notes, "device", "");
  const auto inode = notes.find("inode");
  const std::size_t colon = device.find(':');
  if (colon == device.npos || inode == notes.end() ||
      !inode->is_number_unsigned()) {
    return std::nullopt;
  }
  const auto number = [](std::string_view text) {
    unsigned value = 0;
    const auto [stop, failure] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc{} && stop == text.data() + text.size()
               ? std::optional(value)
               : std::nullopt;
  };
  const auto high = number(std::string_view(device).substr(0, colon));
  const auto low = number(std::string_view(device).substr(colon + 1));
  if (!high || !low) return std::nullopt;
  return FileIdentity{makedev(*high, *low), inode->get<std::uint64_t>()};
}

Json with_identity(Json notes, const FileStat& stat) {
  notes["device"] = device_text(stat.device);
  notes["inode"] = stat.inode;
  return notes;
}

}  // namespace impound
