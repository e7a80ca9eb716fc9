// SPDX-License-Identifier: Apache-2.0
/// haproxy: sets servers to maintenance over the runtime socket and cuts the
/// sessions they have. Nothing behind the proxy is touched.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "containment/control_plane.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Bits of srv_admin_state: HAProxy's include/haproxy/server-t.h.
constexpr unsigned kForcedMaintenance = 0x01;  // by the runtime socket
constexpr unsigned kForcedDrain = 0x08;

constexpr std::string_view kSource = "the recorded state of containment";

/// Rows of `show servers state`, which name the columns they have.
constexpr std::array<std::string_view, 4> kStateColumns{
    "be_name", "srv_name", "srv_admin_state", "srv_op_state"};

struct ServerName {
  std::string backend;
  std::string server;

  [[nodiscard]] std::string text() const { return backend + "/" + server; }
  friend bool operator==(const ServerName&, const ServerName&) = default;
};

/// One server of one proxy, as it is now.
struct ServerNow {
  unsigned admin = 0;
  unsigned operational = 0;
  std::uint64_t sessions = 0;

  [[nodiscard]] bool is_shut() const {
    return (admin & kForcedMaintenance) != 0;
  }
};

/// Names that HAProxy itself allows, so that a name cannot be a command.
bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' ||
           c == '-';
  });
}

ServerName server_from(const std::string& text) {
  const auto slash = text.find('/');
  ServerName name{
      .backend = text.substr(0, slash),
      .server = slash == std::string::npos ? "" : text.substr(slash + 1)};
  if (!is_name(name.backend) || !is_name(name.server)) {
    throw Error(Errc::bad_input,
                fmt::format("haproxy: servers: expected backend/server, found "
                            "\"{}\"",
                            printable(text)));
  }
  return name;
}

/// A socket is a path, or host:port.
ControlEndpoint endpoint_of(const std::string& socket, int timeout_ms) {
  ControlEndpoint endpoint;
  endpoint.timeout_ms = timeout_ms;
  if (socket.starts_with('/')) {
    endpoint.unix_socket = socket;
  } else {
    endpoint.url = socket;
  }
  return endpoint;
}

/// What is to be shut, and where.
struct Plan {
  std::vector<std::string> sockets;
  std::vector<ServerName> servers;
  int timeout_ms = 5000;
  /// Admin state before, by socket and server; empty without a record.
  Json before = Json::object();

  [[nodiscard]] std::optional<unsigned> admin_before(
      const std::string& socket, const ServerName& server) const {
    const auto at = before.find(socket);
    if (at == before.end()) return std::nullopt;
    const auto one = at->find(server.text());
    if (one == at->end()) return std::nullopt;
    return static_cast<unsigned>(require_u64(*one, "admin_state", kSource));
  }
};

Plan plan_from(const Arguments& arguments) {
  Plan plan;
  plan.sockets = arguments.texts("sockets");
  for (const std::string& one : arguments.texts("servers")) {
    plan.servers.push_back(server_from(one));
  }
  plan.timeout_ms =
      static_cast<int>(arguments.integer("timeout_ms").value_or(5000));
  if (plan.sockets.empty() || plan.servers.empty()) {
    throw Error(Errc::bad_input,
                "haproxy: expected at least one of sockets and of servers");
  }
  return plan;
}

Plan plan_from(const Json& record) {
  Plan plan;
  for (const Json& one : require_key(record, "sockets", kSource)) {
    plan.sockets.push_back(from_lossless_utf8(one.get<std::string>()));
  }
  for (const Json& one : require_key(record, "servers", kSource)) {
    plan.servers.push_back(server_from(one.get<std::string>()));
  }
  plan.timeout_ms =
      static_cast<int>(require_u64(record, "timeout_ms", kSource));
  for (const auto& [name, proxy] :
       require_key(record, "proxies", kSource).items()) {
    plan.before[name] = require_key(proxy, "servers", kSource);
  }
  return plan;
}

/// `record` where there is one, else what the descriptor says.
Plan plan_of(const Target& target, const Json& record) {
  return record.contains("proxies") ? plan_from(record)
                                    : plan_from(target.arguments);
}

std::string ask_proxy(const ControlEndpoint& endpoint, const std::string& line,
                      const Target& target) {
  std::string answer = ask_line(endpoint, line, target);
  // Refusals come as text where a table was asked for.
  const std::string said = to_lower_ascii(answer.substr(0, 200));
  for (const std::string_view word :
       {"permission denied", "unknown command", "can't find", "no such",
        "require a backend", "require 'backend/server'"}) {
    if (said.find(word) == std::string::npos) continue;
    throw Error(Errc::io,
                fmt::format("{}: {}: {}", printable(endpoint.name()),
                            printable(line), printable(trim(answer))));
  }
  return answer;
}

