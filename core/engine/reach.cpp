// SPDX-License-Identifier: Apache-2.0
#include "core/engine/reach.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/path_glob.hpp"
#include "core/base/text.hpp"
#include "core/engine/examiner.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/places.hpp"
#include "core/evidence/locate.hpp"
#include "core/evidence/log_set.hpp"

namespace impound {
namespace {

fs::path absolute_path(const fs::path& path) {
  std::error_code failure;
  fs::path absolute = fs::absolute(path, failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot resolve {}: {}", printable(path.native()),
                            failure.message()),
                failure.value());
  }
  return absolute;
}

/// The folder above the first component with a wildcard.
fs::path fixed_part(const fs::path& pattern) {
  fs::path fixed;
  for (const fs::path& part : pattern) {
    if (has_wildcard(part.native())) break;
    fixed /= part;
  }
  return fixed;
}

bool is_process_name(std::string_view name) {
  return name == "pid" || name.ends_with("_pid");
}

bool is_same_file(const FileStat& one, const FileStat& two) {
  return one.device == two.device && one.inode == two.inode;
}

}  // namespace

std::string_view to_string(TouchKind kind) noexcept {
  switch (kind) {
    case TouchKind::path:
      return "path";
    case TouchKind::process:
      return "process";
    case TouchKind::host:
      break;
  }
  return "host";
}

std::string_view to_string(TouchGround ground) noexcept {
  switch (ground) {
    case TouchGround::deployment:
      return "of the deployment";
    case TouchGround::command_line:
      return "given on the command line";
    case TouchGround::reads:
      break;
  }
  return "declared in needs.reads";
}

Json Touch::to_json() const {
  Json json{{"kind", to_string(kind)},
            {"what", lossless_utf8(what)},
            {"ground", to_string(ground)}};
  if (!at.empty()) json["at"] = lossless_utf8(at);
  return json;
}

std::string Touch::in_words() const {
  return fmt::format("{} {}{} ({})", to_string(kind), printable(what),
                     at.empty() ? std::string() : " -> " + printable(at),
                     to_string(ground));
}

Json ReachGiven::to_json() const {
  Json json{{"paths", Json::array()}, {"processes", processes}};
  for (const Path& one : paths) {
    json["paths"].push_back(
        {{"text", lossless_utf8(one.text)},
         {"absolute", lossless_utf8(one.absolute.native())}});
  }
  return json;
}

ReachGiven ReachGiven::from_json(const Json& json, std::string_view source) {
  ReachGiven given;
  for (const Json& one : require_key(json, "paths", source)) {
    given.paths.push_back(
        {.text = from_lossless_utf8(require_text(one, "text", source)),
         .absolute =
             from_lossless_utf8(require_text(one, "absolute", source))});
  }
  for (const Json& one : require_key(json, "processes", source)) {
    if (!one.is_number_integer()) {
      throw Error(Errc::malformed,
                  fmt::format("{}: processes: expected numbers", source));
    }
    given.processes.push_back(one.get<std::int64_t>());
  }
  return given;
}

ReachGiven reach_given(std::span<const Parameter> parameters, const Json& typed,
                       const Arguments& values) {
  ReachGiven given;
  for (const Parameter& one : parameters) {
    const bool is_typed = typed.contains(one.name);
    if (one.type == ParameterType::path) {
      const std::string text = values.text(one.name).value_or("");
      if (text.empty()) continue;
      if (is_typed) {
        given.paths.push_back({.text = text, .absolute = absolute_path(text)});
      } else {
        given.defaults.emplace_back(one.name, text);
      }
    } else if (one.type == ParameterType::integer && is_typed &&
               is_process_name(one.name)) {
      if (const auto number = values.integer(one.name)) {
        given.processes.push_back(*number);
      }
    }
  }
  return given;
}

std::vector<OwnPlace> own_places(const fs::path& case_folder,
                                 const fs::path& key_file) {
  std::vector<OwnPlace> places;
  const auto add = [&places](std::string what, const fs::path& path) {
    if (!path.empty()) places.push_back({std::move(what), absolute_path(path)});
  };
  const auto add_found = [&add](const char* what, const auto& find) {
    try {
      add(what, find());
    } catch (const Error&) {  // there is none: no HOME, no examiner yet
      return;
    }
  };
  // The first that fits is named, so the narrowest comes first.
  add("the signing key", key_file);
  add_found("the signing key", [] { return load_profile().key_file; });
  add("the case", case_folder);
  add_found("the folder of cases", [] { return cases_folder(); });
  add_found("the settings of the examiner", [] { return config_folder(); });
  return places;
}

