// SPDX-License-Identifier: Apache-2.0
/// container: pauses containers and takes them off their networks over a
/// Docker-compatible API on a Unix socket. Nothing is stopped or removed.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "containment/control_plane.hpp"
#include "containment/freezer.hpp"
#include "core/base/error.hpp"
#include "core/base/procfs.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "the recorded state of containment";

/// Docker 19.03 and later, and every Podman, answer to it.
constexpr std::string_view kApi = "/v1.40";

enum class Action : std::uint8_t { pause, disconnect, both };
constexpr std::array<std::string_view, 3> kActions{"pause", "disconnect",
                                                   "both"};

/// @throws Error{malformed}; the words are checked where they are declared.
Action action_from(const std::string& word) {
  const auto found = std::ranges::find(kActions, word);
  if (found == kActions.end()) {
    throw Error(Errc::malformed, fmt::format("{}: unknown action", kSource));
  }
  return static_cast<Action>(found - kActions.begin());
}

bool pauses(Action action) { return action != Action::disconnect; }
bool disconnects(Action action) { return action != Action::pause; }

/// Names and ids that are one segment of a path.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
         });
}

struct NetworkPlace {
  std::string name;
  std::string v4;
  std::string v6;
  std::vector<std::string> aliases;
};

/// A container as the engine tells it. Its environment is never looked at.
struct Seen {
  std::string id;
  std::string name;
  std::string image;
  std::string status;
  std::string started_at;
  bool is_paused = false;
  Pid pid = 0;
  std::vector<NetworkPlace> networks;
};

/// As `before` names it.
struct Recorded {
  Seen seen;
  std::string asked;  ///< the name by which it was asked for
};

struct Plan {
  ControlEndpoint endpoint;
  Action action = Action::pause;
  std::vector<Recorded> containers;
  bool has_record = false;
};

ControlEndpoint endpoint_of(const Arguments& arguments) {
  ControlEndpoint endpoint = endpoint_from(arguments);
  endpoint.url = "http://localhost";
  return endpoint;
}

ControlRequest get(std::string target) {
  return {.verb = "GET", .target = std::string(kApi) + std::move(target)};
}
ControlRequest post(std::string target, const Json& body = nullptr) {
  return {.verb = "POST",
          .target = std::string(kApi) + std::move(target),
          .body = body.is_null() ? std::string() : body.dump()};
}

Seen seen_from(const Json& json, const std::string& source) {
  const Json& state = require_key(json, "State", source);
  Seen seen;
  seen.id = require_text(json, "Id", source);
  seen.name = text_or(json, "Name", "");
  seen.image = text_or(json, "Image", "");
  seen.status = require_text(state, "Status", source);
  seen.started_at = text_or(state, "StartedAt", "");
  seen.is_paused = state.value("Paused", false) || seen.status == "paused";
  seen.pid = state.value("Pid", 0);
  if (!is_name(seen.id)) {
    throw Error(Errc::malformed, fmt::format("{}: Id: expected a container id",
                                             printable(source)));
  }
  const auto settings = json.find("NetworkSettings");
  if (settings == json.end()) return seen;
  const auto networks = settings->find("Networks");
  if (networks == settings->end() || !networks->is_object()) return seen;
  for (const auto& [name, place] : networks->items()) {
    NetworkPlace one{.name = name,
                     .v4 = text_or(place, "IPAddress", ""),
                     .v6 = text_or(place, "GlobalIPv6Address", ""),
                     .aliases = {}};
    if (!is_name(name)) {
      throw Error(Errc::malformed,
                  fmt::format("{}: Networks: expected a network's name, found "
                              "\"{}\"",
                              printable(source), printable(name)));
    }
    const auto aliases = place.find("Aliases");
    if (aliases != place.end() && aliases->is_array()) {
      for (const Json& alias : *aliases) {
        if (alias.is_string()) one.aliases.push_back(alias.get<std::string>());
      }
    }
    seen.networks.push_back(std::move(one));
  }
  return seen;
}

