// SPDX-License-Identifier: Apache-2.0
/// check_deployment: every path, process, credential and probe of a descriptor,
/// looked at before it is needed.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/engine/baseline_check.hpp"
#include "core/engine/contain.hpp"
#include "core/engine/deployment.hpp"
#include "core/evidence/locate.hpp"
#include "core/evidence/log_set.hpp"
#include "core/evidence/served_files.hpp"
#include "core/formats/weights_file.hpp"

namespace impound {
namespace {

std::string without_full_stop(std::string words) {
  if (words.ends_with('.')) words.pop_back();
  return words;
}

class Checker {
 public:
  Checker(const Deployment& deployment, const CheckTools& tools)
      : deployment_(deployment),
        tools_(tools),
        target_{.deployment = deployment,
                .clock = tools.clock,
                .cancellation = tools.cancellation} {}

  std::vector<DeploymentCheck> run() {
    model();
    baseline();
    for (const LogSource& source : deployment_.logs) log(source);
    if (deployment_.logs.empty()) {
      add("logs", CheckLevel::warn,
          "no prompt logs are named; nothing can be hunted in them");
    }
    process();
    served();
    containment();
    for (const Probe& probe : deployment_.probes) {
      try {
        one_probe(probe);
      } catch (const Error& error) {
        add("probe " + printable(probe.name), CheckLevel::fail, error.what());
      }
    }
    if (!deployment_.containment_method.empty()) probes_as_a_whole();
    free_space();
    return std::move(checks_);
  }

 private:
  void add(std::string subject, CheckLevel level, const std::string& words) {
    checks_.push_back({std::move(subject), level, words + "."});
  }

  void model() {
    if (deployment_.model_path.empty()) {
      add("model", CheckLevel::warn, "no model path is named");
      return;
    }
    const auto found =
        std::ranges::find(tools_.collectors, "model-files",
                          [](const Collector* one) { return one->name; });
    if (found == tools_.collectors.end()) {
      if (is_readable("model", deployment_.model_path)) {
        add("model", CheckLevel::ok,
            printable(deployment_.model_path.native()) + " is there");
      }
      return;
    }
    try {
      const bool is_empty = (*found)->estimate(target_) == 0;
      add("model", is_empty ? CheckLevel::warn : CheckLevel::ok,
          without_full_stop((*found)->describe(target_)));
    } catch (const Error& error) {
      add("model", CheckLevel::fail, error.what());
    }
  }

  void baseline() {
    if (deployment_.baseline_path.empty()) {
      add("baseline", CheckLevel::warn,
          "no baseline is named; there is nothing to compare the model with");
      return;
    }
    const BaselineCheck check = check_baseline(deployment_.baseline_path);
    const bool is_vouched_for = check.kind == BaselineKind::model &&
                                check.signature == BaselineSignature::valid &&
                                check.weights != 0;
    add("baseline",
        !check.is_usable() ? CheckLevel::fail
        : is_vouched_for   ? CheckLevel::ok
                           : CheckLevel::warn,
        check.sentence());
  }

  void log(const LogSource& source) {
    const std::string subject = "logs " + printable(source.path);
    const LogSet found = find_log_files(source);
    for (const std::string& problem : found.problems) {
      add(subject, CheckLevel::warn, problem);
    }
    const std::vector<fs::path> neighbours =
        log_neighbours(source, deployment_.logs);
    if (!neighbours.empty()) left_out(subject, source, neighbours);
    if (found.files.empty()) {
      add(subject, CheckLevel::warn, "no file matches");
      return;
    }
    std::uint64_t bytes = 0;
    std::size_t unreadable = 0;
    for (const LogFile& file : found.files) {
      const auto stat = stat_path(file.path, Links::follow);
      if (stat) bytes += stat->size;
      if (!stat || stat->kind != FileKind::regular ||
          ::access(file.path.c_str(), R_OK) != 0) {
        ++unreadable;
      }
    }
    std::string words = fmt::format("{} match", found.matches);
    if (found.files.size() > found.matches) {
      words += fmt::format(" and {} are rotated from them",
                           found.files.size() - found.matches);
    }
    words += ", " + human_bytes(bytes);
    if (unreadable != 0) {
      words += fmt::format("; {} of them cannot be read", unreadable);
    }
    add(subject, unreadable == 0 ? CheckLevel::ok : CheckLevel::warn, words);
  }

  /// Names files that begin like this log and that no entry takes.
  void left_out(const std::string& subject, const LogSource& source,
                const std::vector<fs::path>& neighbours) {
    constexpr std::size_t kMostNames = 5;
    std::string names;
    for (std::size_t i = 0; i < std::min(neighbours.size(), kMostNames); ++i) {
      names += (i == 0 ? "" : ", ") + printable(neighbours[i].native());
    }
    if (neighbours.size() > kMostNames) names += ", …";
    add(subject, CheckLevel::warn,
        fmt::format("{} files beside it are taken by no [[logs]] entry: {}{}",
                    neighbours.size(), names,
                    source.rotated ? "" : " (rotated = false)"));
  }

