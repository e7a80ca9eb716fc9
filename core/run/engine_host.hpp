// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The engine as a playbook sees it: every call of the Lua API becomes one act
/// of the engine, journaled so that a run can be resumed to the call.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/casefile/run_journal.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/questions.hpp"
#include "core/engine/reach.hpp"
#include "core/engine/session.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/run/given_consent.hpp"
#include "core/run/run_listener.hpp"
#include "core/run/run_request.hpp"
#include "lua/host/playbook_host.hpp"

namespace impound {

/// What one run of a playbook is about.
struct RunSubject {
  const lua::LoadedPlaybook& playbook;
  const Deployment& deployment;
  Arguments parameters;
  ReachGiven given;      ///< of them, what a person gave that may be touched
  GivenConsent consent;  ///< given on the command line
};

class EngineHost final : public lua::PlaybookHost {
 public:
  /// All referenced things outlive the host.
  EngineHost(Session& session, const RunSubject& subject, const RunTools& tools,
             RunListener& listener);
  ~EngineHost() override;

  Json perform(const lua::HostCall& call, std::int64_t n) override;
  [[nodiscard]] std::int64_t number_of(std::int64_t nth) override;
  [[nodiscard]] lua::FailedCall failed(const lua::HostCall& call,
                                       std::int64_t n,
                                       const Error& error) override;
  std::optional<lua::RecordedCall> recorded(std::int64_t n) override;
  Json replayed(const lua::HostCall& call, std::int64_t n,
                const Json& answer) override;
  lua::PlannedCall plan(const lua::HostCall& call) override;
  PlaybookReach& reach() override { return reach_; }
  void step_started(const lua::StepInfo& step) override;
  void step_ended(const lua::StepInfo& step, lua::StepResult result,
                  const std::string& message) override;

 private:
  /// The slot of call `n` in the journal.
  [[nodiscard]] static JournalSlot slot_of(const lua::HostCall& call,
                                           std::int64_t n);
  Json collect(const Json& arguments);
  Json items(const Json& arguments);
  Json read(const Json& arguments);
  Json contain_deployment(const lua::HostCall& call);
  MeasuredState measured_by_all();
  void tell_containment(const Json& answer);
  Json contained_again(const lua::HostCall& call, const Json& answer);
  [[nodiscard]] bool holds_now() const;
  [[nodiscard]] std::string released_since() const;
  Json release_deployment(const lua::HostCall& call);
  Json probe();
  Json served();
  Json diff(const Json& arguments);
  Json load_baseline(const Json& arguments);
  Json verify(const Json& arguments);
  Json verify_signature(const Json& arguments);
  Json scan(const Json& arguments);
  Json finding(const Json& arguments);
  Json note(const Json& arguments);
  Json gap(const Json& arguments);
  Json ask(const lua::HostCall& call);
  /// What was said to the question, in whichever way, or why nothing was.
  struct Said {
    std::optional<GivenAnswer> answer;
    std::string silence;  ///< "", ", left unanswered: interrupted,"
  };
  Said hear(const Question& question);
  Said hear_person(const Question& question);
  [[nodiscard]] GivenAnswer answer_of_examiner(const std::string& text,
                                               const std::string& basis) const;
  void keep_answer(const Question& question, std::int64_t call,
                   const GivenAnswer& answer);
  /// Enough people approved the act that call `ask` asked leave for.
  [[nodiscard]] bool is_approved(std::int64_t ask, GuardedAct act) const;
  /// The answer that ends the run as waiting; empty if nobody is missing.
  std::optional<Json> wait_for_approvals(std::int64_t ask, GuardedAct act);
  /// Who allowed the act that `call` is about to do, and how.
  [[nodiscard]] Json authority_of(const lua::HostCall& call, GuardedAct act);

  /// The handler of the function.
  Json act(const lua::HostCall& call);
  /// The same call failed before, and the same came out.
  [[nodiscard]] bool failed_so_before(std::int64_t n, const Error& error) const;
  /// @throws Error{io} if a stop was requested: what was measured meanwhile may
  ///         be half of it.
  void require_not_stopped(std::string_view what) const;
  void journal(const Json& answer);
  const BundleReader& reader(const std::string& exhibit);

  Session& session_;
  const RunSubject& subject_;
  const RunTools& tools_;
  RunListener& listener_;
  PlaybookReach reach_;
  std::map<std::string, std::unique_ptr<BundleReader>> readers_;
  RunJournal journal_;  ///< as it was when the run was started or resumed
};

}  // namespace impound
