// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A made-up case for tests of playbooks (impound.fake) and for `playbook
/// check`: answers from a setup, and remembers what was asked of it.
///
/// Where a setup is silent it answers as a calm deployment would, and as the
/// engine would: what the engine refuses (an answer outside of the choices) is
/// refused, and an act that the setup says did not succeed changes nothing.

#include <optional>
#include <string>
#include <vector>

#include "lua/host/playbook_host.hpp"

namespace impound::lua {

class FakeHost final : public PlaybookHost {
 public:
  /// `setup` as in lua/api/fake.lua.
  /// @throws Error{bad_input} for a key, or a field of an answer, that it does
  /// not know.
  explicit FakeHost(Json setup);

  /// What the playbook may reach in the made-up case: by names alone, as
  /// nothing of it is on the disk. To be said before a call is made; `typed`
  /// are the parameters that somebody gave.
  void set_reach(const LoadedPlaybook& playbook, const Json& typed,
                 const Arguments& values);

  Json perform(const HostCall& call, std::int64_t n) override;
  [[nodiscard]] FailedCall failed(const HostCall& call, std::int64_t n,
                                  const Error& error) override;
  std::optional<RecordedCall> recorded(std::int64_t n) override;
  PlannedCall plan(const HostCall& call) override;
  PlaybookReach& reach() override { return reach_; }
  void step_started(const StepInfo& step) override;
  void step_ended(const StepInfo& step, StepResult result,
                  const std::string& message) override;

  /// Parameters and deployment of the setup.
  [[nodiscard]] Json parameters() const;
  [[nodiscard]] Json deployment() const;

  /// What a test looks at: findings, questions, notes, gaps, exhibits, calls,
  /// steps by id, contained.
  [[nodiscard]] const Json& record() const noexcept { return record_; }

 private:
  struct Exhibit {
    std::string id;
    Json items;
  };

  Json answer(const HostCall& call);
  Json collect(const HostCall& call);
  Json items(const Json& arguments) const;
  Json read(const Json& arguments) const;
  Json contain(const HostCall& call);
  Json release(const HostCall& call);
  Json probe(const HostCall& call);
  Json served(const HostCall& call);
  Json diff(const HostCall& call);
  Json ask(const Json& arguments);
  std::string keep(const HostCall& call, const char* list);
  [[nodiscard]] Json prepared(const HostCall& call) const;
  [[nodiscard]] Json prepared(const HostCall& call,
                              const std::string& subject) const;
  [[nodiscard]] const Exhibit& exhibit(const Json& arguments) const;

  Json setup_;
  Deployment described_;  ///< the setup's, as far as paths go
  PlaybookReach reach_{described_, {}, PlaybookReach::Disk::made_up};
  Json record_;
  std::vector<Exhibit> exhibits_;
};

}  // namespace impound::lua
