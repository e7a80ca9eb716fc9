// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/signers.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/entry_line.hpp"

namespace impound {
namespace {

constexpr std::array kIntroductions{
    std::pair{Introduction::opened, std::string_view("opened the case")},
    std::pair{Introduction::added, std::string_view("added")},
    std::pair{Introduction::rotated, std::string_view("rotated")},
    std::pair{Introduction::itself, std::string_view("introduced by itself")},
};
constexpr std::array kStandings{
    std::pair{Standing::vouched, std::string_view("vouched for")},
    std::pair{Standing::unvouched, std::string_view("not vouched for")},
    std::pair{Standing::rotated, std::string_view("rotated")},
    std::pair{Standing::revoked, std::string_view("revoked")},
};
/// The first version of a line in which a case says who may sign it.
constexpr int kFirstVouchedLine = 3;

template <typename Table, typename Value>
std::string_view word_of(const Table& table, Value value) noexcept {
  for (const auto& [known, word] : table) {
    if (known == value) return word;
  }
  return "?";
}

std::string action_of(const Json& entry) {
  return text_or(entry, "action", "");
}

const Json& detail_of(const Json& entry) {
  static const Json kNone = Json::object();
  const auto detail = entry.find("detail");
  return detail == entry.end() || !detail->is_object() ? kNone : *detail;
}

/// The name without what people do not see: case, surplus blanks.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const std::string& word : split(to_lower_ascii(name), ' ')) {
    if (word.empty()) continue;
    plain += plain.empty() ? "" : " ";
    plain += word;
  }
  return plain;
}

std::string quoted(const Signer& signer) {
  return fmt::format("\"{}\" (key {})", printable(signer.name),
                     signer.fingerprint);
}

std::optional<SignerCard> card_in(const Json& entry, std::string& wrong) {
  const Json& detail = detail_of(entry);
  const auto signer = detail.find("signer");
  if (signer == detail.end()) {
    wrong = "no signer in detail";
    return std::nullopt;
  }
  try {
    return SignerCard::from_json(*signer, "signer");
  } catch (const Error& error) {
    wrong = error.what();
    return std::nullopt;
  }
}

/// Rights as this program writes them: any other spelling is no statement.
std::optional<Rights> rights_in(const Json& entry) {
  const Json& detail = detail_of(entry);
  const auto signer = detail.find("signer");
  if (signer == detail.end()) return std::nullopt;
  const std::string text = text_or(*signer, "rights", "");
  const auto rights = Rights::from(text);
  return rights && rights->text() == text ? rights : std::nullopt;
}

Json signer_with_rights(const SignerCard& card, Rights rights) {
  Json json = card.to_json();
  json["rights"] = rights.text();
  return json;
}

}  // namespace

std::string_view to_string(Introduction how) noexcept {
  return word_of(kIntroductions, how);
}

std::string_view to_string(Standing standing) noexcept {
  return word_of(kStandings, standing);
}

Json SignerCard::to_json() const {
  return {{"name", name},
          {"org", org},
          {"role", role},
          {"fingerprint", key.fingerprint().hex()},
          {"public_key", key.pem()}};
}

SignerCard SignerCard::from_json(const Json& json, std::string_view source) {
  SignerCard card;
  card.name = require_text(json, "name", source);
  card.org = text_or(json, "org", "");
  card.role = text_or(json, "role", "");
  card.key =
      PublicKey::from_pem(require_text(json, "public_key", source), source);
  const std::string stated = require_text(json, "fingerprint", source);
  const std::string found = card.key.fingerprint().hex();
  if (stated != found) {
    throw Error(Errc::malformed,
                fmt::format("{}: its fingerprint is {}, its public_key has {}",
                            source, printable(stated), found));
  }
  return card;
}

SignerCard SignerCard::of(const Examiner& examiner) {
  SignerCard card;
  card.name = examiner.actor.name;
  card.org = examiner.actor.org;
  card.role = examiner.actor.role;
  card.key = examiner.key.public_key();
  return card;
}

bool SignerRoll::concerns(std::string_view action,
                          std::string_view kind) noexcept {
  return action == "case.open" || action.starts_with("signer.") ||
         (action == "note" && kind == "signer.introduce");
}

const Signer* SignerRoll::find(std::string_view fingerprint) const {
  const auto at = by_key_.find(fingerprint);
  return at == by_key_.end() ? nullptr : &signers_[at->second];
}

Signer* SignerRoll::find_mutable(std::string_view fingerprint) {
  const auto at = by_key_.find(fingerprint);
  return at == by_key_.end() ? nullptr : &signers_[at->second];
}

void SignerRoll::count_entry(std::string_view fingerprint) {
  if (Signer* signer = find_mutable(fingerprint)) ++signer->entries;
}

