// SPDX-License-Identifier: Apache-2.0
#include "core/engine/probe_judgement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// A thawed server first works off what queued up while it was frozen: silence
/// counts only after this long.
constexpr int kReturnTries = 10;
constexpr int kReturnPauseMs = 300;

enum class Speaks : std::uint8_t { for_it, against_it, neither };

struct Meaning {
  Speaks speaks;
  std::string_view why;
  bool names_detail;  ///< what was seen belongs to the sentence
};

/// In the order of ProbeMeaning.
constexpr std::array<Meaning, 10> kMeanings{{
    {Speaks::for_it, "answered before, is silent now", false},
    {Speaks::against_it, "still answers", true},
    {Speaks::neither, "silent before and after: proves nothing", false},
    {Speaks::neither, "still answers, as it must", false},
    {Speaks::against_it, "must answer and is silent", true},
    {Speaks::for_it, "answers again", false},
    {Speaks::against_it, "is silent", true},
    {Speaks::neither, "silent before the containment too: proves nothing",
     false},
    {Speaks::neither, "only connects: proves neither service nor silence",
     false},
    {Speaks::against_it, "could not be asked", true},
}};

const Meaning& meaning_of(ProbeMeaning meaning) {
  return kMeanings[static_cast<std::size_t>(meaning)];
}

Json probe_json(const ProbeResult& result) {
  Json json;
  json["name"] = result.name;
  json["what"] = lossless_utf8(result.what);
  json["answered"] = result.answered;
  json["connected_only"] = result.connected_only;
  json["detail"] = lossless_utf8(result.detail);
  json["elapsed_ms"] = result.elapsed_ms;
  return json;
}

/// An answer, or why we could not even ask.
struct Asked {
  ProbeResult result = {};
  bool could_ask = true;
};

Asked ask_once(const Probe& probe, ProbeFunction ask) {
  try {
    return {.result = ask(probe)};
  } catch (const Error& error) {
    Asked asked{.could_ask = false};
    asked.result.name = probe.name;
    asked.result.detail = error.what();
    return asked;
  }
}

Asked ask_until_it_answers(const Probe& probe, ProbeFunction ask,
                           const Cancellation& cancellation) {
  Asked asked = ask_once(probe, ask);
  for (int tries = 1;
       tries < kReturnTries && asked.could_ask && !asked.result.answered &&
       !asked.result.connected_only && !cancellation.requested();
       ++tries) {
    pause_ms(kReturnPauseMs);
    asked = ask_once(probe, ask);
  }
  return asked;
}

ProbeMeaning after_containment(ProbeExpectation expectation,
                               const ProbeResult& before,
                               const ProbeResult& after) {
  if (after.connected_only) return ProbeMeaning::only_connects;
  if (expectation == ProbeExpectation::allowed) {
    return after.answered ? ProbeMeaning::goes_on : ProbeMeaning::must_go_on;
  }
  if (after.answered) return ProbeMeaning::still_answers;
  return before.answered && !before.connected_only
             ? ProbeMeaning::fell_silent
             : ProbeMeaning::silent_all_along;
}

ProbeMeaning after_return(const ProbeResult& before, const ProbeResult& after) {
  if (after.connected_only) return ProbeMeaning::only_connects;
  if (after.answered) return ProbeMeaning::answers_again;
  return before.answered ? ProbeMeaning::stays_silent
                         : ProbeMeaning::never_answered;
}

}  // namespace

bool ProbeJudgement::is_met() const {
  return meaning_of(meaning).speaks != Speaks::against_it;
}

bool ProbeJudgement::is_proof() const {
  return meaning_of(meaning).speaks == Speaks::for_it;
}

std::string ProbeJudgement::why() const {
  const Meaning& one = meaning_of(meaning);
  std::string text(one.why);
  if (one.names_detail) text += ": " + after.detail;
  return text;
}

bool ProbeJudgements::are_met() const {
  return std::ranges::all_of(all, &ProbeJudgement::is_met);
}

std::size_t ProbeJudgements::proofs() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(all, &ProbeJudgement::is_proof));
}

std::string ProbeJudgements::unmet() const {
  std::string text;
  for (const ProbeJudgement& one : all) {
    if (one.is_met()) continue;
    text += fmt::format("{}probe {} {}", text.empty() ? "" : "; ",
                        one.after.name, one.why());
  }
  return text;
}

