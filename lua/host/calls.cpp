// SPDX-License-Identifier: Apache-2.0
#include "lua/host/calls.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/evidence/finding_words.hpp"
#include "core/evidence/outcome.hpp"
#include "lua/host/value_words.hpp"

namespace impound::lua {
namespace {

/// An exhibit that does not exist: real ones begin with E001.
constexpr const char* kPlannedExhibit = "E000";

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

/// An argument as it was said, for a sentence.
std::string said(const Json& arguments, std::string_view key) {
  return printable(text_or(arguments, key, ""));
}

/// " with { pid = 7 }", of an instrument; "" without arguments.
std::string with_arguments(const Json& arguments) {
  const Json& own = arguments["arguments"];
  if (own.empty()) return "";
  return " with " + value_words(own);
}

/// A plan shows what would happen if people agree.
Json agreement(const Json& arguments) {
  std::string answer = arguments.contains("approves")
                           ? "yes"
                           : text_or(arguments, "default", "");
  if (answer.empty() && arguments.contains("choices") &&
      !arguments["choices"].empty()) {
    answer = arguments["choices"].front().get<std::string>();
  }
  return Json{{"answer", answer}, {"by", "plan"}, {"at", ""}};
}

/// One file and one tensor, both alike.
Json no_difference(const Json& /*arguments*/) {
  return Json{{"identical", true},
              {"files", Json::array({Json{{"path", "model.safetensors"},
                                          {"status", "identical"}}})},
              {"tensors", Json::array({Json{{"name", "weight"},
                                            {"status", "identical"},
                                            {"dtype", "F32"},
                                            {"shape", Json::array({1})}}})},
              {"metadata", Json::array()},
              {"scope", "whole"},
              {"compared", Json{{"files", 1},
                                {"files_total", 1},
                                {"tensors", 1},
                                {"tensors_total", 1},
                                {"words", "1 of 1 file, 1 of 1 tensor"}}}};
}

Json nothing_said(const Json& /*arguments*/) { return Json::object(); }

[[noreturn]] void refuse(const CallRule& rule, const std::string& argument,
                         const std::string& expected,
                         const std::string& found) {
  throw Error(Errc::bad_input, std::string(rule.name) + ": " + argument +
                                   ": expected " + expected + ", found " +
                                   found);
}

void check_finding(const CallRule& rule, Json& finding) {
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
void check_trust(const CallRule& rule, Json& arguments) {
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

const std::vector<CallRule>& rules() {
  using enum Touches;
  using F = CtxFunction;
  constexpr auto kTable = ParameterType::table;
  constexpr auto kTexts = ParameterType::texts;
  constexpr auto kFlag = ParameterType::boolean;
  using Parts = std::vector<DeploymentPart>;
  const Parts none;
  const Parts contained{DeploymentPart::process, DeploymentPart::probes};
  static const std::vector<CallRule> kRules{
      {.function = F::collect,
       .name = "collect",
       .effect = CallEffect::measure,  // keeps what it had, and takes it again
       .arguments = {words("collector"),
                     required("arguments", nothing, kTable)},
       .takes = none,  // the collector says what it takes
       .stand_in =
           [](const Json&) {
             return Json{{"exhibit", kPlannedExhibit},
                         {"items", 0},
                         {"bytes", 0},
                         {"gaps", 0},
                         {"gap_list", Json::array()},
                         {"empty_handed", false},
                         {"outcome", "ok"}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would collect " + said(arguments, "collector") +
                    with_arguments(arguments) + ".";
           },
       .shape = CallShape::instrument,
       .instrument = InstrumentKind::collector},
      {.function = F::items,
       .name = "items",
       .effect = CallEffect::sealed,
       .arguments = {required("exhibit", evidence), optional_words("pattern"),
                     count("after"), count("limit", kMaxPage)},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"items", Json::array()}, {"next", nullptr}};
           }},
      {.function = F::read,
       .name = "read",
       .effect = CallEffect::sealed,
       .arguments = {required("exhibit", evidence), count("item"),
                     count("offset"), count("length", kMaxRead)},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"base64", ""}};
           }},
      {.function = F::contain,
       .name = "contain",
       .effect = CallEffect::contain,
       .arguments = {optional_words("method"),
                     required("arguments", nothing, kTable)},
       .takes = contained,
       .stand_in =
           [](const Json& arguments) {
             return Json{{"contained", true},
                         {"method", said(arguments, "method")},
                         {"reason", ""},
                         {"end", "applied"},
                         {"measured", "contained"},
                         {"why", "stand-in of a plan"},
                         {"probes", Json::array()}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would contain the deployment by " +
                    said(arguments, "method") + with_arguments(arguments) + ".";
           },
       .shape = CallShape::instrument,
       .instrument = InstrumentKind::containment,
       .made_up = {.key = "contain",
                   .also = {"deployment", "rolled_back", "proof",
                            "proving_probes", "intent", "held_by", "holds_now",
                            "hold_problem", "state"}}},
      {.function = F::release,
       .name = "release",
       .effect = CallEffect::release,
       .arguments = {words("reason")},
       .takes = contained,
       .stand_in =
           [](const Json&) {
             return Json{{"released", true},
                         {"reason", ""},
                         {"results", Json::array()}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would release the deployment: " +
                    said(arguments, "reason") + ".";
           },
       .made_up = {.key = "release"}},
      {.function = F::probe,
       .name = "probe",
       .effect = CallEffect::measure,
       .arguments = {},
       .takes = contained,
       .stand_in =
           [](const Json&) {
             return Json{{"contained", false},
                         {"measured", "unknown"},
                         {"why", "stand-in of a plan"},
                         {"probes", Json::array()}};
           },
       .sentence =
           [](const Json&) {
             return std::string("Would ask the probes of the deployment.");
           },
       .made_up = {.key = "probe"}},
      {.function = F::served,
       .name = "served",
       .effect = CallEffect::measure,
       .arguments = {},
       .takes = Parts{DeploymentPart::model, DeploymentPart::process},
       .stand_in =
           [](const Json&) {
             return Json{{"tie", "tied"},
                         {"sentence", "only planned, nothing was looked at"},
                         {"pids", Json::array()},
                         {"weights", Json::array()},
                         {"files", Json::array()},
                         {"accelerators", Json::array()},
                         {"unknowns", Json::array()}};
           },
       .sentence =
           [](const Json&) {
             return std::string(
                 "Would find out which model files the serving process holds, "
                 "and whether they are those that the descriptor names.");
           },
       .made_up = {.key = "served",
                   .also = {"located_by", "model_path", "fileless_bytes"}}},
      {.function = F::diff,
       .name = "diff",
       .effect = CallEffect::compare,
       .arguments = {required("a", place), required("b", place)},
       .takes = none,
       .stand_in = no_difference,
       .sentence =
           [](const Json& arguments) {
             return "Would compare " + said(arguments, "a") + " with " +
                    said(arguments, "b") + ".";
           },
       .made_up = {.key = "diff",
                   .also = {"tensors_identical", "before", "after",
                            "aligned_by", "model", "dataset"}}},
      {.function = F::load_baseline,
       .name = "load_baseline",
       .effect = CallEffect::measure,
       .arguments = {optional("path", place)},
       .takes = Parts{DeploymentPart::baseline},
       .stand_in =
           [](const Json& arguments) {
             return Json{{"path", said(arguments, "path")},
                         {"name", ""},
                         {"kind", "model"},
                         {"weights", 1},
                         {"files", Json::array()},
                         {"signature", "absent"},
                         {"sentence", "only planned, nothing was read"}};
           },
       .sentence =
           [](const Json& arguments) {
             const std::string path = said(arguments, "path");
             return path.empty() ? "Would read the deployment's baseline."
                                 : "Would read the baseline " + path + ".";
           },
       .made_up = {.key = "baseline",
                   .also = {"key", "sha256", "made_at", "tensors"}}},
      {.function = F::verify,
       .name = "verify",
       .effect = CallEffect::measure,
       .arguments = {required("exhibit", evidence)},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"ok", true}, {"problems", Json::array()}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would verify " + said(arguments, "exhibit") + ".";
           },
       .made_up = {.key = "verify", .also = {"exhibit", "items"}}},
      {.function = F::verify_signature,
       .name = "verify_signature",
       .effect = CallEffect::compare,
       .arguments = {required("subject", place), optional("key", path),
                     optional("signature", signature),
                     optional("certificate_chain", path, kTexts),
                     optional("sigstore", nothing, kFlag),
                     optional_words("identity"), optional_words("issuer"),
                     optional("unsigned_compare", nothing, kFlag),
                     optional("ignore_unsigned_files", nothing, kFlag),
                     optional("enforce_time", nothing, kFlag)},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"ok", true},
                         {"verdict", "verified"},
                         {"signature_state", "valid"},
                         {"signer", ""},
                         {"reason", "only planned, nothing was verified"},
                         {"mismatch", Json::array()},
                         {"not_verified", Json::array()},
                         {"differences", Json::array()},
                         {"unsigned_files", Json::array()},
                         {"findings", Json::array()}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would verify the signature of " +
                    said(arguments, "subject") + ".";
           },
       .shape = CallShape::subject,
       .check = check_trust,
       .made_up = {.key = "signature",
                   .also = {"subject", "trust", "matched", "unread", "problems",
                            "root", "method", "certificate"},
                   .by = "subject"}},
      {.function = F::scan,
       .name = "scan",
       .effect = CallEffect::compare,
       .arguments = {required("subject", place)},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"verdict", "no-code"},
                         {"complete", true},
                         {"files", Json::array()},
                         {"problems", Json::array()}};
           },
       .sentence =
           [](const Json& arguments) {
             return "Would scan " + said(arguments, "subject") +
                    " for what runs when it is loaded.";
           },
       .made_up = {.key = "scan",
                   .also = {"locator", "rules_version"},
                   .by = "subject"}},
      {.function = F::finding,
       .name = "finding",
       .effect = CallEffect::record,
       .arguments = {one_of(words("verdict"), kFindingVerdicts),
                     one_of(optional_words("severity"), kFindingSeverities),
                     words("title"),
                     required("evidence", nothing, ParameterType::references),
                     optional_words("detail")},
       .takes = none,
       .stand_in =
           [](const Json&) {
             return Json{{"finding", "F000"}};
           },
       .sentence =
           [](const Json& arguments) {
             return "May record: " + said(arguments, "title") + ".";
           },
       .shape = CallShape::table,
       .check = check_finding},
      {.function = F::note,
       .name = "note",
       .effect = CallEffect::record,
       .arguments = {words("text")},
       .takes = none,
       .stand_in = nothing_said,
       .sentence =
           [](const Json&) { return std::string("Would record a note."); },
       .shape = CallShape::anything},
      {.function = F::gap,
       .name = "gap",
       .effect = CallEffect::record,
       .arguments = {words("subject"), words("reason"),
                     one_of(optional_words("outcome"), kGapOutcomes)},
       .takes = none,
       .stand_in = nothing_said,
       .sentence =
           [](const Json& arguments) {
             return "May record a gap: " + said(arguments, "subject") + ".";
           },
       .shape = CallShape::table},
      {.function = F::ask,
       .name = "ask",
       .effect = CallEffect::ask,
       .arguments = {words("id"), words("question"),
                     optional("choices", nothing, kTexts),
                     optional_words("default"),
                     one_of(optional_words("approves"), kActs)},
       .takes = none,
       .stand_in = agreement,
       .sentence =
           [](const Json& arguments) {
             return "Would ask: " + said(arguments, "question");
           },
       .shape = CallShape::table,
       .check = check_question},
  };
  return kRules;
}

}  // namespace

GuardedAct CallRule::leave() const noexcept {
  if (effect == CallEffect::contain) return GuardedAct::contain;
  return effect == CallEffect::release ? GuardedAct::release : GuardedAct::none;
}

std::string_view to_string(CtxFunction function) noexcept {
  return rule_of(function).name;
}

std::span<const CallRule> call_rules() { return rules(); }

const CallRule& rule_of(CtxFunction function) {
  return rules()[static_cast<std::size_t>(function)];
}

const CallRule* find_call_rule(std::string_view name) {
  const auto found = std::ranges::find(rules(), name, &CallRule::name);
  return found == rules().end() ? nullptr : &*found;
}

}  // namespace impound::lua