std::optional<std::string> SignerRoll::apply(std::int64_t seq,
                                             const Json& entry) {
  const std::string action = action_of(entry);
  const std::string kind = text_or(detail_of(entry), "kind", "");
  if (!concerns(action, kind)) return std::nullopt;
  if (action == "case.open") return open(seq, entry);
  if (action == "note") return introduce_itself(seq, entry);
  if (action == "signer.add") return add(seq, entry);
  if (action == "signer.vouch") return vouch(seq, entry);
  if (action == "signer.rotate") return rotate(seq, entry);
  if (action == "signer.revoke") return revoke(seq, entry);
  return std::nullopt;  // missing_field() has said that there is no such action
}

Signer& SignerRoll::enter(std::int64_t seq, const SignerCard& card,
                          Introduction how, std::string_view by) {
  Signer signer;
  signer.fingerprint = card.key.fingerprint().hex();
  signer.name = card.name;
  signer.org = card.org;
  signer.role = card.role;
  signer.public_key = card.key.pem();
  signer.how = how;
  signer.by = by;
  signer.since = seq;
  signer.person = signer.fingerprint;
  // A case of before asked for no word of anybody's.
  if (!asks_) signer.rights = Rights::all();
  by_key_.emplace(signer.fingerprint, signers_.size());
  return signers_.emplace_back(std::move(signer));
}

std::optional<std::string> SignerRoll::open(std::int64_t seq,
                                            const Json& entry) {
  if (seq != 1) return std::nullopt;  // said where the action is followed
  const Json& detail = detail_of(entry);
  const std::string policy = text_or(detail, "signers", "");
  const auto version = entry.find("v");
  const bool is_new = version != entry.end() && version->is_number_integer() &&
                      *version >= kFirstVouchedLine;
  asks_ = policy == kVouched || is_new;
  std::string wrong;
  const auto card = card_in(entry, wrong);
  if (!card) return wrong;
  Signer& signer = enter(seq, *card, Introduction::opened, "");
  signer.standing = Standing::vouched;
  signer.rights = Rights::all();
  if (signer.fingerprint != signer_of(entry)) {
    return "the first entry is signed by another key than it introduces";
  }
  if (asks_ && policy != kVouched) {
    return fmt::format("signers is \"{}\", expected \"{}\"", printable(policy),
                       kVouched);
  }
  if (asks_ && rights_in(entry) != Rights::all()) {
    return fmt::format("the key that opens a case holds all rights ({})",
                       Rights::all().text());
  }
  return std::nullopt;
}

std::optional<std::string> SignerRoll::introduce_itself(std::int64_t seq,
                                                        const Json& entry) {
  std::string wrong;
  const auto card = card_in(entry, wrong);
  if (!card) return wrong;
  const std::string fingerprint = card->key.fingerprint().hex();
  if (find(fingerprint) != nullptr) return std::nullopt;  // says nothing new
  enter(seq, *card, Introduction::itself, signer_of(entry));
  if (asks_ && fingerprint != signer_of(entry)) {
    return "a key introduces itself in an entry that it signs; another one's "
           "needs signer.add";
  }
  return std::nullopt;
}

std::optional<std::string> SignerRoll::add(std::int64_t seq,
                                           const Json& entry) {
  std::string wrong;
  const auto card = card_in(entry, wrong);
  if (!card) return wrong;
  const std::string by = signer_of(entry);
  const std::string fingerprint = card->key.fingerprint().hex();
  if (const Signer* known = find(fingerprint)) {
    return fmt::format("key {} is in the case since entry {}", fingerprint,
                       known->since);
  }
  const auto no = refusal(by, Right::introduce);
  Signer& signer = enter(seq, *card, Introduction::added, by);
  if (no) {
    signer.how = Introduction::itself;  // whoever brought it could not say so
    return *no;
  }
  const auto rights = rights_in(entry);
  if (!rights) return "its rights are none that SCHEMA.md names";
  signer.standing = Standing::vouched;
  signer.rights = *rights;
  return std::nullopt;
}