/// One that answers with one empty line, and with anything else if it failed.
void command(const ControlEndpoint& endpoint, const std::string& line,
             const Target& target) {
  const std::string answer = ask_proxy(endpoint, line, target);
  if (!trim(answer).empty()) {
    throw Error(Errc::io,
                fmt::format("{}: {}: expected an empty line, found \"{}\"",
                            printable(endpoint.name()), printable(line),
                            printable(trim(answer).substr(0, 200))));
  }
}

unsigned number_of(std::string_view text, std::string_view what) {
  unsigned value = 0;
  const auto [stop, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || stop != text.data() + text.size()) {
    throw Error(Errc::malformed,
                fmt::format("{}: expected a number, found \"{}\"", what,
                            printable(text)));
  }
  return value;
}

/// Where `name` stands in a row of column names.
/// @throws Error{malformed}.
std::size_t column(const std::vector<std::string>& names, std::string_view name,
                   std::string_view source) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    throw Error(Errc::malformed,
                fmt::format("{} has no column {}", printable(source), name));
  }
  return static_cast<std::size_t>(found - names.begin());
}

using Servers = std::vector<std::pair<ServerName, ServerNow>>;

/// Every server of one backend by `show servers state`.
Servers servers_of(const ControlEndpoint& endpoint, const std::string& backend,
                   const Target& target) {
  const std::string line = "show servers state " + backend;
  const std::string source = endpoint.name() + ": " + line;
  Servers servers;
  std::vector<std::string> names;
  std::array<std::size_t, kStateColumns.size()> at{};
  for (const std::string& row :
       split(ask_proxy(endpoint, line, target), '\n')) {
    if (row.starts_with("# ")) {
      names = split(row.substr(2), ' ');
      for (std::size_t i = 0; i < at.size(); ++i) {
        at[i] = column(names, kStateColumns[i], source);
      }
      continue;
    }
    const auto fields = split(row, ' ');
    if (names.empty() || fields.size() < names.size()) continue;
    servers.emplace_back(
        ServerName{.backend = fields[at[0]], .server = fields[at[1]]},
        ServerNow{.admin = number_of(fields[at[2]], source),
                  .operational = number_of(fields[at[3]], source)});
  }
  if (names.empty()) {
    throw Error(Errc::malformed,
                printable(source) + ": expected a table of servers");
  }
  return servers;
}

/// Current sessions by `show stat`.
void add_sessions(const ControlEndpoint& endpoint, const Target& target,
                  Servers& servers) {
  const std::string source = endpoint.name() + ": show stat";
  std::vector<std::string> names;
  for (const std::string& row :
       split(ask_proxy(endpoint, "show stat", target), '\n')) {
    if (row.starts_with("# ")) {
      names = split(row.substr(2), ',');
      continue;
    }
    const auto fields = split(row, ',');
    if (names.empty() || fields.size() < 2) continue;
    const ServerName name{.backend = fields[column(names, "pxname", source)],
                          .server = fields[column(names, "svname", source)]};
    for (auto& [server, now] : servers) {
      if (server != name) continue;
      now.sessions =
          number_of(fields.at(column(names, "scur", source)), source);
    }
  }
  if (names.empty()) {
    throw Error(Errc::malformed,
                printable(source) + ": expected a table with scur");
  }
}

/// The servers of the plan's backends at one proxy, with their sessions.
Servers look_at(const Plan& plan, const ControlEndpoint& endpoint,
                const Target& target) {
  Servers all;
  std::vector<std::string> asked;
  for (const ServerName& one : plan.servers) {
    if (std::ranges::find(asked, one.backend) != asked.end()) continue;
    asked.push_back(one.backend);
    Servers found = servers_of(endpoint, one.backend, target);
    all.insert(all.end(), found.begin(), found.end());
  }
  add_sessions(endpoint, target, all);
  return all;
}

const ServerNow& find_server(const Servers& servers, const ServerName& name,
                             const ControlEndpoint& endpoint) {
  std::string names;
  for (const auto& [one, now] : servers) {
    if (one == name) return now;
    names += (names.empty() ? "" : ", ") + one.text();
  }
  throw Error(Errc::io, fmt::format("{} has no server {}; there is: {}",
                                    printable(endpoint.name()), name.text(),
                                    printable(names)));
}