/// Nothing where the engine knows no such container.
std::optional<Seen> look_at(const ControlEndpoint& endpoint,
                            const std::string& name, const Target& target) {
  const ControlRequest request = get("/containers/" + name + "/json");
  const ControlAnswer answer = ask(endpoint, request, target);
  if (answer.status == 404) return std::nullopt;
  const std::string source =
      fmt::format("the answer of {} to {}", endpoint.name(), request.line());
  if (!answer.is_ok()) {
    throw Error(Errc::io, fmt::format("{}: expected success, found {}",
                                      printable(source), answer.in_words()));
  }
  return seen_from(parse_json(answer.body, source), source);
}

Json to_json(const Seen& seen) {
  Json networks = Json::array();
  for (const NetworkPlace& one : seen.networks) {
    networks.push_back({{"name", one.name},
                        {"v4", one.v4},
                        {"v6", one.v6},
                        {"aliases", one.aliases}});
  }
  return {{"id", seen.id},
          {"name", seen.name},
          {"image", seen.image},
          {"status", seen.status},
          {"started_at", seen.started_at},
          {"paused", seen.is_paused},
          {"pid", seen.pid},
          {"networks", std::move(networks)}};
}

Recorded recorded_from(const Json& json) {
  Recorded one;
  one.asked = require_text(json, "asked", kSource);
  one.seen.id = require_text(json, "id", kSource);
  one.seen.name = require_text(json, "name", kSource);
  one.seen.started_at = require_text(json, "started_at", kSource);
  one.seen.is_paused = json.value("paused", false);
  for (const Json& network : require_key(json, "networks", kSource)) {
    NetworkPlace place{.name = require_text(network, "name", kSource),
                       .v4 = require_text(network, "v4", kSource),
                       .v6 = require_text(network, "v6", kSource),
                       .aliases = {}};
    for (const Json& alias : require_key(network, "aliases", kSource)) {
      place.aliases.push_back(alias.get<std::string>());
    }
    one.seen.networks.push_back(std::move(place));
  }
  return one;
}

Plan plan_from(const Json& record) {
  Plan plan;
  plan.endpoint = ControlEndpoint::from_json(
      require_key(record, "endpoint", kSource), kSource);
  plan.action = action_from(require_text(record, "action", kSource));
  for (const Json& one : require_key(record, "containers", kSource)) {
    plan.containers.push_back(recorded_from(one));
  }
  plan.has_record = true;
  return plan;
}

Plan plan_from(const Arguments& arguments) {
  Plan plan;
  plan.endpoint = endpoint_of(arguments);
  plan.action = action_from(arguments.text("action").value_or("pause"));
  for (const std::string& name : arguments.texts("containers")) {
    if (!is_name(name)) {
      throw Error(Errc::bad_input,
                  fmt::format("container: containers: expected a name or id, "
                              "found \"{}\"",
                              printable(name)));
    }
    plan.containers.push_back({.seen = {}, .asked = name});
  }
  if (plan.containers.empty()) {
    throw Error(Errc::bad_input,
                "container: containers: expected at least one");
  }
  return plan;
}

bool is_record(const Json& record) { return record.contains("containers"); }

Json before(const Target& target) {
  const Plan plan = plan_from(target.arguments);
  Json record;
  record["endpoint"] = plan.endpoint.to_json();
  record["action"] = kActions[static_cast<std::size_t>(plan.action)];
  record["containers"] = Json::array();
  for (const Recorded& one : plan.containers) {
    const auto seen = look_at(plan.endpoint, one.asked, target);
    if (!seen) {
      throw Error(Errc::io,
                  fmt::format("{} has no container {}",
                              printable(plan.endpoint.name()), one.asked));
    }
    if (seen->status != "running" && !seen->is_paused) {
      throw Error(Errc::io,
                  fmt::format("container {} is {}, expected running: nothing "
                              "of it is in memory that could be kept",
                              one.asked, printable(seen->status)));
    }
    if (seen->is_paused && disconnects(plan.action)) {
      // The engine says yes and leaves the card in the container.
      throw Error(Errc::io,
                  fmt::format("container {} is paused: a paused one cannot be "
                              "taken off its networks; unpause it, or use "
                              "action = \"pause\"",
                              one.asked));
    }
    Json json = to_json(*seen);
    json["asked"] = one.asked;
    record["containers"].push_back(std::move(json));
  }
  return record;
}

