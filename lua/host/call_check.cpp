// SPDX-License-Identifier: Apache-2.0
#include "lua/host/call_check.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/evidence/finding_words.hpp"
#include "core/evidence/outcome.hpp"

namespace impound::lua {
namespace {

/// Bytes of one read and items of one page: an answer must fit a message
/// (kMaxParentMessage) as base64 or JSON.
constexpr std::int64_t kMaxRead = 1 << 20;
constexpr std::int64_t kMaxPage = 1000;

constexpr std::array kCollect{CallArgument{"collector", "text"},
                              CallArgument{"arguments", "object"}};
constexpr std::array kItems{
    CallArgument{"exhibit", "text"}, CallArgument{"pattern", "text?"},
    CallArgument{"after", "integer"}, CallArgument{"limit", "count"}};
constexpr std::array kRead{
    CallArgument{"exhibit", "text"}, CallArgument{"item", "integer"},
    CallArgument{"offset", "integer"}, CallArgument{"length", "size"}};
constexpr std::array kContain{CallArgument{"method", "text?"},
                              CallArgument{"arguments", "object"}};
constexpr std::array kRelease{CallArgument{"reason", "text"}};
constexpr std::array kDiff{CallArgument{"a", "text"},
                           CallArgument{"b", "text"}};
constexpr std::array kLoadBaseline{CallArgument{"path", "text?"}};
constexpr std::array kVerify{CallArgument{"exhibit", "text"}};
constexpr std::array kVerifySignature{
    CallArgument{"subject", "text"},
    CallArgument{"key", "text?"},
    CallArgument{"signature", "text?"},
    CallArgument{"certificate_chain", "texts?"},
    CallArgument{"sigstore", "flag?"},
    CallArgument{"identity", "text?"},
    CallArgument{"issuer", "text?"},
    CallArgument{"unsigned_compare", "flag?"},
    CallArgument{"ignore_unsigned_files", "flag?"},
    CallArgument{"enforce_time", "flag?"}};
constexpr std::array kScan{CallArgument{"subject", "text"}};
constexpr std::array kFinding{
    CallArgument{"verdict", "verdict"}, CallArgument{"severity", "severity?"},
    CallArgument{"title", "text"}, CallArgument{"evidence", "references"},
    CallArgument{"detail", "text?"}};
constexpr std::array kNote{CallArgument{"text", "text"}};
constexpr std::array kGap{CallArgument{"subject", "text"},
                          CallArgument{"reason", "text"},
                          CallArgument{"outcome", "outcome?"}};
constexpr std::array kAsk{
    CallArgument{"id", "text"}, CallArgument{"question", "text"},
    CallArgument{"choices", "texts?"}, CallArgument{"default", "text?"},
    CallArgument{"approves", "act?"}};

constexpr std::array<CallRule, 16> kRules{{
    {"collect", kCollect, Effect::read, true},
    {"items", kItems, Effect::read, false},
    {"read", kRead, Effect::read, false},
    {"contain", kContain, Effect::contain, true},
    {"release", kRelease, Effect::contain, true},
    {"probe", {}, Effect::read, true},
    {"served", {}, Effect::read, true},
    {"diff", kDiff, Effect::read, true},
    {"load_baseline", kLoadBaseline, Effect::read, true},
    {"verify", kVerify, Effect::read, true},
    {"verify_signature", kVerifySignature, Effect::read, true},
    {"scan", kScan, Effect::read, true},
    {"finding", kFinding, Effect::read, true},
    {"note", kNote, Effect::read, true},
    {"gap", kGap, Effect::read, true},
    {"ask", kAsk, Effect::read, true},
}};

constexpr std::array<std::string_view, 2> kActs{"contain", "release"};

std::string shown(const Json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_array()) return "a list";
  if (value.is_object()) return value.empty() ? "an empty table" : "a table";
  const std::string text = printable(
      value.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace));
  return text.size() > 80 ? text.substr(0, 80) + "…" : text;
}

[[noreturn]] void refuse(const CallRule& rule, const std::string& argument,
                         const std::string& expected, const Json& found) {
  throw Error(Errc::bad_input, std::string(rule.function) + ": " + argument +
                                   ": expected " + expected + ", found " +
                                   shown(found));
}

