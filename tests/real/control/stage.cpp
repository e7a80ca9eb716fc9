// SPDX-License-Identifier: Apache-2.0
#include "tests/real/control/stage.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/text.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// Printed when the program ends, whatever order the tests ran in.
struct Matrix {
  ~Matrix() {
    if (cells.empty()) return;
    std::vector<std::vector<std::string>> rows{
        {"method", "behaviour", "outcome"}};
    rows.insert(rows.end(), cells.begin(), cells.end());
    std::cout << "\nmethod x behaviour; contain --list says what each was "
                 "tried against\n"
              << format_table(rows) << std::flush;
  }
  std::vector<std::vector<std::string>> cells;
};
Matrix matrix;

}  // namespace

void note(const std::string& method, const std::string& behaviour,
          const std::string& outcome) {
  matrix.cells.push_back({method, behaviour, outcome});
}

Stage::Stage(std::string name) : method(std::move(name)) {
  ::setenv("IMPOUND_RUN", (temp.path() / "run").c_str(), 1);
  deployment.name = "model";
  deployment.descriptor = temp.path() / "model.toml";
  deployment.containment_method = method;
  deployment.containments.push_back({.method = method});
}

Stage::~Stage() { ::unsetenv("IMPOUND_RUN"); }

bool Stage::is_answering() {
  return asks_and_is_answered(port(), host(), timeout_ms());
}

std::uint16_t Stage::start_model(std::uint16_t wanted) {
  const fs::path ready = temp.path() / "model.ready";
  fs::remove(ready);
  model_ = std::make_unique<Part>(
      std::vector<std::string>{IMPOUND_MODEL_SERVER, "127.0.0.1",
                               std::to_string(wanted), ready.native()},
      temp.path() / "model.log");
  std::string word;
  int port = 0;
  const bool is_ready = wait_until([&] {
    std::ifstream file(ready);
    return static_cast<bool>(file >> word >> port);
  });
  if (!is_ready) throw std::runtime_error("model_server does not start");
  return static_cast<std::uint16_t>(port);
}

void Stage::name_port(std::uint16_t port) {
  port_ = port;
  Probe probe;
  probe.name = "models";
  probe.url = "http://" + host() + ":" + std::to_string(port) + "/";
  probe.expect = "toy";
  probe.timeout_ms = 500;
  deployment.probes = {probe};
}

CaseOnStage::CaseOnStage(Stage& on, const std::string& id)
    : stage(on),
      folder(on.temp.path() / id),
      eve(make_examiner()),
      file(CaseFile::create(
          folder,
          [&] {
            CaseOpening one = opening(id);
            one.approvals = 0;
            return one;
          }(),
          eve, clock)),
      session{.case_file = file,
              .examiner = eve,
              .clock = clock,
              .cancellation = cancellation,
              .progress = progress} {}

ContainAllResult CaseOnStage::contain_it() {
  return contain_all(session, {.deployment = stage.deployment,
                               .methods = all_containments(),
                               .purpose = "a test",
                               .authority = nullptr,
                               .probe = run_probe});
}

std::vector<ReleaseResult> CaseOnStage::release_it() {
  return release(
      session,
      {.methods = all_containments(), .probe = run_probe, .purpose = "a test"});
}

bool CaseOnStage::releases() {
  for (const ReleaseResult& one : release_it()) {
    if (!one.is_settled()) {
      std::cout << one.to_text();
      return false;
    }
  }
  return open_containments(file).empty();
}

}  // namespace impound::test