bool lies_within(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  // "/a/" ends with an empty component.
  return end == folder.end() ||
         (end->empty() && std::next(end) == folder.end());
}

bool is_of_kernel(const fs::path& absolute) {
  return lies_within(absolute, "/proc") || lies_within(absolute, "/sys") ||
         lies_within(absolute, "/dev");
}

void require_names(std::string_view owner,
                   std::span<const Parameter> parameters,
                   const Json& arguments) {
  const auto require = [&](const Parameter& parameter, const Json& value) {
    const Touches touches = parameter.touched();
    if (touches == Touches::nothing || !value.is_string()) return;
    const std::string text =
        from_lossless_utf8(value.get_ref<const std::string&>());
    std::string_view expected;
    if (touches == Touches::evidence) {
      if (parse_exhibit_reference(text)) return;
      expected = "an exhibit or an item of one (E001, E001/17)";
    } else {
      if (!text.empty() && text.find('\0') == std::string::npos) return;
      expected = "a name without NUL bytes";
    }
    throw Error(Errc::bad_input,
                fmt::format("{}: {}: expected {}, found \"{}\"", owner,
                            parameter.name, expected, printable(text)));
  };
  for (const Parameter& parameter : parameters) {
    const auto found = arguments.find(parameter.name);
    if (found == arguments.end()) continue;
    if (!found->is_array()) {
      require(parameter, *found);
      continue;
    }
    for (const Json& one : *found) require(parameter, one);
  }
}

PlaybookReach::PlaybookReach(const Deployment& deployment, Allowed allowed,
                             Disk disk)
    : deployment_(&deployment), allowed_(std::move(allowed)), disk_(disk) {
  for (OwnPlace& own : allowed_.own) {
    try {
      own.path = resolve(own.path);
    } catch (const Error&) {
      // Where nobody can follow it, no playbook can either.
      own.path = own.path.lexically_normal();
    }
  }
  add_root(deployment_->model_path, TouchGround::deployment);
  add_root(deployment_->baseline_path, TouchGround::deployment);
  for (const ReachGiven::Path& one : allowed_.given.paths) {
    add_root(one.absolute, TouchGround::command_line);
  }
  for (const fs::path& one : allowed_.reads) {
    add_root(one, TouchGround::reads);
  }
}

void PlaybookReach::add_root(const fs::path& path, TouchGround ground) {
  if (path.empty()) return;
  Root root{.named = path, .resolved = {}, .ground = ground};
  root.is_raw = is_of_kernel(path);
  if (root.is_raw) {
    root.resolved = path;
  } else {
    try {
      root.resolved = resolve(path);
    } catch (const Error&) {
      return;  // what cannot be resolved allows nothing; its use says why
    }
  }
  // Files of a Hugging Face snapshot are links into the blobs beside it.
  const fs::path snapshots = root.resolved.parent_path();
  if (snapshots.filename() == "snapshots") {
    root.store = snapshots.parent_path() / "blobs";
  }
  roots_.push_back(std::move(root));
}

fs::path PlaybookReach::resolve(const fs::path& absolute) const {
  if (disk_ == Disk::made_up) return absolute.lexically_normal();
  std::error_code failure;
  fs::path real = fs::weakly_canonical(absolute, failure);
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot resolve {}: {}",
                            printable(absolute.native()), failure.message()),
                failure.value());
  }
  return real;
}

std::string PlaybookReach::own_place_of(const fs::path& resolved) const {
  const auto stat = disk_ == Disk::real ? stat_path(resolved, Links::follow)
                                        : OsResult<FileStat>(OsFailure{});
  for (const OwnPlace& own : allowed_.own) {
    const std::string name =
        fmt::format("{} {}", own.what, printable(own.path.native()));
    if (resolved == own.path) return "is " + name;
    if (lies_within(resolved, own.path)) return "lies in " + name;
    // Somebody reads a folder to its bottom.
    if (lies_within(own.path, resolved)) return "holds " + name;
    // The same folder or file under another name: a bind mount.
    const auto mine = disk_ == Disk::real ? stat_path(own.path, Links::follow)
                                          : OsResult<FileStat>(OsFailure{});
    if (stat && mine && mine->kind == FileKind::directory &&
        is_same_file(*stat, *mine)) {
      return "is " + name;
    }
  }
  return {};
}

