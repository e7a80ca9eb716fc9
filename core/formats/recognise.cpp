// SPDX-License-Identifier: Apache-2.0
#include "core/formats/recognise.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/formats/protobuf.hpp"

namespace impound {
namespace {

struct Entry {
  Format format;
  std::string_view name;
  std::string_view (*why)(const FormatSubject&);
  Format kind_of;
  FormatRole role;
};

constexpr std::array kEntries{
#define IMPOUND_FORMAT(id, name, kind, role, ...) \
  Entry{Format::id, name, why_##id, Format::kind, FormatRole::role},
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT
};

const Entry* entry_of(Format format) noexcept {
  const auto found = std::ranges::find(kEntries, format, &Entry::format);
  return found == kEntries.end() ? nullptr : &*found;
}

std::string_view ask(const Entry& entry, const FormatSubject& subject) {
  try {
    return entry.why(subject);
  } catch (const Error& error) {
    // The source failed, not the format.
    if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
    return {};
  }
}

template <typename Wanted>
std::vector<Recognised> recognise_those(const FormatSubject& subject,
                                        Wanted wanted) {
  std::vector<Recognised> found;
  for (const Entry& entry : kEntries) {
    if (!wanted(entry.format)) continue;
    const std::string_view why = ask(entry, subject);
    if (!why.empty()) found.push_back({.format = entry.format, .why = why});
  }
  return found;
}

}  // namespace

std::string_view to_string(Format format) noexcept {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? "unknown" : entry->name;
}

std::optional<Format> format_from(std::string_view name) noexcept {
  if (name == "unknown") return Format::unknown;
  const auto found = std::ranges::find(kEntries, name, &Entry::name);
  if (found == kEntries.end()) return std::nullopt;
  return found->format;
}

Format kind_of(Format format) noexcept {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? Format::unknown : entry->kind_of;
}

FormatRole role_of(Format format) noexcept {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? FormatRole::none : entry->role;
}

std::vector<Format> formats_of(FormatRole role) {
  std::vector<Format> formats;
  for (const Entry& entry : kEntries) {
    if (entry.role == role) formats.push_back(entry.format);
  }
  return formats;
}

bool begins_json(const FormatSubject& subject) {
  // Parsers skip any number of blanks; a plain loop, as there may be megabytes.
  const auto first_ink = [](ByteView bytes) {
    return std::find_if(bytes.begin(), bytes.end(), [](std::byte byte) {
      const char c = static_cast<char>(byte);
      return c != ' ' && c != '\t' && c != '\r' && c != '\n';
    });
  };
  // A byte order mark too: json.loads of bytes takes it, and so does ours.
  ByteView head = subject.head;
  if (as_text(head).starts_with("\xef\xbb\xbf")) head = head.subspan(3);
  const auto ink = first_ink(head);
  if (ink != head.end()) return static_cast<char>(*ink) == '{';
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
  const std::uint64_t end = std::min(subject.source.size(), kMaxJsonText);
  for (std::uint64_t at = subject.head.size(); at < end; at += kBlock) {
    const Bytes block = subject.source.head(at, kBlock);
    const ByteView view(block);
    const auto found = first_ink(view);
    if (found != view.end()) return static_cast<char>(*found) == '{';
  }
  return false;
}

const ZipArchive& archive_of(const FormatSubject& subject) {
  if (subject.zip == nullptr) {
    subject.zip = std::make_shared<const ZipArchive>(read_zip(subject.source));
  }
  return *subject.zip;
}

const wire::Outline& outline_of(const FormatSubject& subject) {
  if (subject.outline == nullptr) {
    subject.outline = std::make_shared<const wire::Outline>(
        wire::read_outline(subject.source));
  }
  return *subject.outline;
}

std::string_view why_format(Format format, const FormatSubject& subject) {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? std::string_view{} : ask(*entry, subject);
}

std::vector<Recognised> recognise(const FormatSubject& subject) {
  return recognise_those(subject, [](Format) { return true; });
}

std::vector<Recognised> recognise_binary(const FormatSubject& subject) {
  return recognise_those(subject, [](Format format) {
    return role_of(format) != FormatRole::text;
  });
}

}  // namespace impound
