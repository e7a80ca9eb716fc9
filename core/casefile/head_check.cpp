// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/head_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/casefile/line_check.hpp"

namespace impound {
namespace {

constexpr std::string_view kStoredHead = "head";
constexpr std::string_view kTrustedHead = "trusted head";

Checkpoint checkpoint_of(std::string_view note, std::string_view source) {
  return parse_checkpoint(parse_note(note, source).text, source);
}

}  // namespace

HeadCheck::HeadCheck(const Database& database, std::string_view trusted_note)
    : heads_(database.prepare(
          "SELECT size, note, frontier, signed_at FROM heads ORDER BY size")),
      trusted_note_(trusted_note) {
  if (!trusted_note.empty()) {
    try {
      trusted_size_ = checkpoint_of(trusted_note, kTrustedHead).size;
      if (trusted_size_ == 0) {
        throw Error(Errc::bad_input, "it covers no entry");
      }
    } catch (const Error& error) {
      throw Error(Errc::bad_input,
                  fmt::format("the head to compare with is unreadable: {}",
                              error.what()));
    }
  }
  next_head();
}

void HeadCheck::next_head() {
  head_.reset();
  if (!heads_.step()) return;
  head_ = Stored{heads_.integer(0), std::string(heads_.text(1)),
                 std::string(heads_.text(2)), std::string(heads_.text(3))};
}

/// The other words of a head.sign entry: who reads the line alone must read
/// what the note says.
void HeadCheck::check_statement(std::int64_t seq, const Json& json,
                                std::vector<CustodyProblem>& problems) const {
  const Json& detail = json["detail"];
  const auto compare = [&](const char* key, const Json& expected) {
    const auto found = detail.find(key);
    if (found != detail.end() && *found == expected) return;
    problems.push_back(
        {seq, fmt::format("{} {}", kStoredHead, key),
         expected.is_string() ? expected.get<std::string>() : expected.dump(),
         found == detail.end() ? "nothing" : excerpt(dump_line(*found))});
  };
  compare("size", seq - 1);
  compare("head", text_or(json, "prev", ""));
  compare("root", to_base64(frontier_.root().bytes));
  compare("signer", signer_of(json));
}

void HeadCheck::check_entry(std::int64_t seq, const Json& json,
                            std::vector<CustodyProblem>& problems) const {
  if (text_or(json, "action", "") != "head.sign") return;
  const Json& detail = json["detail"];
  check_statement(seq, json, problems);
  const std::string stated = text_or(detail, "note_sha256", "");
  if (judged_size_ == seq - 1 && judged_note_sha256_ == stated) {
    // Written in one transaction with its entry, at the same time.
    const std::string at = text_or(json, "recorded_at", "");
    if (judged_signed_at_ != at) {
      problems.push_back(
          {seq, "head signed_at", at, excerpt(judged_signed_at_)});
    }
    return;
  }
  problems.push_back(
      {seq, std::string(kStoredHead),
       fmt::format("the note of entry {} that this entry names, SHA-256 {}",
                   seq - 1, excerpt(stated)),
       judged_size_ == seq - 1 ? judged_note_sha256_ : "no such note"});
}

void HeadCheck::compare(std::int64_t seq, std::string_view what,
                        std::string_view note, const std::string& chain,
                        const IntroducedKeys& keys,
                        std::vector<CustodyProblem>& problems) const {
  const auto wrong = [&](std::string_view part, std::string expected,
                         std::string found) {
    problems.push_back({seq, fmt::format("{}{}", what, part),
                        std::move(expected), std::move(found)});
  };
  SignedNote parsed;
  Checkpoint head;
  try {
    parsed = parse_note(note, what);
    head = parse_checkpoint(parsed.text, what);
  } catch (const Error& error) {
    wrong("", "a C2SP checkpoint note", error.what());
    return;
  }
  if (head.size != static_cast<std::uint64_t>(seq)) {
    wrong(" size", std::to_string(seq), std::to_string(head.size));
  }
  if (head.chain.hex() != chain) wrong(" chain", head.chain.hex(), chain);
  if (head.root != frontier_.root()) {
    wrong(" root", head.root.hex(), frontier_.root().hex());
  }
  if (head.origin != origin_) wrong(" origin", origin_, excerpt(head.origin));
  const bool is_signed = std::ranges::any_of(keys, [&](const auto& signer) {
    return verify_note(parsed, head.origin, signer.second);
  });
  if (!is_signed) {
    wrong(" signature", "one by a key that the chain introduced",
          "none that is valid");
  }
}

void HeadCheck::append(std::int64_t seq, std::string_view line,
                       const std::string& chain, const IntroducedKeys& keys,
                       std::vector<CustodyProblem>& problems) {
  frontier_.append(merkle_leaf(as_bytes(line)));
  if (head_ && head_->size < seq) {  // its row is missing, or never was
    problems.push_back({seq, std::string(kStoredHead),
                        "a head over entries that are there",
                        "one of size " + std::to_string(head_->size)});
    while (head_ && head_->size < seq) next_head();
  }
  if (head_ && head_->size == seq) {
    compare(seq, kStoredHead, head_->note, chain, keys, problems);
    if (head_->frontier != frontier_.saved()) {
      problems.push_back({seq, "head frontier", excerpt(frontier_.saved()),
                          excerpt(head_->frontier)});
    }
    judged_size_ = seq;
    judged_note_sha256_ = sha256(head_->note).hex();
    judged_signed_at_ = head_->signed_at;
    next_head();
  }
  if (!trusted_note_.empty() &&
      trusted_size_ == static_cast<std::uint64_t>(seq)) {
    compare(seq, kTrustedHead, trusted_note_, chain, keys, problems);
    trusted_note_.clear();
  }
}

void HeadCheck::finish(std::int64_t entries,
                       std::vector<CustodyProblem>& problems) {
  const auto missing = [&](std::string_view what, std::string size) {
    problems.push_back({entries + 1, std::string(what),
                        "at least " + size + " entries",
                        std::to_string(entries) + " entries"});
  };
  std::optional<std::int64_t> longest;
  for (; head_; next_head()) longest = head_->size;
  if (longest) missing(kStoredHead, std::to_string(*longest));
  if (!trusted_note_.empty()) {
    missing(kTrustedHead, std::to_string(trusted_size_));
  }
}

}  // namespace impound
