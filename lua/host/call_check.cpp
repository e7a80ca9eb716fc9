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

Parameter required(std::string_view name, Touches touches,
                   ParameterType type = ParameterType::text) {
  return {.name = std::string(name),
          .type = type,
          .is_required = true,
          .touches = touches};
}

Parameter optional(std::string_view name, Touches touches,
                   ParameterType type = ParameterType::text) {
  return {.name = std::string(name), .type = type, .touches = touches};
}

/// Words that name nothing outside.
Parameter words(std::string_view name) {
  return required(name, Touches::nothing);
}
Parameter optional_words(std::string_view name) {
  return optional(name, Touches::nothing);
}

Parameter count(std::string_view name, std::optional<std::int64_t> most = {}) {
  Parameter parameter =
      required(name, Touches::nothing, ParameterType::integer);
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
  using enum Touches;
  constexpr auto kTable = ParameterType::table;
  constexpr auto kTexts = ParameterType::texts;
  constexpr auto kFlag = ParameterType::boolean;
  using Parts = std::vector<DeploymentPart>;
  const Parts none;
  const Parts contained{DeploymentPart::process, DeploymentPart::probes};
  static const std::vector<CallRule> kRules{
      {.function = "collect",  // the collector says what it takes
       .arguments = {words("collector"),
                     required("arguments", nothing, kTable)},
       .takes = none},
      {.function = "items",
       .arguments = {required("exhibit", evidence), optional_words("pattern"),
                     count("after"), count("limit", kMaxPage)},
       .takes = none,
       .is_journaled = false},
      {.function = "read",
       .arguments = {required("exhibit", evidence), count("item"),
                     count("offset"), count("length", kMaxRead)},
       .takes = none,
       .is_journaled = false},
      {.function = "contain",
       .arguments = {optional_words("method"),
                     required("arguments", nothing, kTable)},
       .takes = contained,
       .effect = Effect::contain},
      {.function = "release",
       .arguments = {words("reason")},
       .takes = contained,
       .effect = Effect::contain},
      {.function = "probe", .arguments = {}, .takes = contained},
      {.function = "served",
       .arguments = {},
       .takes = Parts{DeploymentPart::model, DeploymentPart::process}},
      {.function = "diff",
       .arguments = {required("a", place), required("b", place)},
       .takes = none},
      {.function = "load_baseline",
       .arguments = {optional("path", place)},
       .takes = Parts{DeploymentPart::baseline}},
      {.function = "verify",
       .arguments = {required("exhibit", evidence)},
       .takes = none},
      {.function = "verify_signature",
       .arguments = {required("subject", place), optional("key", path),
                     optional("signature", signature),
                     optional("certificate_chain", path, kTexts),
                     optional("sigstore", nothing, kFlag),
                     optional_words("identity"), optional_words("issuer"),
                     optional("unsigned_compare", nothing, kFlag),
                     optional("ignore_unsigned_files", nothing, kFlag),
                     optional("enforce_time", nothing, kFlag)},
       .takes = none},
      {.function = "scan",
       .arguments = {required("subject", place)},
       .takes = none},
      {.function = "finding",
       .arguments = {one_of(words("verdict"), kFindingVerdicts),
                     one_of(optional_words("severity"), kFindingSeverities),
                     words("title"),
                     required("evidence", nothing, ParameterType::references),
                     optional_words("detail")},
       .takes = none},
      {.function = "note", .arguments = {words("text")}, .takes = none},
      {.function = "gap",
       .arguments = {words("subject"), words("reason"),
                     one_of(optional_words("outcome"), kGapOutcomes)},
       .takes = none},
      {.function = "ask",
       .arguments = {words("id"), words("question"),
                     optional("choices", nothing, kTexts),
                     optional_words("default"),
                     one_of(optional_words("approves"), kActs)},
       .takes = none},
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
  require_names(rule.function, rule.arguments, checked);
  if (rule.function == "finding") check_finding(rule, checked);
  if (rule.function == "ask") check_question(rule, checked);
  if (rule.function == "verify_signature") check_trust(rule, checked);
  return checked;
}

void check_instrument(const Instruments& instruments, std::string_view function,
                      const Json& arguments, TimeNs now) {
  const auto check = [&](std::string_view kind, const auto& instrument) {
    const Arguments checked = arguments_for(
        instrument, arguments.at("arguments"), Spelling::values, now);
    require_names(std::string(kind) + " " + std::string(instrument.name),
                  instrument.parameters, checked.json());
  };
  if (function == "collect") {
    check("collector",
          find_named(instruments.collectors, "collector",
                     arguments.at("collector").get<std::string>()));
  } else {
    check("containment", find_named(instruments.containments, "containment",
                                    arguments.at("method").get<std::string>()));
  }
}

PlaybookReach::Admitted admit_call(const PlaybookReach& reach,
                                   const Instruments& instruments,
                                   std::string_view function,
                                   const Json& arguments) {
  const CallRule* const rule = find_call_rule(function);
  if (rule == nullptr || !rule->takes) {
    // A function that nobody declared the reach of reaches nothing.
    throw Error(Errc::unsupported,
                std::string(function) +
                    ": this build does not say what it "
                    "touches, so a playbook may not call it");
  }
  PlaybookReach::Admitted admitted = reach.admit({.owner = rule->function,
                                                  .parameters = rule->arguments,
                                                  .arguments = arguments,
                                                  .takes = *rule->takes});
  const auto through = [&](std::string_view kind, const auto& instrument,
                           std::span<const DeploymentPart> takes) {
    const std::string owner =
        std::string(kind) + " " + std::string(instrument.name);
    PlaybookReach::Admitted own =
        reach.admit({.owner = owner,
                     .parameters = instrument.parameters,
                     .arguments = arguments.at("arguments"),
                     .takes = takes});
    admitted.arguments["arguments"] = std::move(own.arguments);
    std::ranges::move(own.touches, std::back_inserter(admitted.touches));
  };
  if (function == "collect") {
    const Collector& collector =
        find_named(instruments.collectors, "collector",
                   arguments.at("collector").get<std::string>());
    through("collector", collector, collector.takes);
  } else if (function == "contain") {
    through("containment",
            find_named(instruments.containments, "containment",
                       arguments.at("method").get<std::string>()),
            {});
  }
  return admitted;
}

}  // namespace impound::lua
