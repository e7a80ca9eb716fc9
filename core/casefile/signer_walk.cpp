// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/signer_walk.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/line_check.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxWarnings = 50;  ///< keys of a hostile file
constexpr std::size_t kMaxRanges = 12;    ///< of entries that are named

/// 64 digits as people write them down: in groups, in either case.
std::string digits_of(std::string_view what, std::string_view text) {
  if (text.empty()) return {};
  std::string digits = to_lower_ascii(text);
  std::erase(digits, ' ');
  const auto digest = Digest::from_hex(digits);
  if (!digest) {
    throw Error(Errc::bad_input,
                fmt::format("{} \"{}\" is no SHA-256: expected 64 hexadecimal "
                            "digits",
                            what, printable(text)));
  }
  return digest->hex();
}

/// "entries 3-5, 9": the numbers are in order.
template <typename Waiting>
std::string ranges_of(const std::vector<Waiting>& waiting) {
  std::string text;
  std::size_t ranges = 0;
  for (std::size_t i = 0; i < waiting.size();) {
    std::size_t end = i;
    while (end + 1 < waiting.size() &&
           waiting[end + 1].seq == waiting[end].seq + 1) {
      ++end;
    }
    if (++ranges > kMaxRanges) {
      return text + fmt::format(" and {} more up to {}", waiting.size() - i,
                                waiting.back().seq);
    }
    text += text.empty() ? "" : ", ";
    text += end == i ? std::to_string(waiting[i].seq)
                     : fmt::format("{}-{}", waiting[i].seq, waiting[end].seq);
    i = end + 1;
  }
  return text;
}

}  // namespace

SignerWalk::SignerWalk(const WrittenDown& known)
    : signer_(digits_of("the fingerprint", known.signer)),
      head_(digits_of("the head", known.head)) {}

void SignerWalk::skip(const std::string& link) {
  links_.push_back(Digest::from_hex(link).value_or(Digest{}));
  if (!head_.empty() && link == head_) {
    head_seq_ = static_cast<std::int64_t>(links_.size());
  }
}

void SignerWalk::follow(std::int64_t seq, const Json& entry,
                        const std::string& link,
                        std::vector<CustodyProblem>& problems) {
  skip(link);
  const std::string by = signer_of(entry);
  const auto right = right_needed(entry);
  const std::string action = text_or(entry, "action", "");
  const bool is_statement =
      SignerRoll::concerns(action, text_or(entry["detail"], "kind", ""));
  // Judged before the entry itself changes anything. Statements about signers
  // are judged by the roll, but none comes from a key that is closed.
  if (const auto no =
          roll_.refusal(by, is_statement ? std::optional<Right>() : right)) {
    problems.push_back({seq, "signer", "a key that may sign this", *no});
  }
  if (const auto no = roll_.apply(seq, entry)) {
    problems.push_back(
        {seq, "signer", "what its author may say of signers", *no});
  } else if (action == "signer.vouch") {
    follow_vouch(seq, entry, problems);
  }
  if (is_statement) take_keys();
  const Signer* signer = roll_.find(by);
  if (signer == nullptr) return;  // said where its key is looked for
  roll_.count_entry(by);
  follow_name(seq, entry, *signer, problems);
  if (roll_.asks_for_vouching() && signer->standing == Standing::unvouched) {
    waiting_[by].push_back({seq, right});
  }
}

/// An entry speaks under the name that its key was brought in with.
void SignerWalk::follow_name(std::int64_t seq, const Json& entry,
                             const Signer& signer,
                             std::vector<CustodyProblem>& problems) {
  const std::string name = text_or(entry["actor"], "name", "");
  if (name == signer.name) return;
  CustodyProblem departure{
      seq, "actor",
      fmt::format("\"{}\", to whom key {} belongs", printable(signer.name),
                  signer.fingerprint),
      fmt::format("\"{}\"", excerpt(name))};
  if (roll_.asks_for_vouching()) {
    problems.push_back(std::move(departure));
  } else if (warnings_.size() < kMaxWarnings &&
             other_names_.emplace(signer.fingerprint, name).second) {
    warnings_.push_back(std::move(departure));
  }
}