template <std::size_t N>
void require_one_of(const CallRule& rule, const std::string& name,
                    const Json& value,
                    const std::array<std::string_view, N>& allowed) {
  std::string list;
  for (const std::string_view word : allowed) {
    if (value == word) return;
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  refuse(rule, name, "one of " + list, value);
}

/// E001 or E001/17.
bool is_reference(const Json& value) {
  if (!value.is_string()) return false;
  const std::string text = value.get<std::string>();
  if (!text.starts_with('E') || text.size() < 2 || text.size() > 40) {
    return false;
  }
  const std::string rest = text.substr(1);
  const std::size_t slash = rest.find('/');
  const auto is_number = [](std::string_view part) {
    return !part.empty() &&
           part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return is_number(rest.substr(0, slash)) &&
         (slash == std::string::npos || is_number(rest.substr(slash + 1)));
}

Json texts(const CallRule& rule, const std::string& name, const Json& value) {
  if (value.is_object() && value.empty()) return Json::array();
  if (!value.is_array() ||
      !std::all_of(value.begin(), value.end(),
                   [](const Json& entry) { return entry.is_string(); })) {
    refuse(rule, name, "a list of texts", value);
  }
  return value;
}

Json check_one(const CallRule& rule, const std::string& name,
               std::string_view type, const Json& value) {
  if (type == "text") {
    if (!value.is_string() || value.get<std::string>().empty()) {
      refuse(rule, name, "text", value);
    }
  } else if (type == "flag") {
    if (!value.is_boolean()) refuse(rule, name, "true or false", value);
  } else if (type == "integer" || type == "size" || type == "count") {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0) {
      refuse(rule, name, "a whole number from 0", value);
    }
    const std::int64_t most = type == "size"    ? kMaxRead
                              : type == "count" ? kMaxPage
                                                : INT64_MAX;
    if (value.get<std::int64_t>() > most) {
      refuse(rule, name, "at most " + std::to_string(most), value);
    }
  } else if (type == "object") {
    if (!value.is_object()) refuse(rule, name, "a table by name", value);
  } else if (type == "texts") {
    return texts(rule, name, value);
  } else if (type == "references") {
    Json list = texts(rule, name, value);
    if (list.empty()) {
      refuse(rule, name, "at least one item or exhibit it rests on", value);
    }
    for (const Json& entry : list) {
      if (!is_reference(entry)) {
        refuse(rule, name, "items or exhibits (E001, E001/17)", entry);
      }
    }
    return list;
  } else if (type == "verdict") {
    require_one_of(rule, name, value, kFindingVerdicts);
  } else if (type == "severity") {
    require_one_of(rule, name, value, kFindingSeverities);
  } else if (type == "act") {
    require_one_of(rule, name, value, kActs);
  } else if (type == "outcome") {
    const auto outcome = value.is_string()
                             ? outcome_from(value.get<std::string>())
                             : std::nullopt;
    if (!outcome || !is_item_outcome(*outcome)) {
      refuse(rule, name, "missing, denied, failed, empty or partial", value);
    }
  }
  return value;
}

void check_finding(const CallRule& rule, const Json& finding) {
  const auto verdict = finding_verdict_from(text_or(finding, "verdict", ""));
  if (verdict && !is_cleared(*verdict) && !finding.contains("severity")) {
    refuse(rule, "severity", "one of info, low, medium, high, critical",
           Json());
  }
}

void check_question(const CallRule& rule, Json& question) {
  if (!question.contains("choices")) {
    if (!question.contains("approves")) return;  // free text
    question["choices"] = {"yes", "no"};
  }
  const Json& choices = question["choices"];
  if (choices.empty()) {
    refuse(rule, "choices", "at least one; leave it out for free text",
           choices);
  }
  if (question.contains("approves") && choices != Json{"yes", "no"}) {
    refuse(rule, "choices", "{ \"yes\", \"no\" } where an act is approved",
           choices);
  }
  if (question.contains("default") &&
      std::find(choices.begin(), choices.end(), question["default"]) ==
          choices.end()) {
    refuse(rule, "default", "one of the choices", question["default"]);
  }
}

/// Without a signature file it is the one inside a baseline that is verified,
/// which takes a key at most.
void check_trust(const CallRule& rule, const Json& arguments) {
  const bool has_signature = arguments.contains("signature");
  for (const auto& [name, value] : arguments.items()) {
    if (name == "subject" || name == "key" || has_signature) continue;
    refuse(rule, "signature", "the signature file that " + name + " is about",
           Json());
  }
  if (!has_signature) return;
  const auto is_set = [&](const char* name) {
    return arguments.contains(name) && arguments[name] != Json(false);
  };
  const int ways =
      static_cast<int>(is_set("key")) +
      static_cast<int>(is_set("certificate_chain") || is_set("sigstore")) +
      static_cast<int>(is_set("unsigned_compare"));
  if (ways != 1) {
    refuse(rule, "key",
           "one of key, certificate_chain, sigstore and unsigned_compare",
           ways == 0 ? Json() : Json("several of them"));
  }
}

}  // namespace

std::span<const CallRule> call_rules() { return kRules; }

const CallRule* find_call_rule(std::string_view function) {
  const auto found = std::find_if(
      kRules.begin(), kRules.end(),
      [&](const CallRule& rule) { return rule.function == function; });
  return found == kRules.end() ? nullptr : &*found;
}

Json check_arguments(const CallRule& rule, const Json& arguments) {
  for (const auto& [name, value] : arguments.items()) {
    const bool is_known =
        std::any_of(rule.arguments.begin(), rule.arguments.end(),
                    [&key = name](const CallArgument& argument) {
                      return argument.name == key;
                    });
    if (!is_known) {
      std::string names;
      for (const CallArgument& argument : rule.arguments) {
        names += (names.empty() ? "" : ", ") + std::string(argument.name);
      }
      throw Error(Errc::bad_input,
                  std::string(rule.function) + ": there is no \"" +
                      printable(name.substr(0, 80)) + "\"; it takes " +
                      (names.empty() ? "nothing" : names));
    }
  }
  Json checked = Json::object();
  for (const CallArgument& argument : rule.arguments) {
    const std::string name(argument.name);
    std::string_view type = argument.type;
    const bool is_optional = type.ends_with('?');
    if (is_optional) type.remove_suffix(1);
    const auto found = arguments.find(name);
    const bool is_absent = found == arguments.end() || found->is_null();
    if (is_absent && is_optional) continue;
    checked[name] = check_one(rule, name, type, is_absent ? Json() : *found);
  }
  if (rule.function == "finding") check_finding(rule, checked);
  if (rule.function == "ask") check_question(rule, checked);
  if (rule.function == "verify_signature") check_trust(rule, checked);
  return checked;
}

}  // namespace impound::lua
