// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/actions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr bool kClosedToo = true;
constexpr bool kOpenOnly = false;
constexpr bool kSigns = true;
constexpr bool kQuiet = false;
constexpr std::optional<Right> kEverybody = std::nullopt;

constexpr std::string_view kTransfer =
    "released_by received_by method tracking place condition sha256_before "
    "sha256_after signature|refused_reason";
constexpr std::string_view kDisposition = "method witness";

constexpr std::array kRules{
    ActionRule{"case.open",
               "title lead org hold_reference nonce signer self_test", "",
               kOpenOnly, kQuiet, kEverybody},
    ActionRule{"playbook.start",
               "playbook version playbook_sha256 parameters permissions "
               "plan_sha256",
               "run", kOpenOnly, kQuiet},
    ActionRule{"playbook.step", "phase", "run step", kOpenOnly, kQuiet},
    ActionRule{"playbook.end", "state", "run", kOpenOnly, kQuiet},
    ActionRule{"approval.request", "plan_sha256 class reason expires_at", "",
               kOpenOnly, kSigns},
    ActionRule{"approval.grant",
               "plan_sha256 class approver signature expires_at reason", "",
               kOpenOnly, kSigns, Right::approve},
    ActionRule{"approval.deny", "plan_sha256 class approver reason", "",
               kOpenOnly, kSigns, Right::approve},
    ActionRule{"approval.expire", "plan_sha256 class", "", kOpenOnly, kSigns},
    ActionRule{"isolate.apply", "phase deployment method target before|after",
               "purpose", kOpenOnly, kSigns},
    ActionRule{"isolate.verify", "intent expect method probes", "purpose",
               kOpenOnly, kSigns},
    // A service that is still frozen when its case is closed must be given
    // back.
    ActionRule{"isolate.undo", "intent kind method phase|after", "purpose",
               kClosedToo, kSigns, Right::release},
    ActionRule{"acquire.begin", "title collectors", "item", kOpenOnly, kQuiet},
    ActionRule{"acquire.file", "collector", "item object", kOpenOnly, kQuiet},
    ActionRule{"acquire.end", "items gaps counts", "item", kOpenOnly, kQuiet},
    ActionRule{"bundle.seal",
               "manifest_sha256 tagmanifest_sha256 frames counts payload_bytes "
               "compression recipients",
               "item object", kOpenOnly, kSigns},
    ActionRule{"verify", "what expected found result", "", kClosedToo, kQuiet,
               kEverybody},
    ActionRule{"access", "copy read_only_proof", "purpose", kClosedToo, kQuiet,
               kEverybody},
    ActionRule{"copy.make", "kind parent sha256_before sha256_after", "",
               kClosedToo, kQuiet},
    ActionRule{"transfer.release", kTransfer, "purpose", kClosedToo, kSigns},
    ActionRule{"transfer.receive", kTransfer, "purpose", kClosedToo, kSigns},
    ActionRule{"store.move", "from to control", "", kClosedToo, kQuiet},
    ActionRule{"baseline.diff",
               "baseline baseline_sha256 provenance result_sha256", "",
               kOpenOnly, kQuiet},
    ActionRule{"note", "", "", kClosedToo, kQuiet, kEverybody},
    ActionRule{"correct", "corrects field old new reason", "", kClosedToo,
               kQuiet, kEverybody},
    ActionRule{"head.sign", "size head root signer note_sha256", "", kClosedToo,
               kQuiet, kEverybody},
    ActionRule{"head.timestamp",
               "tsa policy gen_time accuracy token_sha256 qualified", "",
               kClosedToo, kQuiet, kEverybody},
    ActionRule{"head.witness", "witness key_id time", "", kClosedToo, kQuiet,
               kEverybody},
    ActionRule{"export.disclose",
               "recipient items redactions disclosure_sha256", "purpose",
               kClosedToo, kQuiet, kEverybody},
    ActionRule{"hold.place", kDisposition, "authority", kClosedToo, kQuiet},
    ActionRule{"hold.lift", kDisposition, "authority", kClosedToo, kQuiet},
    ActionRule{"dispose.request", kDisposition, "authority", kClosedToo,
               kQuiet},
    ActionRule{"dispose.approve", kDisposition, "authority", kClosedToo,
               kQuiet},
    ActionRule{"dispose.done", kDisposition, "authority", kClosedToo, kQuiet},
    ActionRule{"signer.add", "signer", "", kClosedToo, kSigns, Right::introduce,
               3},
    ActionRule{"signer.vouch", "signer through head", "", kClosedToo, kSigns,
               Right::introduce, 3},
    // The key that is closed signs nothing behind it.
    ActionRule{"signer.rotate", "signer", "", kClosedToo, kQuiet, kEverybody,
               3},
    // One's own key is everybody's to revoke; SignerRoll judges it.
    ActionRule{"signer.revoke", "fingerprint name reason", "", kClosedToo,
               kQuiet, kEverybody, 3},
    ActionRule{"case.close", "open_items", "", kOpenOnly, kSigns},
};