/// What somebody vouched for: the entries up to the one that they had read.
void SignerWalk::follow_vouch(std::int64_t seq, const Json& entry,
                              std::vector<CustodyProblem>& problems) {
  const Json& detail = entry["detail"];
  const std::string fingerprint = text_or(detail["signer"], "fingerprint", "");
  const Signer* signer = roll_.find(fingerprint);
  if (signer == nullptr || signer->vouched_at != seq) return;
  const auto through = static_cast<std::size_t>(signer->vouched_through);
  const std::string head = links_.at(through - 1).hex();
  if (text_or(detail, "head", "") != head) {
    problems.push_back(
        {seq, "signer",
         fmt::format("the SHA-256 of entry {}, {}", through, head),
         excerpt(text_or(detail, "head", ""))});
    return;  // whatever was read, it was not this chain
  }
  const auto here = waiting_.find(fingerprint);
  if (here == waiting_.end()) return;
  std::vector<Waiting> left;
  for (const Waiting& one : here->second) {
    if (one.seq > signer->vouched_through) {
      left.push_back(one);
    } else if (one.right == Right::act && !signer->rights.has(Right::act)) {
      problems.push_back(
          {one.seq, "signer", "a key that may sign this",
           fmt::format("entry {} vouches for key {} with {}, and the right {} "
                       "is needed",
                       seq, fingerprint, signer->rights.text(),
                       to_string(Right::act))});
    }
  }
  if (left.empty()) {
    waiting_.erase(here);
  } else {
    here->second = std::move(left);
  }
}

void SignerWalk::take_keys() {
  for (const Signer& signer : roll_.all()) {
    if (!keys_.contains(signer.fingerprint)) {
      const PublicKey key =
          PublicKey::from_pem(signer.public_key, "a key of the roll");
      keys_.emplace(signer.fingerprint, key);
      open_keys_.emplace(signer.fingerprint, key);
    }
    if (!signer.is_open()) open_keys_.erase(signer.fingerprint);
  }
}

void SignerWalk::compare_written_down(CustodyReport& report) const {
  if (!signer_.empty()) {
    report.is_signer_compared = true;
    const Signer* first = roll_.all().empty() ? nullptr : &roll_.all().front();
    if (first == nullptr || first->how != Introduction::opened ||
        first->fingerprint != signer_) {
      const Signer* elsewhere = roll_.find(signer_);
      report.problems.push_back(
          {1, "signer that was written down",
           fmt::format("a case that key {} opened", signer_),
           first == nullptr || first->how != Introduction::opened
               ? "no key that opened it"
               : fmt::format(
                     "opened by key {} of \"{}\"{}", first->fingerprint,
                     printable(first->name),
                     elsewhere == nullptr
                         ? "; no entry brings the other one in"
                         : fmt::format("; the other one came in entry {}",
                                       elsewhere->since))});
    }
  }
  if (!head_.empty()) {
    report.is_head_compared = true;
    report.compared_head_seq = head_seq_;
    if (head_seq_ == 0) {
      report.problems.push_back(
          {0, "head that was written down",
           fmt::format("an entry with SHA-256 {}", head_),
           fmt::format("none among {}: what it covered is not here",
                       links_.size())});
    }
  }
}

void SignerWalk::finish(CustodyReport& report) {
  for (const auto& [fingerprint, waiting] : waiting_) {
    const Signer* signer = roll_.find(fingerprint);
    if (signer == nullptr || waiting.empty()) continue;
    report.problems.push_back(
        {waiting.front().seq, "signer",
         "a key that somebody with the right introduce vouched for",
         fmt::format("\"{}\", key {}, for whom nobody did, in entries {}",
                     printable(signer->name), fingerprint,
                     ranges_of(waiting))});
  }
  for (const auto& group : roll_.same_names()) {
    if (warnings_.size() >= kMaxWarnings) break;
    std::string keys;
    for (const Signer* signer : group) {
      keys += keys.empty() ? "" : ", ";
      keys += fmt::format("{} ({})", signer->fingerprint,
                          introduction_text(roll_, *signer));
    }
    warnings_.push_back(
        {group.back()->since, "signers",
         fmt::format("{} keys carry the name \"{}\" and are {} people",
                     group.size(), printable(group.front()->name),
                     group.size()),
         keys});
  }
  if (!roll_.asks_for_vouching()) {
    for (const Signer& signer : roll_.all()) {
      if (warnings_.size() >= kMaxWarnings) break;
      if (signer.standing != Standing::unvouched) continue;
      warnings_.push_back(
          {signer.since, "signer",
           fmt::format("\"{}\" (key {}) was introduced by itself",
                       printable(signer.name), signer.fingerprint),
           "the first entry asks nobody to vouch for that"});
    }
  }
  report.warnings.insert(report.warnings.begin(), warnings_.begin(),
                         warnings_.end());
  compare_written_down(report);
  report.signers = std::move(roll_);
}

}  // namespace impound