std::string ProbeJudgements::proof() const {
  if (!why_none.empty()) return "no probe was asked: " + why_none;
  if (proofs() == 0) {
    return all.empty() ? "no probe proves it: the deployment has none"
                       : "no probe proves it";
  }
  return fmt::format("proved by {} of {} probe{}", proofs(), all.size(),
                     all.size() == 1 ? "" : "s");
}

Json ProbeJudgements::to_json() const {
  Json list = Json::array();
  for (const ProbeJudgement& judgement : all) {
    Json json;
    json["name"] = judgement.after.name;
    json["expected"] = judgement.expectation == ProbeExpectation::forbidden
                           ? "silent"
                           : "answers";
    json["before"] = probe_json(judgement.before);
    json["after"] = probe_json(judgement.after);
    json["met"] = judgement.is_met();
    json["proves"] = judgement.is_proof();
    json["why"] = lossless_utf8(judgement.why());
    list.push_back(std::move(json));
  }
  return list;
}

std::string ProbeJudgements::to_text() const {
  std::vector<std::vector<std::string>> rows;
  for (const ProbeJudgement& one : all) {
    const std::string_view mark = !one.is_met()    ? "  NOT AS EXPECTED"
                                  : one.is_proof() ? "  proof"
                                                   : "  no proof";
    rows.push_back({std::string(mark), one.after.name,
                    printable(one.after.what), printable(one.why())});
  }
  return format_table(rows);
}

std::vector<ProbeResult> run_probes(const Deployment& deployment,
                                    ProbeFunction probe) {
  std::vector<ProbeResult> results;
  for (const Probe& one : deployment.probes) results.push_back(probe(one));
  return results;
}

Json probes_json(const std::vector<ProbeResult>& results) {
  Json list = Json::array();
  for (const ProbeResult& one : results) list.push_back(probe_json(one));
  return list;
}

std::vector<ProbeResult> probes_from_json(const Json& json,
                                          const Deployment& deployment) {
  std::vector<ProbeResult> results;
  for (const Probe& probe : deployment.probes) {
    ProbeResult result;
    result.name = probe.name;
    if (json.is_array()) {
      for (const Json& one : json) {
        if (text_or(one, "name", "") != probe.name) continue;
        result.what = from_lossless_utf8(text_or(one, "what", ""));
        result.detail = from_lossless_utf8(text_or(one, "detail", ""));
        result.answered = one.value("answered", false);
        result.connected_only = one.value("connected_only", false);
      }
    }
    results.push_back(std::move(result));
  }
  return results;
}

ProbeJudgements judge_containment(const Deployment& deployment,
                                  const std::vector<ProbeResult>& before,
                                  ProbeFunction probe) {
  ProbeJudgements judgements;
  for (std::size_t i = 0; i < deployment.probes.size(); ++i) {
    const Probe& one = deployment.probes[i];
    Asked asked = ask_once(one, probe);
    ProbeJudgement judgement{.before = before.at(i),
                             .after = std::move(asked.result),
                             .expectation = one.after_containment};
    judgement.meaning =
        asked.could_ask ? after_containment(judgement.expectation,
                                            judgement.before, judgement.after)
                        : ProbeMeaning::not_asked;
    judgements.all.push_back(std::move(judgement));
  }
  return judgements;
}

ProbeJudgements judge_return(const Deployment& deployment,
                             const std::vector<ProbeResult>& before,
                             ProbeFunction probe,
                             const Cancellation& cancellation) {
  ProbeJudgements judgements;
  for (std::size_t i = 0; i < deployment.probes.size(); ++i) {
    const Probe& one = deployment.probes[i];
    Asked asked = before.at(i).answered
                      ? ask_until_it_answers(one, probe, cancellation)
                      : ask_once(one, probe);
    ProbeJudgement judgement{.before = before.at(i),
                             .after = std::move(asked.result),
                             .expectation = ProbeExpectation::allowed};
    judgement.meaning = asked.could_ask
                            ? after_return(judgement.before, judgement.after)
                            : ProbeMeaning::not_asked;
    judgements.all.push_back(std::move(judgement));
  }
  return judgements;
}

}  // namespace impound