std::optional<std::string> SignerRoll::vouch(std::int64_t seq,
                                             const Json& entry) {
  std::string wrong;
  const auto card = card_in(entry, wrong);
  if (!card) return wrong;
  const std::string by = signer_of(entry);
  const std::string fingerprint = card->key.fingerprint().hex();
  if (const auto no = refusal(by, Right::introduce)) return *no;
  if (by == fingerprint) return "nobody vouches for their own key";
  Signer* signer = find_mutable(fingerprint);
  if (signer == nullptr) {
    return fmt::format("key {} is not in the case", fingerprint);
  }
  if (!signer->is_open()) {
    return fmt::format("key {} was {} in entry {}", fingerprint,
                       to_string(signer->standing), signer->closed_at);
  }
  const auto rights = rights_in(entry);
  if (!rights) return "its rights are none that SCHEMA.md names";
  if (signer->name != card->name) {
    return fmt::format("key {} introduced itself as \"{}\", not as \"{}\"",
                       fingerprint, printable(signer->name),
                       printable(card->name));
  }
  const Json& detail = detail_of(entry);
  const auto through = detail.find("through");
  if (through == detail.end() || !through->is_number_integer() ||
      *through < 1 || *through >= seq) {
    return "through is no entry before this one";
  }
  signer->standing = Standing::vouched;
  signer->rights = *rights;
  signer->vouched_by = by;
  signer->vouched_at = seq;
  signer->vouched_through = through->get<std::int64_t>();
  return std::nullopt;
}

std::optional<std::string> SignerRoll::rotate(std::int64_t seq,
                                              const Json& entry) {
  std::string wrong;
  const auto card = card_in(entry, wrong);
  if (!card) return wrong;
  const std::string by = signer_of(entry);
  const std::string fingerprint = card->key.fingerprint().hex();
  Signer* old = find_mutable(by);
  if (old == nullptr || !old->is_open()) return std::nullopt;  // said of `by`
  if (const Signer* known = find(fingerprint)) {
    return fmt::format("key {} is in the case since entry {}", fingerprint,
                       known->since);
  }
  const Signer before = *old;  // enter() may move it
  Signer& signer = enter(seq, *card, Introduction::rotated, by);
  if (asks_ && before.standing != Standing::vouched) {
    signer.how = Introduction::itself;
    return fmt::format("key {} is not vouched for and hands nothing on", by);
  }
  if (before.name != card->name) {
    return fmt::format(
        "rotated from \"{}\" to \"{}\": a key of somebody else "
        "needs signer.add",
        printable(before.name), printable(card->name));
  }
  if (rights_in(entry) != before.rights) {
    return fmt::format("a rotation carries the rights over: {}",
                       before.rights.text());
  }
  signer.standing = before.standing;
  signer.rights = before.rights;
  signer.person = before.person;
  old = find_mutable(by);
  old->standing = Standing::rotated;
  old->closed_at = seq;
  old->closed_by = by;
  return std::nullopt;
}

std::optional<std::string> SignerRoll::revoke(std::int64_t seq,
                                              const Json& entry) {
  const std::string by = signer_of(entry);
  const std::string fingerprint = text_or(detail_of(entry), "fingerprint", "");
  if (by != fingerprint) {  // one's own, always
    if (const auto no = refusal(by, Right::introduce)) return *no;
  }
  Signer* signer = find_mutable(fingerprint);
  if (signer == nullptr) {
    return fmt::format("key {} is not in the case", printable(fingerprint));
  }
  if (!signer->is_open()) {
    return fmt::format("key {} was {} in entry {}", fingerprint,
                       to_string(signer->standing), signer->closed_at);
  }
  signer->standing = Standing::revoked;
  signer->closed_at = seq;
  signer->closed_by = by;
  return std::nullopt;
}

std::optional<std::string> SignerRoll::refusal(
    std::string_view fingerprint, std::optional<Right> right) const {
  const Signer* signer = find(fingerprint);
  if (signer != nullptr && !signer->is_open()) {
    return fmt::format("key {} of \"{}\" was {} in entry {}", fingerprint,
                       printable(signer->name), to_string(signer->standing),
                       signer->closed_at);
  }
  if (!right || !asks_) return std::nullopt;
  const bool is_vouched =
      signer != nullptr && signer->standing == Standing::vouched;
  if (!is_vouched) {
    // Preservation first: what an unknown examiner does is recorded, and
    // waits for somebody who vouches for them.
    if (*right == Right::act) return std::nullopt;
    return fmt::format(
        "key {}{} is not vouched for, and the right {} is "
        "needed",
        fingerprint,
        signer == nullptr ? std::string()
                          : fmt::format(" of \"{}\"", printable(signer->name)),
        to_string(*right));
  }
  if (signer->rights.has(*right)) return std::nullopt;
  return fmt::format("key {} of \"{}\" holds {}, and the right {} is needed",
                     fingerprint, printable(signer->name),
                     signer->rights.text(), to_string(*right));
}

std::string SignerRoll::person_of(std::string_view fingerprint) const {
  const Signer* signer = find(fingerprint);
  return signer == nullptr ? std::string(fingerprint) : signer->person;
}