/// What a note must hold follows from its kind.
std::string_view note_detail(const Json& detail) {
  const std::string kind = text_or(detail, "kind", "");
  if (kind == "finding") return "id verdict severity title detail items";
  if (kind == "signer.introduce") return "text signer";
  if (kind == "schema.upgrade") return "text from to";
  if (kind == "call") return "text call call_sha256 row_sha256 answered";
  if (kind == "attempt") return "text call function code error";
  if (kind == "retry") return "text call";
  return "text";
}

/// What was not obtained is no item of any exhibit, and may be missed before
/// there is one.
bool is_gap(const Json& entry) {
  const auto detail = entry.find("detail");
  if (detail == entry.end() || !detail->is_object()) return false;
  const auto gap = detail->find("gap");
  return gap != detail->end() && gap->is_boolean() && gap->get<bool>();
}

bool has_any(const Json& detail, std::string_view choices) {
  return std::ranges::any_of(split(choices, '|'), [&](const auto& key) {
    return detail.contains(key);
  });
}

bool is_filled(const Json& entry, std::string_view key) {
  const auto value = entry.find(key);
  if (value == entry.end() || value->is_null()) return false;
  return !(value->is_string() && value->get_ref<const std::string&>().empty());
}

std::string_view word(std::string_view& words) {
  const std::size_t blank = words.find(' ');
  const std::string_view first = words.substr(0, blank);
  words = blank == words.npos ? std::string_view() : words.substr(blank + 1);
  return first;
}

}  // namespace

std::span<const ActionRule> action_rules() { return kRules; }

const ActionRule* find_action(std::string_view name) {
  const auto rule = std::ranges::find(kRules, name, &ActionRule::name);
  return rule == kRules.end() ? nullptr : &*rule;
}

std::optional<std::string> missing_field(const Json& entry) {
  const std::string action = text_or(entry, "action", "");
  const ActionRule* rule = find_action(action);
  if (rule == nullptr) {
    return fmt::format("no action is called \"{}\"", printable(action));
  }
  for (std::string_view fields = rule->fields; !fields.empty();) {
    const std::string_view field = word(fields);
    const bool may_lack =
        field == "item" && action == "acquire.file" && is_gap(entry);
    if (!may_lack && !is_filled(entry, field)) {
      return fmt::format("{} needs \"{}\"", action, field);
    }
  }
  const auto detail = entry.find("detail");
  if (detail == entry.end() || !detail->is_object()) {
    return fmt::format("{} needs an object \"detail\"", action);
  }
  // SCHEMA.md: a privileged detail is replaced by a commitment to it.
  if (detail->contains("detail_commit")) return std::nullopt;
  std::string_view keys =
      action == "note" ? note_detail(*detail) : rule->detail;
  while (!keys.empty()) {
    const std::string_view choices = word(keys);
    if (!has_any(*detail, choices)) {
      return fmt::format("{} needs detail \"{}\"", action, choices);
    }
  }
  return std::nullopt;
}

bool allowed_when_closed(const Json& entry) {
  const ActionRule* rule = find_action(text_or(entry, "action", ""));
  if (rule == nullptr || !rule->allowed_when_closed) return false;
  // A finding is a note in form and an act of the investigation in substance.
  const auto detail = entry.find("detail");
  return detail == entry.end() || text_or(*detail, "kind", "") != "finding";
}

}  // namespace impound
