// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/entry_line.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"

namespace impound {
namespace {

constexpr std::int64_t kLateNs = 60'000'000'000;  // SCHEMA.md: > 60 s
constexpr std::string_view kKeyMark = "key ";
constexpr std::size_t kFingerprintSize = 64;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(lossless_utf8(text));
}

/// SCHEMA.md: no other key of a line is called prev, so that a stranger's sed
/// finds the link. A foreign document may still use the word.
Json without_prev(const Json& json) {
  if (json.is_array()) {
    Json copy = Json::array();
    for (const Json& element : json) copy.push_back(without_prev(element));
    return copy;
  }
  if (!json.is_object()) return json;
  Json copy = Json::object();
  for (const auto& [key, value] : json.items()) {
    copy[key == "prev" ? "prev_" : key] = without_prev(value);
  }
  return copy;
}

bool is_item_id(std::string_view item) {
  const auto digits = [](std::string_view text) {
    return !text.empty() && text.size() <= 12 &&
           std::ranges::all_of(text,
                               [](char c) { return c >= '0' && c <= '9'; });
  };
  if (item.size() < 4 || item.front() != 'E') return false;
  const std::size_t slash = item.find('/');
  const std::string_view exhibit = item.substr(1, slash - 1);
  return exhibit.size() >= 3 && digits(exhibit) &&
         (slash == item.npos || digits(item.substr(slash + 1)));
}

[[noreturn]] void refuse(const EntryDraft& draft, const std::string& why) {
  throw Error(Errc::bad_input, fmt::format("cannot record {}: {}",
                                           printable(draft.action), why));
}

void check_time(const EntryDraft& draft, TimeNs at, TimeNs now) {
  if (at > now + kLateNs) {
    refuse(draft, fmt::format("it is said to happen at {}, and now is {}",
                              format_time(at), format_time(now)));
  }
  if (now - at > kLateNs && draft.late_reason.empty()) {
    refuse(draft,
           fmt::format("it happened at {}, more than 60 s ago: a late entry "
                       "needs the reason of its lateness",
                       format_time(at)));
  }
}

}  // namespace

std::string genesis_prev() { return std::string(64, '0'); }

std::string link_of(std::string_view line) {
  Sha256 hash;
  hash.update(as_bytes(line));
  hash.update(as_bytes("\n"));
  return hash.finish().hex();
}

Recording make_recording(const Clock& clock, const Examiner& examiner,
                         const HostFacts& host, const ToolFacts& tool) {
  const ClockState state = clock.state();
  Recording recording;
  recording.now = clock.now();
  recording.clock = {
      {"source", state.source},
      {"offset_ms", state.offset_ms ? Json(*state.offset_ms) : Json()},
      {"checked_at", format_time(state.checked_at)},
      {"monotonic_ns", state.monotonic_ns},
      {"boot_id", state.boot_id}};
  Actor actor = examiner.actor;
  const std::string mark =
      std::string(kKeyMark) + examiner.key.public_key().fingerprint().hex();
  if (!actor.auth.ends_with(mark)) {
    actor.auth += actor.auth.empty() ? mark : ", " + mark;
  }
  recording.actor = actor.to_json();
  recording.host = {{"hostname", host.hostname},
                    {"machine_id_sha256", host.machine_id_sha256},
                    {"os", host.os},
                    {"uid", host.uid}};
  recording.tool = {{"name", tool.name},
                    {"version", tool.version},
                    {"sha256", tool.executable_sha256},
                    {"build_id", tool.build_id}};
  return recording;
}

std::string entry_id(const ChainPlace& place) {
  const Digest digest = sha256(fmt::format("impound entry {} {} {}",
                                           place.nonce, place.prev, place.seq));
  std::array<std::byte, 16> id{};
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  id[6] = (id[6] & std::byte{0x0f}) | std::byte{0x80};  // version 8
  id[8] = (id[8] & std::byte{0x3f}) | std::byte{0x80};  // RFC 9562 variant
  const std::string hex = to_hex(id);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) +
         "-" + hex.substr(16, 4) + "-" + hex.substr(20);
}

Entry make_entry(const ChainPlace& place, const EntryDraft& draft,
                 const Recording& recording, const SigningKey& key) {
  const TimeNs at = draft.at.value_or(recording.now);
  check_time(draft, at, recording.now);
  if (draft.item && !is_item_id(*draft.item)) {
    refuse(draft, "\"" + printable(*draft.item) +
                      "\" is no item, expected E001 or E001/17");
  }
  Json json = {{"v", kLineVersion},
               {"case", place.case_id},
               {"seq", place.seq},
               {"prev", place.prev},
               {"id", entry_id(place)},
               {"ts", format_time(at)},
               {"recorded_at", format_time(recording.now)},
               {"late_reason", text_or_null(draft.late_reason)},
               {"clock", recording.clock},
               {"actor", recording.actor},
               {"host", recording.host},
               {"tool", recording.tool},
               {"action", draft.action},
               {"item", draft.item ? Json(*draft.item) : Json()},
               {"object", without_prev(draft.object)},
               {"purpose", lossless_utf8(draft.purpose)},
               {"authority", without_prev(draft.authority)},
               {"outcome", to_string(draft.outcome)},
               {"detail", without_prev(draft.detail)},
               {"run", text_or_null(draft.run)},
               {"step", text_or_null(draft.step)},
               {"refs", draft.refs}};
  if (const auto lack = missing_field(json)) refuse(draft, *lack);
  Entry entry;
  entry.seq = place.seq;
  entry.line = dump_line(json);
  if (entry.line.size() > limits::kMaxCustodyLine) {
    throw Error(
        Errc::limit,
        fmt::format("an entry {} of {} is too long for the custody "
                    "chain (at most {}); put it into an exhibit",
                    printable(draft.action), human_bytes(entry.line.size()),
                    human_bytes(limits::kMaxCustodyLine)));
  }
  entry.signature = to_base64(key.sign(as_bytes(entry.line + "\n")));
  entry.json = std::move(json);
  return entry;
}

std::string head_origin(std::string_view org, std::string_view case_id) {
  std::string origin;
  for (const char c : org) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                       c == '_';
    origin += plain ? c : '-';
  }
  if (origin.empty()) origin = "no-organisation";
  return origin + "/" + std::string(case_id);
}

std::string signer_of(const Json& entry) {
  if (!entry.is_object()) return {};
  const auto actor = entry.find("actor");
  if (actor == entry.end()) return {};
  const std::string auth = text_or(*actor, "auth", "");
  const std::size_t mark_size = kKeyMark.size() + kFingerprintSize;
  if (auth.size() < mark_size ||
      auth.compare(auth.size() - mark_size, kKeyMark.size(), kKeyMark) != 0) {
    return {};
  }
  return auth.substr(auth.size() - kFingerprintSize);
}

}  // namespace impound