std::string PlaybookReach::why_no_read(const fs::path& resolved) const {
  std::string own = own_place_of(resolved);
  if (!own.empty()) return own + ", which no playbook reads";
  const fs::path& home = allowed_.home;
  if (home.empty() || home == home.root_path()) return {};
  const fs::path real = resolve(home);
  if (lies_within(resolved, real) || lies_within(real, resolved)) {
    return fmt::format("{} the home folder {}, which no playbook may declare",
                       lies_within(resolved, real) ? "lies in" : "holds",
                       printable(home.native()));
  }
  return {};
}

void PlaybookReach::require_admissible_reads() const {
  for (const fs::path& path : allowed_.reads) {
    const fs::path resolved = resolve(path);
    std::string why = is_of_kernel(resolved) ? "leads into a tree of the kernel"
                                             : why_no_read(resolved);
    if (why.empty()) continue;
    throw Error(Errc::bad_input, fmt::format("needs.reads: \"{}\" {}",
                                             printable(path.native()), why));
  }
}

const PlaybookReach::Root* PlaybookReach::root_of(
    const fs::path& absolute, const fs::path& resolved) const {
  for (const Root& root : roots_) {
    if (root.ground == TouchGround::reads && !has_reads_) continue;
    if (root.is_raw
            ? absolute == root.named
            : lies_within(resolved, root.resolved) ||
                  (!root.store.empty() && lies_within(resolved, root.store) &&
                   lies_within(absolute, root.named))) {
      return &root;
    }
  }
  return nullptr;
}

bool PlaybookReach::is_log(const fs::path& absolute,
                           const fs::path& resolved) const {
  return std::ranges::any_of(deployment_->logs, [&](const LogSource& log) {
    if (absolute == log.path) return true;
    if (disk_ == Disk::made_up) {
      return glob_match(log.path, absolute.native());
    }
    const LogSet set = find_log_files(log);
    return std::ranges::any_of(set.files, [&](const LogFile& file) {
      if (file.path == absolute) return true;
      std::error_code failure;
      return fs::weakly_canonical(file.path, failure) == resolved && !failure;
    });
  });
}

/// Why a path is allowed on nobody's word.
std::string PlaybookReach::why_not(const std::string& text) const {
  for (const auto& [parameter, value] : allowed_.given.defaults) {
    if (value != text) continue;
    return fmt::format(
        "is the default of parameter {0}, which nobody gave: a person says "
        "-p {0}=…, or the playbook declares it in needs.reads",
        printable(parameter));
  }
  for (const fs::path& one : allowed_.reads) {
    if (!has_reads_ && lies_within(fs::path(text), one)) {
      return "is declared in needs.reads, and nobody approved it";
    }
  }
  return "is neither an exhibit nor a path of the deployment, of a parameter "
         "of type path that was given on the command line, or of needs.reads";
}

/// One call on its way through the door.
class PlaybookReach::Admission {
 public:
  Admission(const PlaybookReach& reach, const Asked& asked)
      : reach_(reach), asked_(asked) {}

  Admitted run() && {
    admitted_.arguments = asked_.arguments;
    bool is_named = false;
    for (const Parameter& parameter : asked_.parameters) {
      parameter_ = &parameter;
      const auto found = admitted_.arguments.find(parameter.name);
      if (found == admitted_.arguments.end() || found->is_null()) continue;
      const Touches touches = parameter.touched();
      is_named = is_named || (touches != Touches::nothing);
      if (found->is_array() && touches != Touches::nothing) {
        for (Json& one : *found) one = value(touches, one);
      } else {
        *found = value(touches, *found);
      }
    }
    parameter_ = nullptr;
    if (!is_named) {
      for (const DeploymentPart part : asked_.takes) take(part);
    }
    return std::move(admitted_);
  }

 private:
  [[noreturn]] void refuse(const std::string& text,
                           const std::string& why) const {
    throw Error(
        Errc::bad_input,
        fmt::format("{}{}: \"{}\" {}", asked_.owner,
                    parameter_ == nullptr ? std::string()
                                          : ": " + printable(parameter_->name),
                    printable(text), why));
  }