/// One request of apply(), and what it is for.
struct Step {
  ControlRequest request;
  std::string what;
};

/// Off the networks first: a paused container is not taken off them, whatever
/// the engine answers.
std::vector<Step> steps_of(const Plan& plan) {
  std::vector<Step> steps;
  for (const Recorded& one : plan.containers) {
    if (!disconnects(plan.action)) continue;
    for (const NetworkPlace& network : one.seen.networks) {
      steps.push_back({post("/networks/" + network.name + "/disconnect",
                            {{"Container", one.seen.id}, {"Force", true}}),
                       fmt::format("takes {} off the network {}", one.asked,
                                   network.name)});
    }
  }
  for (const Recorded& one : plan.containers) {
    if (pauses(plan.action) && !one.seen.is_paused) {
      steps.push_back(
          {post("/containers/" + one.seen.id + "/pause"),
           fmt::format("pauses {}: memory stays, nothing runs", one.asked)});
    }
  }
  return steps;
}

std::vector<PlannedAct> acts(const Target&, const Json& record) {
  const Plan plan = plan_from(record);
  std::vector<PlannedAct> list;
  for (Step& one : steps_of(plan)) {
    list.push_back(one.request.planned(plan.endpoint, std::move(one.what)));
  }
  return list;
}

/// Whether a refused request is refused because it is so already.
bool is_so_already(const ControlAnswer& answer) {
  const std::string said = to_lower_ascii(answer.body);
  return answer.status == 304 || said.find("already paused") != said.npos ||
         said.find("is not connected to") != said.npos;
}

Json apply(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  Json done = Json::array();
  for (const Step& one : steps_of(plan)) {
    const ControlAnswer answer = ask(plan.endpoint, one.request, target);
    if (!answer.is_ok() && !is_so_already(answer)) {
      throw Error(Errc::io, fmt::format("{}: {}: expected success, found {}",
                                        printable(plan.endpoint.name()),
                                        printable(one.request.line()),
                                        answer.in_words()));
    }
    done.push_back(one.request.line());
  }
  return {{"done", std::move(done)}};
}

Json connect_body(const Recorded& one, const NetworkPlace& network) {
  Json addresses = Json::object();
  if (!network.v4.empty()) addresses["IPv4Address"] = network.v4;
  if (!network.v6.empty()) addresses["IPv6Address"] = network.v6;
  Json aliases = Json::array();
  for (const std::string& alias : network.aliases) {
    // The engine gives the short id itself, and refuses to be given it.
    if (!one.seen.id.starts_with(alias)) aliases.push_back(alias);
  }
  return {{"Container", one.seen.id},
          {"EndpointConfig",
           {{"IPAMConfig", std::move(addresses)},
            {"Aliases", std::move(aliases)}}}};
}

bool is_on(const Seen& seen, const std::string& network) {
  return std::ranges::find(seen.networks, network, &NetworkPlace::name) !=
         seen.networks.end();
}

void give_back(const Plan& plan, const Recorded& one, const Target& target,
               Json& done) {
  const auto now = look_at(plan.endpoint, one.seen.id, target);
  if (!now) {
    done.push_back(one.asked + " is gone");
    return;
  }
  // Awake first: a paused container takes no network.
  if (now->is_paused && !one.seen.is_paused) {
    const ControlRequest request =
        post("/containers/" + one.seen.id + "/unpause");
    static_cast<void>(ask_ok(plan.endpoint, request, target));
    done.push_back(request.line());
  }
  if (now->status == "exited" || now->status == "created") {
    done.push_back(one.asked + " does not run: its networks are for its start");
  }
  for (const NetworkPlace& network : one.seen.networks) {
    if (!disconnects(plan.action) || is_on(*now, network.name)) continue;
    const ControlRequest request = post(
        "/networks/" + network.name + "/connect", connect_body(one, network));
    static_cast<void>(ask_ok(plan.endpoint, request, target));
    done.push_back(request.line());
  }
}