std::vector<std::vector<const Signer*>> SignerRoll::same_names() const {
  std::map<std::string, std::vector<const Signer*>> groups;
  std::vector<std::string> order;
  for (const Signer& signer : signers_) {
    if (signer.standing == Standing::rotated) continue;  // see its successor
    auto& group = groups[plain_name(signer.name)];
    if (group.empty()) order.push_back(plain_name(signer.name));
    group.push_back(&signer);
  }
  std::vector<std::vector<const Signer*>> same;
  for (const std::string& name : order) {
    if (groups[name].size() > 1) same.push_back(groups[name]);
  }
  return same;
}

std::optional<Right> right_needed(const Json& entry) {
  const std::string action = action_of(entry);
  const ActionRule* rule = find_action(action);
  if (rule == nullptr) return Right::act;
  const std::string kind = text_or(detail_of(entry), "kind", "");
  if (action == "note" && kind == "finding") return Right::act;
  // The undo of what did not come about is part of the act itself.
  if (action == "isolate.undo" && kind != "release") return Right::act;
  return rule->right;
}

std::string introduction_text(const SignerRoll& roll, const Signer& signer) {
  const auto whose = [&](const std::string& fingerprint) {
    const Signer* one = roll.find(fingerprint);
    return one == nullptr ? "key " + printable(fingerprint) : quoted(*one);
  };
  std::string text;
  switch (signer.how) {
    case Introduction::opened:
      text = "opened the case";
      break;
    case Introduction::added:
      text = fmt::format("added by {} in entry {}", whose(signer.by),
                         signer.since);
      break;
    case Introduction::rotated:
      text = fmt::format("takes the place of {} since entry {}",
                         whose(signer.by), signer.since);
      break;
    case Introduction::itself:
      text = fmt::format("introduced by itself in entry {}", signer.since);
      break;
  }
  if (signer.vouched_at != 0) {
    text += fmt::format(
        "; vouched for by {} in entry {}, with its entries up to {}",
        whose(signer.vouched_by), signer.vouched_at, signer.vouched_through);
  }
  switch (signer.standing) {
    case Standing::vouched:
      break;
    case Standing::unvouched:
      text += "; nobody vouched for it";
      break;
    case Standing::rotated:
      text += fmt::format("; rotated in entry {}", signer.closed_at);
      break;
    case Standing::revoked:
      text += fmt::format("; revoked in entry {} by {}", signer.closed_at,
                          whose(signer.closed_by));
      break;
  }
  return text;
}

Json signer_to_json(const SignerRoll& roll, const Signer& signer) {
  const auto number_or_null = [](std::int64_t number) {
    return number == 0 ? Json() : Json(number);
  };
  const auto text_or_nothing = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  return {{"fingerprint", signer.fingerprint},
          {"name", signer.name},
          {"org", signer.org},
          {"role", signer.role},
          {"rights", signer.rights.text()},
          {"introduction", to_string(signer.how)},
          {"by", text_or_nothing(signer.by)},
          {"since", signer.since},
          {"vouched_by", text_or_nothing(signer.vouched_by)},
          {"vouched_at", number_or_null(signer.vouched_at)},
          {"vouched_through", number_or_null(signer.vouched_through)},
          {"standing", to_string(signer.standing)},
          {"closed_at", number_or_null(signer.closed_at)},
          {"person", signer.person},
          {"text", introduction_text(roll, signer)}};
}

EntryDraft add_signer_draft(const SignerCard& card, Rights rights) {
  EntryDraft draft;
  draft.action = "signer.add";
  draft.purpose = "say whose a key is";
  draft.detail = {{"signer", signer_with_rights(card, rights)}};
  return draft;
}

EntryDraft vouch_draft(const SignerCard& card, Rights rights,
                       std::int64_t through, const std::string& head) {
  EntryDraft draft;
  draft.action = "signer.vouch";
  draft.purpose = "say whose a key is that introduced itself";
  draft.detail = {{"signer", signer_with_rights(card, rights)},
                  {"through", through},
                  {"head", head}};
  return draft;
}

EntryDraft rotate_draft(const Signer& old, const PublicKey& successor) {
  const SignerCard card{old.name, old.org, old.role, successor};
  EntryDraft draft;
  draft.action = "signer.rotate";
  draft.purpose = "sign with another key from here on";
  draft.detail = {{"signer", signer_with_rights(card, old.rights)}};
  return draft;
}

EntryDraft revoke_draft(const Signer& signer, const std::string& reason) {
  EntryDraft draft;
  draft.action = "signer.revoke";
  draft.purpose = "end what a key may sign";
  draft.detail = {{"fingerprint", signer.fingerprint},
                  {"name", signer.name},
                  {"reason", lossless_utf8(reason)}};
  return draft;
}

}  // namespace impound