  void process() {
    const std::string locator = in_words(deployment_.process);
    if (locator.empty()) {
      const bool is_needed = !deployment_.containment_method.empty();
      add("process", is_needed ? CheckLevel::fail : CheckLevel::warn,
          "the descriptor does not say how the serving process is found");
      return;
    }
    const ProcFs procfs;
    const LocatedProcesses found =
        locate_processes(deployment_.process, procfs);
    if (found.roots.empty()) {
      add("process", CheckLevel::fail, found.problem);
      return;
    }
    const auto tree = procfs.tree(found.roots);
    const auto hidden = std::ranges::count_if(
        tree, [&](const auto& one) { return !procfs.descriptors(one.pid); });
    std::string words = fmt::format("{}: process {} and {} below it", locator,
                                    found.roots.front(), tree.size() - 1);
    if (hidden != 0) {
      words += fmt::format("; {} of them may not be looked into, try as root",
                           hidden);
    }
    add("process", hidden == 0 ? CheckLevel::ok : CheckLevel::warn, words);
  }

  /// Whether the model that is looked at is the model that runs.
  void served() {
    if (in_words(deployment_.process).empty()) return;  // said above
    const ServedModel model = look_at_served_model(
        deployment_, deployment_.process, ProcFs(), holds_weights);
    add("served", level_of(model.tie()), without_full_stop(model.sentence()));
  }

  static CheckLevel level_of(ServedTie tie) {
    switch (tie) {
      case ServedTie::tied:
        return CheckLevel::ok;
      case ServedTie::other_file:
        return CheckLevel::fail;
      case ServedTie::modified_mapping:
      case ServedTie::unknown:
      case ServedTie::untied:
        return CheckLevel::warn;
    }
    return CheckLevel::warn;
  }

  void containment() {
    const auto names = deployment_.containment_methods();
    if (names.empty()) {
      add("containment", CheckLevel::warn,
          "no method is named; the model cannot be taken out of service");
    }
    for (const std::string& name : names) one_containment(name, names.size());
  }

  void one_containment(const std::string& name, std::size_t of) {
    const std::string subject =
        of == 1 ? std::string("containment") : "containment " + printable(name);
    try {
      const Containment& method = find_containment(tools_.containments, name);
      Target target = target_;
      target.arguments = arguments_for(deployment_, method, Json::object(),
                                       Spelling::values, tools_.clock.now());
      // Recording the state needs what acting needs, and changes nothing.
      static_cast<void>(method.before(target));
      add(subject, CheckLevel::ok, without_full_stop(method.describe(target)));
    } catch (const Error& error) {
      add(subject, CheckLevel::fail, error.what());
    }
  }

  void one_probe(const Probe& probe) {
    const std::string subject = "probe " + printable(probe.name);
    if (!probe.token_file.empty() && !token(subject, probe.token_file)) return;
    if (!probe.ca_file.empty() && !is_readable(subject, probe.ca_file)) return;
    if (tools_.probe == nullptr) return;
    const ProbeResult result = tools_.probe(probe);
    if (result.connected_only) {
      add(subject, CheckLevel::warn,
          result.what +
              ": a connection alone proves nothing, because the kernel "
              "completes it for a frozen process too; give send or expect");
    } else if (result.answered) {
      add(subject, CheckLevel::ok,
          fmt::format("{}: {}", result.what, result.detail));
    } else {
      add(subject, CheckLevel::warn,
          fmt::format("{} does not answer now ({}), so that silence after "
                      "containment would prove nothing",
                      result.what, result.detail));
    }
  }

  void probes_as_a_whole() {
    const bool has_forbidden =
        std::ranges::any_of(deployment_.probes, [](const Probe& probe) {
          return probe.after_containment == ProbeExpectation::forbidden;
        });
    if (has_forbidden) return;
    add("probes", CheckLevel::warn,
        "no probe is forbidden to answer after containment, which will be "
        "judged by what the method measures alone");
  }

  bool token(const std::string& subject, const fs::path& path) {
    if (!is_readable(subject, path)) return false;
    const auto stat = stat_path(path, Links::follow);
    if (stat && (stat->mode & 0077U) != 0) {
      add(subject, CheckLevel::warn,
          fmt::format("{} can be read by others (mode {:04o})",
                      printable(path.native()), stat->mode));
    }
    return true;
  }

  /// Adds a failed check where the answer is no.
  bool is_readable(const std::string& subject, const fs::path& path) {
    const auto stat = stat_path(path, Links::follow);
    if (!stat) {
      add(subject, CheckLevel::fail,
          printable(path.native()) + ": " + stat.failure().message());
      return false;
    }
    if (::access(path.c_str(), R_OK) != 0) {
      add(subject, CheckLevel::fail,
          printable(path.native()) + " may not be read");
      return false;
    }
    return true;
  }

  void free_space() {
    if (tools_.evidence_folder.empty()) return;
    std::uint64_t needed = limits::kReservedFreeBytes;
    for (const Collector* const one : tools_.collectors) {
      try {
        needed += one->estimate(target_);
      } catch (const Error&) {
        continue;  // said above, where the thing itself was looked at
      }
    }
    const std::uint64_t free = free_bytes(tools_.evidence_folder);
    add("free space", free >= needed ? CheckLevel::ok : CheckLevel::fail,
        fmt::format("{} are free at {}; everything taken without compression "
                    "would need {}",
                    human_bytes(free),
                    printable(tools_.evidence_folder.native()),
                    human_bytes(needed)));
  }

  const Deployment& deployment_;
  const CheckTools& tools_;
  Target target_;
  std::vector<DeploymentCheck> checks_;
};

}  // namespace

std::string_view to_string(CheckLevel level) noexcept {
  switch (level) {
    case CheckLevel::ok:
      return "ok";
    case CheckLevel::warn:
      return "warn";
    case CheckLevel::fail:
      return "fail";
  }
  return "fail";
}

std::vector<DeploymentCheck> check_deployment(const Deployment& deployment,
                                              const CheckTools& tools) {
  return Checker(deployment, tools).run();
}

}  // namespace impound