/// All that can be given back is, whatever fails on the way.
Json undo(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  Json done = Json::array();
  std::string problems;
  for (const Recorded& one : plan.containers) {
    try {
      give_back(plan, one, target, done);
    } catch (const Error& error) {
      problems += (problems.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  if (!problems.empty()) throw Error(Errc::io, problems);
  return {{"done", std::move(done)}};
}

/// What the kernel says of a container, where its process is one of ours: the
/// number that an engine tells may be of another machine.
struct KernelWord {
  bool is_seen = false;
  bool stands_still = false;
  std::vector<std::string> cards;  ///< but loopback
  std::size_t connections = 0;
};

KernelWord ask_kernel(const Seen& seen) {
  const ProcFs procfs;
  KernelWord word;
  if (seen.pid <= 0) return word;
  for (const CgroupMembership& group : procfs.cgroups(seen.pid)) {
    word.is_seen =
        word.is_seen || group.path.find(seen.id) != std::string::npos;
  }
  if (!word.is_seen) return word;
  word.stands_still = is_standing_still(seen.pid, procfs);
  if (const auto text = read_proc_text(procfs.path(seen.pid, "net/dev"))) {
    for (const std::string& line : split(*text, '\n')) {
      const auto colon = line.find(':');
      if (colon == std::string::npos) continue;
      const std::string card(trim(line.substr(0, colon)));
      // Tunnels that every namespace has stand there unused.
      if (card != "lo" && !card.ends_with("0@NONE") && card != "tunl0" &&
          card != "sit0" && card != "ip6tnl0" && card != "gre0" &&
          card != "gretap0" && card != "erspan0" && card != "ip_vti0" &&
          card != "ip6_vti0" && card != "ip6gre0") {
        word.cards.push_back(card);
      }
    }
  }
  for (const SocketEntry& socket : procfs.sockets(seen.pid)) {
    if (socket.protocol.starts_with("tcp") && socket.state == "ESTABLISHED") {
      ++word.connections;
    }
  }
  return word;
}

/// One container, judged; `why` and the counts go into `measured`.
bool is_held(const Plan& plan, const Recorded& one, const Seen& now,
             MeasuredState& measured, std::size_t& connections,
             bool& is_counted) {
  const KernelWord kernel = ask_kernel(now);
  const bool is_paused =
      now.is_paused && (!kernel.is_seen || kernel.stands_still);
  const bool is_off =
      now.networks.empty() && (!kernel.is_seen || kernel.cards.empty());
  std::string words = fmt::format("{} is {}", one.asked, printable(now.status));
  if (kernel.is_seen) {
    words += kernel.stands_still ? ", its process stands still"
                                 : ", its process runs";
  }
  if (disconnects(plan.action)) {
    words += fmt::format(", on {} network{}", now.networks.size(),
                         now.networks.size() == 1 ? "" : "s");
    if (kernel.is_seen && !kernel.cards.empty()) {
      words += " with the card " + printable(join(kernel.cards));
    }
  }
  measured.why += (measured.why.empty() ? "" : "; ") + words;
  if (kernel.is_seen) {
    connections += kernel.connections;
  } else {
    is_counted = false;
  }
  bool was_off = false;
  if (plan.has_record) was_off = one.seen.networks.empty();
  if ((now.is_paused && !one.seen.is_paused) ||
      (disconnects(plan.action) && now.networks.empty() && plan.has_record &&
       !was_off)) {
    measured.holds_something = true;
  }
  return (!pauses(plan.action) || is_paused) &&
         (!disconnects(plan.action) || is_off);
}

MeasuredState state(const Target& target, const Json& record) {
  const Plan plan =
      is_record(record) ? plan_from(record) : plan_from(target.arguments);
  MeasuredState measured;
  measured.from = "the engine at " + plan.endpoint.name() + " and /proc";
  std::size_t held = 0;
  std::size_t found = 0;
  std::size_t connections = 0;
  bool is_counted = true;
  for (const Recorded& one : plan.containers) {
    // By name: what has the name now is what serves.
    const auto now = look_at(plan.endpoint, one.asked, target);
    if (!now) {
      measured.why += fmt::format("{}there is no container {}",
                                  measured.why.empty() ? "" : "; ", one.asked);
      continue;
    }
    if (plan.has_record && now->id != one.seen.id) {
      measured.why +=
          fmt::format("{}{} is another container now ({:.12})",
                      measured.why.empty() ? "" : "; ", one.asked, now->id);
      ++found;
      continue;
    }
    if (now->status != "running" && !now->is_paused) {
      measured.why +=
          fmt::format("{}{} is {}", measured.why.empty() ? "" : "; ", one.asked,
                      printable(now->status));
      continue;
    }
    ++found;
    if (is_held(plan, one, *now, measured, connections, is_counted)) ++held;
  }
  measured.measured = found == 0 ? Containedness::unknown
                      : held == plan.containers.size()
                          ? Containedness::contained
                          : Containedness::not_contained;
  measured.is_by_record = plan.has_record && measured.holds_something;
  if (is_counted && found != 0) {
    measured.connections_left = connections;
    measured.connections_from = "/proc of the containers";
  }
  return measured;
}

std::vector<std::string> things(const Json& record) {
  std::vector<std::string> names;
  if (!is_record(record)) return names;
  for (const Recorded& one : plan_from(record).containers) {
    names.push_back("container " + one.seen.id);
  }
  return names;
}

std::string describe(const Target& target) {
  const Plan plan = plan_from(target.arguments);
  std::string names;
  for (const Recorded& one : plan.containers) {
    names += (names.empty() ? "" : ", ") + one.asked;
  }
  const std::array<std::string_view, 3> kDoes{
      "Pauses",
      "Takes off every network:", "Takes off every network and pauses"};
  return fmt::format("{} {} at {}; nothing is stopped or removed.",
                     kDoes[static_cast<std::size_t>(plan.action)], names,
                     printable(plan.endpoint.name()));
}

std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = plan_from(record);
  const std::string curl = fmt::format("curl --unix-socket '{}' -X POST ",
                                       plan.endpoint.unix_socket.native());
  std::vector<std::string> lines;
  for (const Recorded& one : plan.containers) {
    if (pauses(plan.action) && !one.seen.is_paused) {
      lines.push_back(fmt::format("{}http://localhost{}/containers/{}/unpause",
                                  curl, kApi, one.seen.id));
    }
    for (const NetworkPlace& network : one.seen.networks) {
      if (!disconnects(plan.action)) continue;
      lines.push_back(fmt::format(
          "{}-H 'Content-Type: application/json' -d '{}' "
          "http://localhost{}/networks/{}/connect",
          curl, connect_body(one, network).dump(), kApi, network.name));
    }
  }
  return lines;
}

constexpr Effects effects_of_action(bool cuts) {
  return {.keeps = {.weights = Kept::kept,
                    .kv = Kept::kept,
                    .inflight = cuts ? Kept::lost : Kept::kept,
                    .process = Kept::kept},
          .undo = UndoPromise::exact};
}

Effects effects_with(const Arguments& arguments) {
  return effects_of_action(
      disconnects(action_from(arguments.text("action").value_or("pause"))));
}

const std::array kParameters{
    socket_parameter("The Unix socket of the engine.", "/run/docker.sock"),
    Parameter{.name = "containers",
              .type = ParameterType::texts,
              .help = "Names or ids of the containers.",
              .is_required = true,
              .touches = Touches::nothing},
    Parameter{.name = "action",
              .type = ParameterType::choice,
              .help = "Whether they are paused, taken off their networks, or "
                      "both.",
              .otherwise = "pause",
              .choices = {"pause", "disconnect", "both"}},
    timeout_parameter()};

}  // namespace

extern const Containment kContainerContainment;
constinit const Containment kContainerContainment{
    .name = "container",
    .summary = "Pauses containers, or takes them off their networks.",
    .parameters = kParameters,
    .before = before,
    .apply = apply,
    .undo = undo,
    .state = state,
    .things = things,
    .describe = describe,
    .by_hand = by_hand,
    .effects = effects_of_action(false),
    .effects_with = effects_with,
    .tried = Tried::real,
    .tried_with = "Podman 4.3 with crun (Debian 12); not Docker",
    .acts = acts,
};

}  // namespace impound