  void touch(Touch touch) {
    if (std::ranges::find(admitted_.touches, touch) ==
        admitted_.touches.end()) {
      admitted_.touches.push_back(std::move(touch));
    }
  }

  void touch_path(const fs::path& named, const fs::path& resolved,
                  TouchGround ground) {
    touch({.kind = TouchKind::path,
           .what = named.native(),
           .at = named == resolved ? std::string() : resolved.native(),
           .ground = ground});
  }

  Json value(Touches touches, const Json& given) {
    if (touches == Touches::nothing) return given;
    if (touches == Touches::process) {
      process(given.get<std::int64_t>());
      return given;
    }
    // A parameter that nobody declared the meaning of is refused whatever it
    // holds: to forget it must not open a door.
    if (touches == Touches::unsaid || !given.is_string()) {
      throw Error(Errc::unsupported,
                  fmt::format("{}: {}: this build does not say what it names, "
                              "so a playbook may not give it",
                              asked_.owner, parameter_->name));
    }
    const std::string text =
        from_lossless_utf8(given.get_ref<const std::string&>());
    if (text.find('\0') != std::string::npos) refuse(text, "holds a NUL byte");
    const bool is_reference = parse_exhibit_reference(text).has_value();
    switch (touches) {
      case Touches::evidence:
        if (!is_reference) refuse(text, "is no exhibit and no item of one");
        return given;
      case Touches::place:
        if (is_reference) return given;
        break;
      case Touches::signature:
        if (is_reference || is_name_inside(text)) return given;
        break;
      case Touches::pattern:
        return lossless_utf8(pattern(text).native());
      default:
        break;
    }
    return lossless_utf8(path(text).native());
  }

  /// Searched for in what the call is about, nowhere else.
  [[nodiscard]] bool is_name_inside(const std::string& text) const {
    return is_safe_member_name(text) && !given(text);
  }

  /// Where a name that a person gave leads; names that continue it, too.
  [[nodiscard]] std::optional<fs::path> given(const std::string& text) const {
    for (const ReachGiven::Path& one : reach_.allowed_.given.paths) {
      if (text == one.text) return one.absolute;
      if (text.starts_with(one.text + "/")) {
        return one.absolute / text.substr(one.text.size() + 1);
      }
    }
    return std::nullopt;
  }

  /// @throws Error{bad_input} for a relative name that nobody gave: relative to
  ///         what?
  [[nodiscard]] fs::path absolute(const std::string& text) const {
    if (auto found = given(text)) return *found;
    if (!text.starts_with('/')) refuse(text, reach_.why_not(text));
    return text;
  }

  fs::path path(const std::string& text) {
    const fs::path named = absolute(text);
    const bool is_kernel = is_of_kernel(named);
    const fs::path resolved = is_kernel ? named : reach_.resolve(named);
    const Root* const root = reach_.root_of(named, resolved);
    if (root == nullptr && (is_kernel || !reach_.is_log(named, resolved))) {
      std::string why = reach_.why_not(text);
      if (resolved != named) {
        why += fmt::format(" (it leads to {})", printable(resolved.native()));
      }
      refuse(text, why);
    }
    refuse_own(text, resolved);
    if (root != nullptr && root->ground == TouchGround::reads) {
      const std::string why = reach_.why_no_read(resolved);
      if (!why.empty()) refuse(text, why);
    }
    touch_path(named, resolved,
               root == nullptr ? TouchGround::deployment : root->ground);
    return resolved;
  }

  void refuse_own(const std::string& text, const fs::path& resolved) const {
    const std::string own = reach_.own_place_of(resolved);
    if (!own.empty()) refuse(text, own + ", which no playbook reads");
  }