/// The process that answers: a reload is another one.
Json identity_of(const ControlEndpoint& endpoint, const Target& target) {
  Json identity = Json::object();
  for (const std::string& row :
       split(ask_proxy(endpoint, "show info", target), '\n')) {
    const auto colon = row.find(": ");
    if (colon == std::string::npos) continue;
    const std::string name = row.substr(0, colon);
    if (name == "Name" || name == "Version" || name == "Pid" ||
        name == "Uptime_sec") {
      identity[to_lower_ascii(name)] = lossless_utf8(row.substr(colon + 2));
    }
  }
  return identity;
}

/// @throws Error{io} if the socket may only look.
void require_level(const ControlEndpoint& endpoint, const Target& target) {
  // One line with both, because the level is of the connection.
  const std::string level(trim(ask_proxy(endpoint, "show cli level", target)));
  if (level != "admin") {
    throw Error(Errc::io,
                fmt::format("{} gives the level {}; setting a server needs "
                            "admin (stats socket … level admin)",
                            printable(endpoint.name()), printable(level)));
  }
}

Json before(const Target& target) {
  const Plan plan = plan_from(target.arguments);
  Json record;
  record["sockets"] = Json::array();
  record["servers"] = Json::array();
  record["timeout_ms"] = plan.timeout_ms;
  for (const ServerName& one : plan.servers) {
    record["servers"].push_back(one.text());
  }
  record["proxies"] = Json::object();
  for (const std::string& socket : plan.sockets) {
    const ControlEndpoint endpoint = endpoint_of(socket, plan.timeout_ms);
    require_level(endpoint, target);
    Json proxy;
    proxy["identity"] = identity_of(endpoint, target);
    const Servers servers = look_at(plan, endpoint, target);
    for (const ServerName& one : plan.servers) {
      static_cast<void>(find_server(servers, one, endpoint));
    }
    // The others of the backend too: they go on serving.
    proxy["servers"] = Json::object();
    for (const auto& [name, now] : servers) {
      proxy["servers"][name.text()] = {{"admin_state", now.admin},
                                       {"op_state", now.operational},
                                       {"sessions", now.sessions}};
    }
    record["sockets"].push_back(lossless_utf8(socket));
    record["proxies"][lossless_utf8(socket)] = std::move(proxy);
  }
  return record;
}

/// The lines that apply() sends, in their order: first no new one gets in
/// anywhere, then those that are in are cut.
struct Line {
  ControlEndpoint endpoint;
  std::string line;
  std::string what;
};

std::vector<Line> lines_of(const Plan& plan) {
  std::vector<Line> lines;
  for (const std::string& socket : plan.sockets) {
    for (const ServerName& one : plan.servers) {
      lines.push_back({endpoint_of(socket, plan.timeout_ms),
                       "set server " + one.text() + " state maint",
                       "no new request goes to " + one.text()});
    }
  }
  for (const std::string& socket : plan.sockets) {
    for (const ServerName& one : plan.servers) {
      lines.push_back({endpoint_of(socket, plan.timeout_ms),
                       "shutdown sessions server " + one.text(),
                       "the sessions of " + one.text() + " are cut"});
    }
  }
  return lines;
}

std::vector<PlannedAct> acts(const Target& target, const Json& record) {
  std::vector<PlannedAct> planned;
  for (Line& one : lines_of(plan_of(target, record))) {
    planned.push_back({.what = std::move(one.what),
                       .peer = one.endpoint.name(),
                       .request = std::move(one.line)});
  }
  return planned;
}

Json apply(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  Json done = Json::array();
  for (const Line& one : lines_of(plan)) {
    command(one.endpoint, one.line, target);
    done.push_back(one.line);
  }
  return {{"done", std::move(done)}};
}

/// What brings back an admin state: `ready` clears a forced maintenance and a
/// forced drain alike.
std::string_view state_for(unsigned admin) {
  return (admin & kForcedDrain) != 0 ? "drain" : "ready";
}

/// All that can be given back is, whatever fails on the way.
Json undo(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  Json done = Json::array();
  std::string problems;
  for (const std::string& socket : plan.sockets) {
    const ControlEndpoint endpoint = endpoint_of(socket, plan.timeout_ms);
    for (const ServerName& one : plan.servers) {
      const auto admin = plan.admin_before(lossless_utf8(socket), one);
      if (!admin) continue;
      if ((*admin & kForcedMaintenance) != 0) {
        done.push_back(one.text() + " was in maintenance before, and is left");
        continue;
      }
      const std::string line =
          fmt::format("set server {} state {}", one.text(), state_for(*admin));
      try {
        command(endpoint, line, target);
        done.push_back(line);
      } catch (const Error& error) {
        problems += (problems.empty() ? "" : "; ") + std::string(error.what());
      }
    }
  }
  if (!problems.empty()) throw Error(Errc::io, problems);
  return {{"done", std::move(done)}};
}

