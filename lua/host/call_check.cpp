// SPDX-License-Identifier: Apache-2.0
#include "lua/host/call_check.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "core/engine/questions.hpp"
#include "core/evidence/finding_words.hpp"
#include "core/evidence/outcome.hpp"

namespace impound::lua {
namespace {

/// Bytes of one read and items of one page: an answer must fit a message
/// (kMaxParentMessage) as base64 or JSON.
constexpr std::int64_t kMaxRead = 1 << 20;
constexpr std::int64_t kMaxPage = 1000;

Parameter required(std::string_view name,
                   ParameterType type = ParameterType::text) {
  return {.name = std::string(name), .type = type, .is_required = true};
}

Parameter optional(std::string_view name,
                   ParameterType type = ParameterType::text) {
  return {.name = std::string(name), .type = type};
}

Parameter count(std::string_view name, std::optional<std::int64_t> most = {}) {
  Parameter parameter = required(name, ParameterType::integer);
  parameter.least = 0;
  parameter.most = most;
  return parameter;
}

Parameter one_of(Parameter parameter, std::span<const std::string_view> words) {
  parameter.type = ParameterType::choice;
  parameter.choices.assign(words.begin(), words.end());
  return parameter;
}

/// What a gap may be; ok is none.
const std::array kGapOutcomes{
    to_string(Outcome::missing), to_string(Outcome::denied),
    to_string(Outcome::failed), to_string(Outcome::empty),
    to_string(Outcome::partial)};

const std::array kActs{to_string(GuardedAct::contain),
                       to_string(GuardedAct::release)};

const std::vector<CallRule>& rules() {
  constexpr auto kTable = ParameterType::table;
  constexpr auto kTexts = ParameterType::texts;
  constexpr auto kFlag = ParameterType::boolean;
  static const std::vector<CallRule> kRules{
      {"collect", {required("collector"), required("arguments", kTable)}},
      {"items",
       {required("exhibit"), optional("pattern"), count("after"),
        count("limit", kMaxPage)},
       Effect::read,
       false},
      {"read",
       {required("exhibit"), count("item"), count("offset"),
        count("length", kMaxRead)},
       Effect::read,
       false},
      {"contain",
       {optional("method"), required("arguments", kTable)},
       Effect::contain},
      {"release", {required("reason")}, Effect::contain},
      {"probe", {}},
      {"served", {}},
      {"diff", {required("a"), required("b")}},
      {"load_baseline", {optional("path")}},
      {"verify", {required("exhibit")}},
      {"verify_signature",
       {required("subject"), optional("key"), optional("signature"),
        optional("certificate_chain", kTexts), optional("sigstore", kFlag),
        optional("identity"), optional("issuer"),
        optional("unsigned_compare", kFlag),
        optional("ignore_unsigned_files", kFlag),
        optional("enforce_time", kFlag)}},
      {"scan", {required("subject")}},
      {"finding",
       {one_of(required("verdict"), kFindingVerdicts),
        one_of(optional("severity"), kFindingSeverities), required("title"),
        required("evidence", ParameterType::references), optional("detail")}},
      {"note", {required("text")}},
      {"gap",
       {required("subject"), required("reason"),
        one_of(optional("outcome"), kGapOutcomes)}},
      {"ask",
       {required("id"), required("question"), optional("choices", kTexts),
        optional("default"), one_of(optional("approves"), kActs)}},
  };
  return kRules;
}

[[noreturn]] void refuse(const CallRule& rule, const std::string& argument,
                         const std::string& expected,
                         const std::string& found) {
  throw Error(Errc::bad_input, std::string(rule.function) + ": " + argument +
                                   ": expected " + expected + ", found " +
                                   found);
}

void check_finding(const CallRule& rule, const Json& finding) {
  const auto verdict = finding_verdict_from(text_or(finding, "verdict", ""));
  if (verdict && !is_cleared(*verdict) && !finding.contains("severity")) {
    const auto severity =
        std::ranges::find(rule.arguments, "severity", &Parameter::name);
    refuse(rule, "severity", severity->expectation(), "nothing");
  }
}

void check_question(const CallRule& rule, Json& question) {
  if (!question.contains("choices")) {
    if (!question.contains("approves")) return;  // free text
    question["choices"] = {"yes", "no"};
  }
  const Json& choices = question["choices"];
  if (choices.empty()) {
    refuse(rule, "choices", "at least one; leave it out for free text", "none");
  }
  if (question.contains("approves") && choices != Json{"yes", "no"}) {
    refuse(rule, "choices", "{ \"yes\", \"no\" } where an act is approved",
           "others");
  }
  if (question.contains("default") &&
      std::find(choices.begin(), choices.end(), question["default"]) ==
          choices.end()) {
    refuse(rule, "default", "one of the choices",
           printable(question["default"].dump()));
  }
}

/// Without a signature file it is the one inside a baseline that is verified,
/// which takes a key at most.
void check_trust(const CallRule& rule, const Json& arguments) {
  const bool has_signature = arguments.contains("signature");
  for (const auto& [name, value] : arguments.items()) {
    if (name == "subject" || name == "key" || has_signature) continue;
    refuse(rule, "signature", "the signature file that " + name + " is about",
           "nothing");
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
           ways == 0 ? "none" : "several of them");
  }
}

/// The one of `all` that is called `name`.
template <typename Instrument>
const Instrument& find_named(std::span<const Instrument* const> all,
                             std::string_view kind, const std::string& name) {
  std::vector<std::string> names;
  for (const Instrument* const one : all) {
    if (one->name == name) return *one;
    names.emplace_back(one->name);
  }
  throw Error(Errc::bad_input, std::string(kind) + ": " +
                                   no_such_word(name, names, "there are"));
}

}  // namespace

std::span<const CallRule> call_rules() { return rules(); }

const CallRule* find_call_rule(std::string_view function) {
  const auto found = std::ranges::find(rules(), function, &CallRule::function);
  return found == rules().end() ? nullptr : &*found;
}

Json check_arguments(const CallRule& rule, const Json& arguments) {
  Json checked = check_parameters(rule.function, rule.arguments, arguments,
                                  Spelling::values, 0)
                     .json();
  if (rule.function == "finding") check_finding(rule, checked);
  if (rule.function == "ask") check_question(rule, checked);
  if (rule.function == "verify_signature") check_trust(rule, checked);
  return checked;
}

void check_instrument(const Instruments& instruments, std::string_view function,
                      const Json& arguments, TimeNs now) {
  const Json& given = arguments.at("arguments");
  if (function == "collect") {
    const auto name = arguments.at("collector").get<std::string>();
    static_cast<void>(
        arguments_for(find_named(instruments.collectors, "collector", name),
                      given, Spelling::values, now));
  } else {
    const auto name = arguments.at("method").get<std::string>();
    static_cast<void>(
        arguments_for(find_named(instruments.containments, "containment", name),
                      given, Spelling::values, now));
  }
}

}  // namespace impound::lua
