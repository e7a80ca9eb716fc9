// SPDX-License-Identifier: Apache-2.0
#pragma once
/// From an act to the bytes of its line, and back: the fixed keys of an entry.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/casefile/custody.hpp"

namespace impound {

/// Every line has exactly these keys, in this order.
inline constexpr std::array<std::string_view, 22> kEntryKeys{
    "v",           "case",        "seq",    "prev",    "id",        "ts",
    "recorded_at", "late_reason", "clock",  "actor",   "host",      "tool",
    "action",      "item",        "object", "purpose", "authority", "outcome",
    "detail",      "run",         "step",   "refs"};

/// Version of the lines that are written, and the oldest that is read. 2 has
/// three more words of `outcome`, 3 the actions signer.*; SCHEMA.md, "Version
/// changes".
inline constexpr int kLineVersion = 3;
inline constexpr int kOldestLineVersion = 1;

/// `prev` of the first entry.
[[nodiscard]] std::string genesis_prev();

/// Hexadecimal SHA-256 of the line with its LF: what the next entry calls prev.
[[nodiscard]] std::string link_of(std::string_view line);

/// Where in which chain the entry will stand.
struct ChainPlace {
  std::string case_id;
  std::string nonce;  ///< of the genesis entry, 32 hexadecimal digits
  std::int64_t seq = 1;
  std::string prev;
};

/// When and by whom it is recorded; the same for a whole transaction.
struct Recording {
  TimeNs now = 0;
  Json clock;
  Json actor;  ///< its "auth" ends with "key <fingerprint>"
  Json host;
  Json tool;
};

[[nodiscard]] Recording make_recording(const Clock& clock,
                                       const Examiner& examiner,
                                       const HostFacts& host,
                                       const ToolFacts& tool);

/// A UUID (RFC 9562, version 8) out of SHA-256 of nonce, prev and seq: unique
/// by its place, and the same again for the same chain [I9].
[[nodiscard]] std::string entry_id(const ChainPlace& place);

/// @throws Error{bad_input} naming what the draft lacks, Error{limit} if the
///         line would be longer than limits::kMaxCustodyLine.
[[nodiscard]] Entry make_entry(const ChainPlace& place, const EntryDraft& draft,
                               const Recording& recording,
                               const SigningKey& key);

/// The origin of the heads of a case, "<org>/<case>": a C2SP name has neither
/// blanks nor plus signs, so other characters of `org` become hyphens.
[[nodiscard]] std::string head_origin(std::string_view org,
                                      std::string_view case_id);

/// The fingerprint in `actor.auth` of an entry; empty if there is none.
[[nodiscard]] std::string signer_of(const Json& entry);

}  // namespace impound
