// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A containment method on a stage of real parts: what every method is asked
/// the same of, and one cell of the matrix for each answer.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/release.hpp"
#include "core/evidence/target.hpp"
#include "tests/real/control/part.hpp"
#include "tests/support/fixed_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace impound::test {

/// The served model and the parts that take it out of service.
class Stage {
 public:
  virtual ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// As a client sees it, from outside of everything.
  [[nodiscard]] virtual bool is_answering();
  /// The control plane and what it controls start again, as after a crash.
  virtual void restart() = 0;
  /// The descriptor is changed so that the method must refuse: why → how.
  struct Refusal {
    std::string behaviour;  ///< "missing socket", "wrong name" …
    std::function<void(Deployment&)> spoil;
    std::string says;  ///< in the reason that is given
  };
  [[nodiscard]] virtual std::vector<Refusal> refusals() = 0;
  /// What to ask while it is contained, if requests are made under load.
  [[nodiscard]] virtual std::uint16_t port() const { return port_; }
  [[nodiscard]] virtual std::string host() const { return "127.0.0.1"; }
  [[nodiscard]] virtual int timeout_ms() const { return 1000; }
  /// Whether the method can count the connections that are left.
  [[nodiscard]] virtual bool counts_connections() const { return true; }
  /// More where an unanswered request takes its whole time.
  [[nodiscard]] virtual int client_threads() const { return 3; }
  /// Between the method and its control plane; null where it has no socket.
  [[nodiscard]] FaultySocket* faults() { return faults_.get(); }
  /// Undone by hand, so that the next test begins with a service that runs.
  virtual void mend() {}

  std::string method;
  TempDir temp;
  Deployment deployment;

 protected:
  explicit Stage(std::string name);
  /// Starts model_server; its port.
  std::uint16_t start_model(std::uint16_t port = 0);
  void end_model() { model_.reset(); }
  void name_port(std::uint16_t port);

  std::unique_ptr<Part> model_;
  std::unique_ptr<FaultySocket> faults_;
  std::uint16_t port_ = 0;
};

/// The methods that have a stage.
[[nodiscard]] std::vector<std::string> stage_names();

/// Null, with "skipped: why" on standard output, where the machine has not what
/// it takes.
[[nodiscard]] std::unique_ptr<Stage> make_stage(const std::string& name);

/// A case that acts on a stage.
class CaseOnStage {
 public:
  CaseOnStage(Stage& stage, const std::string& id);

  [[nodiscard]] ContainAllResult contain_it();
  [[nodiscard]] std::vector<ReleaseResult> release_it();
  /// All released, and nothing left open.
  [[nodiscard]] bool releases();

  Stage& stage;
  fs::path folder;
  FixedClock clock;
  Examiner eve;
  CaseFile file;
  Cancellation cancellation;
  SilentProgress progress;
  Session session;
};

/// One cell of the matrix that is printed when the tests end.
void note(const std::string& method, const std::string& behaviour,
          const std::string& outcome);

}  // namespace impound::test
