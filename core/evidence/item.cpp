// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/item.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array kStoredKinds = {FileKind::regular, FileKind::directory,
                                     FileKind::symlink};

Json ranges_to_json(const std::vector<ByteRange>& ranges) {
  Json array = Json::array();
  for (const ByteRange& range : ranges) {
    array.push_back(Json::array({range.offset, range.length}));
  }
  return array;
}

std::vector<ByteRange> ranges_from(const Json& json, std::string_view key,
                                   std::string_view source) {
  std::vector<ByteRange> ranges;
  const auto found = json.find(key);
  if (found == json.end()) return ranges;
  const auto fail = [&] {
    throw Error(Errc::malformed,
                fmt::format("{}: \"{}\" must be a list of [offset, length]",
                            source, key));
  };
  if (!found->is_array()) fail();
  for (const Json& pair : *found) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_unsigned() ||
        !pair[1].is_number_unsigned()) {
      fail();
    }
    ranges.push_back(
        {pair[0].get<std::uint64_t>(), pair[1].get<std::uint64_t>()});
  }
  return ranges;
}

Outcome outcome_of(const Json& json, std::string_view source) {
  const std::string name = require_text(json, "outcome", source);
  const auto outcome = outcome_from(name);
  if (!outcome || !is_item_outcome(*outcome)) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"outcome\" is \"{}\", expected one of the "
                            "custody record's words for a file",
                            source, printable(name)));
  }
  return *outcome;
}

TimeNs time_ns(const Json& json, std::string_view key,
               std::string_view source) {
  const Json& value = require_key(json, key, source);
  if (!value.is_number_integer()) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"{}\" must be nanoseconds, found {}", source,
                            key, value.type_name()));
  }
  return value.get<TimeNs>();
}

std::uint32_t small_number(const Json& json, std::string_view key,
                           std::string_view source) {
  return narrow<std::uint32_t>(require_u64(json, key, source));
}

std::string raw_text(const Json& json, std::string_view key) {
  return from_lossless_utf8(text_or(json, key, ""));
}

}  // namespace

Json Item::to_json() const {
  Json json = Json::object();
  json["item"] = number;
  json["name"] = lossless_utf8(name);
  json["kind"] = to_string(kind);
  json["collector"] = collector;
  json["source"] = lossless_utf8(source);
  if (!found_as.empty()) json["found_as"] = lossless_utf8(found_as);
  json["outcome"] = to_string(outcome);
  if (!reason.empty()) json["reason"] = lossless_utf8(reason);
  json["member_offset"] = member_offset;
  json["size_declared"] = size_declared;
  json["size_read"] = size_read;
  json["size_stored"] = size_stored;
  if (kind == FileKind::regular) json["sha256"] = sha256.hex();
  json["mode"] = fmt::format("{:04o}", mode);
  json["uid"] = uid;
  json["gid"] = gid;
  json["mtime_ns"] = mtime_ns;
  json["ctime_ns"] = ctime_ns;
  json["atime_ns"] = atime_ns;
  if (is_hard_link) json["hard_link"] = true;
  if (!link_target.empty()) json["link_target"] = lossless_utf8(link_target);
  if (!ranges.empty()) json["ranges"] = ranges_to_json(ranges);
  if (!holes.empty()) json["holes"] = ranges_to_json(holes);
  if (!notes.empty()) json["notes"] = notes;
  return json;
}

Item Item::from_json(const Json& json, std::string_view source) {
  Item item;
  item.number = require_u64(json, "item", source);
  item.name = from_lossless_utf8(require_text(json, "name", source));
  if (!is_safe_member_name(item.name)) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"name\" must be relative without \"..\", "
                            "found \"{}\"",
                            source, printable(item.name)));
  }
  const std::string kind = require_text(json, "kind", source);
  const auto* const known = std::ranges::find(
      kStoredKinds, kind, [](FileKind k) { return to_string(k); });
  if (known == kStoredKinds.end()) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"kind\" is \"{}\", expected a file, a "
                            "directory or a symlink",
                            source, printable(kind)));
  }
  item.kind = *known;
  item.collector = text_or(json, "collector", "");
  item.source = raw_text(json, "source");
  item.found_as = raw_text(json, "found_as");
  item.outcome = outcome_of(json, source);
  item.reason = raw_text(json, "reason");
  item.member_offset = require_u64(json, "member_offset", source);
  item.size_declared = require_u64(json, "size_declared", source);
  item.size_read = require_u64(json, "size_read", source);
  item.size_stored = require_u64(json, "size_stored", source);
  if (item.kind == FileKind::regular) {
    const auto digest = Digest::from_hex(require_text(json, "sha256", source));
    if (!digest) {
      throw Error(Errc::malformed,
                  fmt::format("{}: \"sha256\" must be 64 hex digits", source));
    }
    item.sha256 = *digest;
  }
  const std::string mode = require_text(json, "mode", source);
  std::uint32_t bits = 0;
  if (mode.empty() || mode.size() > 6) bits = ~0U;
  for (const char c : mode) {
    bits = c >= '0' && c <= '7' && bits <= 07777U
               ? bits * 8 + static_cast<std::uint32_t>(c - '0')
               : ~0U;
  }
  if (bits > 07777U) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"mode\" must be octal, found \"{}\"", source,
                            printable(mode)));
  }
  item.mode = bits;
  item.uid = small_number(json, "uid", source);
  item.gid = small_number(json, "gid", source);
  item.mtime_ns = time_ns(json, "mtime_ns", source);
  item.ctime_ns = time_ns(json, "ctime_ns", source);
  item.atime_ns = time_ns(json, "atime_ns", source);
  const auto hard_link = json.find("hard_link");
  item.is_hard_link = hard_link != json.end() && hard_link->is_boolean() &&
                      hard_link->get<bool>();
  item.link_target = raw_text(json, "link_target");
  item.ranges = ranges_from(json, "ranges", source);
  item.holes = ranges_from(json, "holes", source);
  if (const auto notes = json.find("notes"); notes != json.end()) {
    item.notes = *notes;
  }
  return item;
}

Json Gap::to_json() const {
  Json json = Json::object();
  json["subject"] = lossless_utf8(subject);
  json["collector"] = collector;
  json["outcome"] = to_string(outcome);
  json["reason"] = lossless_utf8(reason);
  json["at"] = format_time(at);
  return json;
}

Gap Gap::from_json(const Json& json, std::string_view source) {
  Gap gap;
  gap.subject = from_lossless_utf8(require_text(json, "subject", source));
  gap.collector = text_or(json, "collector", "");
  gap.outcome = outcome_of(json, source);
  gap.reason = raw_text(json, "reason");
  const std::string at = require_text(json, "at", source);
  const auto time = parse_time(at);
  if (!time) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"at\" must be a time, found \"{}\"", source,
                            printable(at)));
  }
  gap.at = *time;
  return gap;
}

}  // namespace impound