  fs::path pattern(const std::string& text) {
    const bool is_file =
        reach_.disk_ == Disk::real && stat_path(absolute(text), Links::refuse);
    if (!has_wildcard(text) || is_file) return path(text);
    const fs::path named = absolute(text);
    const fs::path folder = fixed_part(named);
    if (is_of_kernel(named)) refuse(text, reach_.why_not(text));
    const auto is_log = std::ranges::find(reach_.deployment_->logs,
                                          named.native(), &LogSource::path);
    const bool is_given = given(text).has_value();
    const fs::path resolved = reach_.resolve(folder);
    const Root* const root = reach_.root_of(folder, resolved);
    if (is_log == reach_.deployment_->logs.end() && !is_given &&
        root == nullptr) {
      refuse(text, reach_.why_not(text));
    }
    if (reach_.disk_ == Disk::real) {
      for (const fs::path& match : find_matches(named.native()).paths) {
        const fs::path real = reach_.resolve(match);
        if (root != nullptr && reach_.root_of(match, real) == nullptr) {
          refuse(match.native(),
                 fmt::format("of {} leads out of it, to {}", printable(text),
                             printable(real.native())));
        }
        refuse_own(match.native(), real);
      }
    }
    touch_path(named, named,
               is_given          ? TouchGround::command_line
               : root != nullptr ? root->ground
                                 : TouchGround::deployment);
    return named;
  }

  void process(std::int64_t pid) {
    const auto& given = reach_.allowed_.given.processes;
    const bool is_given = std::ranges::find(given, pid) != given.end();
    if (!is_given && reach_.disk_ == Disk::real) {
      const ProcFs procfs;
      const auto found = locate_processes(reach_.deployment_->process, procfs);
      const auto tree = procfs.tree(found.roots);
      if (std::ranges::find(tree, pid, [](const ProcessStat& one) {
            return std::int64_t{one.pid};
          }) == tree.end()) {
        refuse(std::to_string(pid),
               "is no process of the deployment now, and nobody gave it on "
               "the command line in a parameter pid or …_pid");
      }
    }
    touch({.kind = TouchKind::process,
           .what = std::to_string(pid),
           .ground =
               is_given ? TouchGround::command_line : TouchGround::deployment});
  }

  void take(DeploymentPart part) {
    const Deployment& deployment = *reach_.deployment_;
    switch (part) {
      case DeploymentPart::model:
        take_path(deployment.model_path);
        return;
      case DeploymentPart::baseline:
        take_path(deployment.baseline_path);
        return;
      case DeploymentPart::logs:
        for (const LogSource& log : deployment.logs) take_log(log);
        return;
      case DeploymentPart::process:
        take_process();
        return;
      case DeploymentPart::probes:
        for (const Probe& probe : deployment.probes) take_probe(probe);
        return;
    }
  }

  /// What the descriptor names is touched wherever it leads, but for our own.
  void take_path(const fs::path& path) {
    if (path.empty()) return;
    const fs::path resolved = is_of_kernel(path) ? path : reach_.resolve(path);
    refuse_own(path.native(), resolved);
    touch_path(path, resolved, TouchGround::deployment);
  }

  void take_log(const LogSource& log) {
    if (reach_.disk_ == Disk::real) {
      for (const LogFile& file : find_log_files(log).files) {
        std::error_code failure;
        const fs::path real = fs::weakly_canonical(file.path, failure);
        // What cannot be resolved cannot be opened: the collector's gap.
        if (!failure) refuse_own(file.path.native(), real);
      }
    }
    touch_path(log.path, log.path, TouchGround::deployment);
  }

  void take_process() {
    const ProcessLocator& locator = reach_.deployment_->process;
    const std::string words = impound::in_words(locator);
    if (words.empty()) return;
    if (locator.pidfile) take_path(*locator.pidfile);
    std::string pids;
    if (reach_.disk_ == Disk::real) {
      const ProcFs procfs;
      for (const ProcessStat& one :
           procfs.tree(locate_processes(locator, procfs).roots)) {
        pids += (pids.empty() ? "" : ", ") + std::to_string(one.pid);
      }
    }
    touch({.kind = TouchKind::process,
           .what = pids.empty() ? fmt::format("of {}, none now", words)
                                : fmt::format("{} (of {})", pids, words)});
  }

  void take_probe(const Probe& probe) {
    touch({.kind = TouchKind::host,
           .what = probe.kind == ProbeKind::http
                       ? probe.url
                       : fmt::format("{}:{}", probe.host, probe.port)});
    take_path(probe.token_file);
    take_path(probe.ca_file);
  }

  const PlaybookReach& reach_;
  const Asked& asked_;
  const Parameter* parameter_ = nullptr;
  Admitted admitted_;
};

PlaybookReach::Admitted PlaybookReach::admit(const Asked& asked) const {
  return Admission(*this, asked).run();
}

}  // namespace impound
