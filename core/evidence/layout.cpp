// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/layout.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/reader.hpp"
#include "core/base/text.hpp"
#include "core/storage/frames.hpp"

namespace impound::layout {
namespace {

constexpr std::string_view kPointerName("IMPOUND\0", 8);
constexpr std::size_t kHexDigits = 64;

void replace_all(std::string& text, std::string_view from,
                 std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

template <typename T>
void put(Bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    out.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xFFU));
  }
}

}  // namespace

std::string stored_name(std::string_view name) {
  std::string stored(name);
  replace_all(stored, "\r", "\\x0D");
  replace_all(stored, "\n", "\\x0A");
  return stored;
}

std::string escape_manifest_path(std::string_view path) {
  std::string escaped(path);
  replace_all(escaped, "%", "%25");
  replace_all(escaped, "\r", "%0D");
  replace_all(escaped, "\n", "%0A");
  return escaped;
}

std::string unescape_manifest_path(std::string_view path) {
  std::string raw(path);
  replace_all(raw, "%0A", "\n");
  replace_all(raw, "%0D", "\r");
  replace_all(raw, "%25", "%");
  return raw;
}

std::string manifest_text(std::vector<std::pair<std::string, Digest>> entries) {
  for (auto& [path, digest] : entries) path = escape_manifest_path(path);
  std::ranges::sort(entries);
  std::string text;
  for (const auto& [path, digest] : entries) {
    text += digest.hex();
    text += "  ";
    text += path;
    text += '\n';
  }
  return text;
}

std::optional<std::string> bag_info_value(std::string_view text,
                                          std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.starts_with(key) && line.substr(key.size()).starts_with(": ")) {
      return std::string(line.substr(key.size() + 2));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

Bytes encode_pointer(const MetaPointer& pointer) {
  Bytes payload = copy_bytes(kPointerName);
  put(payload, static_cast<std::uint32_t>(kVersion));
  put(payload, pointer.first_frame);
  put(payload, pointer.tar_offset);
  put(payload, pointer.tar_size);
  return skippable_frame(kPointerMagic, payload);
}

MetaPointer parse_pointer(ByteView frame, std::string_view source,
                          std::uint64_t offset) {
  Reader reader(frame, source, offset);
  if (frame.size() != kSkippableHeader + kPointerSize ||
      reader.u32() != kPointerMagic || reader.u32() != kPointerSize ||
      as_text(reader.take(kPointerName.size(), "name")) != kPointerName) {
    throw Error(Errc::malformed,
                fmt::format("{}: offset {}: expected the metadata pointer of "
                            "an impound bundle",
                            source, offset));
  }
  const std::uint32_t version = reader.u32();
  if (version != kVersion) {
    throw Error(Errc::unsupported,
                fmt::format("{}: bundle format version {}, this program reads "
                            "version {}",
                            source, version, kVersion));
  }
  MetaPointer pointer;
  pointer.first_frame = reader.u32();
  pointer.tar_offset = reader.u64();
  pointer.tar_size = reader.u64();
  return pointer;
}

}  // namespace impound::layout