/// What is measured at one proxy after another.
struct Seen {
  std::size_t shut = 0;
  std::size_t open = 0;
  std::size_t held = 0;  ///< shut now, and not before by the record
  std::uint64_t sessions = 0;
  std::string why;
};

void look(const Plan& plan, const std::string& socket, const Target& target,
          Seen& seen) {
  const ControlEndpoint endpoint = endpoint_of(socket, plan.timeout_ms);
  const Servers servers = look_at(plan, endpoint, target);
  for (const ServerName& one : plan.servers) {
    const ServerNow& now = find_server(servers, one, endpoint);
    const unsigned before_it =
        plan.admin_before(lossless_utf8(socket), one).value_or(0);
    ++(now.is_shut() ? seen.shut : seen.open);
    if (now.is_shut() && (before_it & kForcedMaintenance) == 0) ++seen.held;
    seen.sessions += now.sessions;
    seen.why += fmt::format(
        "{}{} at {} {} (srv_admin_state {:#04x}), {} session{}",
        seen.why.empty() ? "" : "; ", one.text(), printable(endpoint.name()),
        now.is_shut() ? "is in maintenance" : "takes requests", now.admin,
        now.sessions, now.sessions == 1 ? "" : "s");
  }
}

MeasuredState state(const Target& target, const Json& record) {
  const Plan plan = plan_of(target, record);
  Seen seen;
  for (const std::string& socket : plan.sockets) {
    look(plan, socket, target, seen);
  }
  MeasuredState measured;
  measured.measured = seen.open == 0 && seen.sessions == 0
                          ? Containedness::contained
                          : Containedness::not_contained;
  measured.holds_something = seen.held != 0;
  measured.is_by_record = record.contains("proxies") && seen.held != 0;
  measured.why = std::move(seen.why);
  measured.from = "HAProxy's runtime socket " + join(plan.sockets);
  measured.connections_left = seen.sessions;
  measured.connections_from = "scur of show stat";
  measured.facts = {
      {"shut", seen.shut}, {"open", seen.open}, {"sessions", seen.sessions}};
  return measured;
}

std::vector<std::string> things(const Json& record) {
  std::vector<std::string> names;
  if (!record.contains("proxies")) return names;
  const Plan plan = plan_from(record);
  for (const std::string& socket : plan.sockets) {
    for (const ServerName& one : plan.servers) {
      names.push_back(fmt::format("haproxy {} server {}", lossless_utf8(socket),
                                  one.text()));
    }
  }
  return names;
}

std::string describe(const Target& target) {
  const Plan plan = plan_from(target.arguments);
  std::string names;
  for (const ServerName& one : plan.servers) {
    names += (names.empty() ? "" : ", ") + one.text();
  }
  return fmt::format(
      "Sets {} to maintenance at HAProxy ({}) and cuts the sessions; the "
      "server behind it goes on running.",
      printable(names), printable(join(plan.sockets)));
}

std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = plan_from(record);
  std::vector<std::string> lines;
  for (const std::string& socket : plan.sockets) {
    for (const ServerName& one : plan.servers) {
      const auto admin = plan.admin_before(lossless_utf8(socket), one);
      if (!admin || (*admin & kForcedMaintenance) != 0) continue;
      lines.push_back(fmt::format(
          "echo 'set server {} state {}' | socat stdio '{}{}'", one.text(),
          state_for(*admin),
          socket.starts_with('/') ? "unix-connect:" : "tcp:", socket));
    }
  }
  return lines;
}

const std::array kParameters{
    Parameter{.name = "sockets",
              .type = ParameterType::texts,
              .help = "Runtime sockets of level admin: a path or host:port.",
              .is_required = true,
              .touches = Touches::nothing},
    Parameter{.name = "servers",
              .type = ParameterType::texts,
              .help = "What is taken out, each as backend/server.",
              .is_required = true,
              .touches = Touches::nothing},
    timeout_parameter()};

}  // namespace

extern const Containment kHaproxyContainment;
constinit const Containment kHaproxyContainment{
    .name = "haproxy",
    .summary =
        "Sets servers to maintenance at HAProxy and cuts their sessions.",
    .parameters = kParameters,
    .before = before,
    .apply = apply,
    .undo = undo,
    .state = state,
    .things = things,
    .describe = describe,
    .by_hand = by_hand,
    .effects = {.keeps = {.weights = Kept::kept,
                          .kv = Kept::kept,
                          .inflight = Kept::lost,
                          .process = Kept::kept},
                .undo = UndoPromise::exact},
    .tried = Tried::real,
    .tried_with = "HAProxy 2.6 (Debian 12)",
    .acts = acts,
};

}  // namespace impound
