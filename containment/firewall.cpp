// SPDX-License-Identifier: Apache-2.0
/// firewall: one nftables table of our own in the network namespace of the
/// model. Nothing of others is changed; what is open is cut and counted.

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "containment/names.hpp"
#include "containment/program.hpp"
#include "core/base/error.hpp"
#include "core/base/procfs.hpp"
#include "core/base/text.hpp"
#include "core/evidence/containment.hpp"
#include "core/evidence/locate.hpp"

namespace impound {
namespace {

constexpr std::string_view kSource = "the recorded state of containment";
constexpr std::string_view kTablePrefix = "impound_";

/// Before connection tracking and everybody else's filters. A drop is final at
/// any priority; being first spares others the packets.
constexpr int kPriority = -350;

/// An address or prefix that is let through.
struct Exempt {
  std::string address;
  int prefix = -1;  ///< -1: the address alone
  bool is_v6 = false;

  /// As nftables lists it.
  [[nodiscard]] Json json() const {
    if (prefix < 0) return address;
    return {{"prefix", {{"addr", address}, {"len", prefix}}}};
  }
  /// As ss takes it.
  [[nodiscard]] std::string in_ss() const {
    const std::string whole =
        prefix < 0 ? address : fmt::format("{}/{}", address, prefix);
    return is_v6 ? "[" + whole + "]" : whole;
  }
};

/// The network part alone, as the kernel lists a prefix.
template <std::size_t N>
void mask(std::array<unsigned char, N>& bytes, int prefix) {
  for (std::size_t i = 0; i < N; ++i) {
    const int bits = std::clamp(prefix - static_cast<int>(i) * 8, 0, 8);
    bytes[i] &= static_cast<unsigned char>(0xFF << (8 - bits));
  }
}

template <std::size_t N>
bool read_address(int family, const std::string& text, int& prefix,
                  std::string& plain) {
  std::array<unsigned char, N> bytes{};
  if (::inet_pton(family, text.c_str(), bytes.data()) != 1) return false;
  if (prefix >= static_cast<int>(N) * 8) prefix = -1;
  if (prefix >= 0) mask(bytes, prefix);
  std::array<char, INET6_ADDRSTRLEN> words{};
  if (::inet_ntop(family, bytes.data(), words.data(), words.size()) ==
      nullptr) {
    return false;
  }
  plain = words.data();
  return true;
}

/// @throws Error{bad_input}.
Exempt exempt_from(const std::string& text) {
  Exempt found;
  std::string address = text;
  const auto slash = text.find('/');
  bool is_good = true;
  if (slash != std::string::npos) {
    address = text.substr(0, slash);
    const char* const end = text.data() + text.size();
    const auto [stop, failure] =
        std::from_chars(text.data() + slash + 1, end, found.prefix);
    is_good = failure == std::errc() && stop == end && found.prefix > 0;
  }
  found.is_v6 = address.find(':') != std::string::npos;
  is_good =
      is_good && found.prefix <= (found.is_v6 ? 128 : 32) &&
      (found.is_v6
           ? read_address<16>(AF_INET6, address, found.prefix, found.address)
           : read_address<4>(AF_INET, address, found.prefix, found.address));
  if (!is_good) {
    throw Error(
        Errc::bad_input,
        fmt::format("firewall: allow: expected an IPv4 or IPv6 address, "
                    "or a prefix of one, found \"{}\"",
                    printable(text)));
  }
  return found;
}

std::uint16_t port_from(const std::string& text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, port);
  if (failure != std::errc() || stop != end || port == 0) {
    throw Error(Errc::bad_input,
                fmt::format("firewall: ports: expected a port from 1 to 65535, "
                            "found \"{}\"",
                            printable(text)));
  }
  return port;
}

/// What of the namespace is shut.
enum class Scope : std::uint8_t { ports, everything };
constexpr std::array<std::string_view, 2> kScopes{"ports", "everything"};

struct Plan {
  Scope scope = Scope::ports;
  std::vector<std::uint16_t> ports;
  std::vector<Exempt> allow;
  std::string table;
  std::string space;    ///< "net:[4026531840]"
  fs::path space_path;  ///< where it was found; empty: our own
  std::string boot_id;
};

std::string own_space() {
  const auto link = read_link("/proc/self/ns/net");
  if (!link) {
    throw Error(Errc::io,
                "cannot read /proc/self/ns/net: " + link.failure().message());
  }
  return *link;
}

/// The inode in "net:[4026531840]", as a stat of the file has it too.
std::optional<std::uint64_t> inode_of(const std::string& space) {
  const auto open = space.find('[');
  std::uint64_t inode = 0;
  if (open == std::string::npos) return std::nullopt;
  const auto [stop, failure] = std::from_chars(
      space.data() + open + 1, space.data() + space.size(), inode);
  if (failure != std::errc()) return std::nullopt;
  return inode;
}

std::string space_of_file(const fs::path& path) {
  const auto facts = stat_path(path, Links::follow);
  if (!facts) {
    throw Error(Errc::io, fmt::format("cannot look at the network namespace "
                                      "{}: {}",
                                      printable(path.native()),
                                      facts.failure().message()));
  }
  return fmt::format("net:[{}]", facts->inode);
}

/// Where a recorded namespace is to be entered now: our own, a named one, or
/// through any process in it. Nothing if it is gone, and all tables with it.
std::optional<fs::path> find_space(const std::string& space) {
  if (space == own_space()) return fs::path();
  const auto wanted = inode_of(space);
  const ProcFs procfs;
  for (const Pid pid : procfs.pids()) {
    const fs::path path = procfs.path(pid, "ns/net");
    const auto link = read_link(path);
    if (link && *link == space) return path;
  }
  const auto names = list_directory("/run/netns");
  if (!names) return std::nullopt;
  for (const std::string& name : *names) {
    const fs::path path = fs::path("/run/netns") / name;
    const auto facts = stat_path(path, Links::follow);
    if (facts && wanted && facts->inode == *wanted) return path;
  }
  return std::nullopt;
}

/// Letters, digits and underscores: what a table may be called.
std::string plain(std::string_view text) { return plain_name(text, "_", '_'); }

/// The end of the table's name: of the deployment, whoever contains it.
std::string mark_of(const Target& target) {
  return fmt::format("_{}_{}", plain(target.deployment.name),
                     name_hash({target.deployment.name,
                                target.deployment.descriptor.native()}));
}

std::string table_name(const Target& target) {
  return std::string(kTablePrefix) + plain(target.case_id) + mark_of(target);
}

/// Fills in where the model is: the namespace that is named, else that of its
/// process, else ours.
void locate(const Target& target, Plan& plan) {
  const fs::path named =
      target.arguments.path("namespace").value_or(fs::path());
  if (!named.empty()) {
    plan.space = space_of_file(named);
    plan.space_path = plan.space == own_space() ? fs::path() : named;
    return;
  }
  const ProcessLocator& locator = target.deployment.process;
  plan.space = own_space();
  if (in_words(locator).empty()) return;
  const ProcFs procfs;
  const LocatedProcesses found = locate_processes(locator, procfs);
  if (found.roots.empty()) {
    throw Error(Errc::io,
                fmt::format("cannot find the network namespace of {}: {}",
                            printable(target.deployment.name), found.problem));
  }
  const fs::path path = procfs.path(found.roots.front(), "ns/net");
  const auto link = read_link(path);
  if (!link) {
    throw Error(Errc::io,
                fmt::format("cannot read {}: {}", printable(path.native()),
                            link.failure().message()));
  }
  if (*link != plan.space) plan.space_path = path;
  plan.space = *link;
}

Plan plan_from(const Target& target) {
  const Arguments& arguments = target.arguments;
  Plan plan;
  if (arguments.text("scope").value_or("ports") == "everything") {
    plan.scope = Scope::everything;
  }
  for (const std::string& one : arguments.texts("ports")) {
    plan.ports.push_back(port_from(one));
  }
  if (plan.ports.empty() && target.deployment.process.port) {
    plan.ports.push_back(*target.deployment.process.port);
  }
  for (const std::string& one : arguments.texts("allow")) {
    plan.allow.push_back(exempt_from(one));
  }
  if (plan.scope == Scope::ports && plan.ports.empty()) {
    throw Error(Errc::bad_input,
                "firewall: expected ports, or a process that is found by its "
                "port");
  }
  plan.table = table_name(target);
  plan.boot_id = target.clock.state().boot_id;
  locate(target, plan);
  if (plan.scope == Scope::everything && plan.space_path.empty() &&
      plan.allow.empty()) {
    throw Error(Errc::bad_input,
                "firewall: scope everything in our own network namespace shuts "
                "out whoever responds: expected allow with their addresses");
  }
  return plan;
}

Plan plan_from(const Json& record) {
  Plan plan;
  plan.scope = require_text(record, "scope", kSource) == "everything"
                   ? Scope::everything
                   : Scope::ports;
  for (const Json& one : require_key(record, "ports", kSource)) {
    plan.ports.push_back(one.get<std::uint16_t>());
  }
  for (const Json& one : require_key(record, "allow", kSource)) {
    plan.allow.push_back(exempt_from(one.get<std::string>()));
  }
  plan.table = require_text(record, "table", kSource);
  plan.space = require_text(record, "namespace", kSource);
  plan.boot_id = require_text(record, "boot_id", kSource);
  return plan;
}

bool is_record(const Json& record) { return record.contains("table"); }

// ---- the table as JSON, in the very form in which nft lists it

Json match(Json left, Json right) {
  return {
      {"match", {{"op", "=="}, {"left", std::move(left)}, {"right", right}}}};
}
Json payload(std::string_view protocol, std::string_view field) {
  return {{"payload", {{"protocol", protocol}, {"field", field}}}};
}
Json meta(std::string_view key) { return {{"meta", {{"key", key}}}}; }
Json counter() { return {{"counter", {{"packets", 0}, {"bytes", 0}}}}; }
Json verdict(std::string_view word) {
  Json json = Json::object();
  json[std::string(word)] = nullptr;
  return json;
}
Json reset() { return {{"reject", {{"type", "tcp reset"}}}}; }

struct Chain {
  std::string name;
  std::vector<Json> rules = {};  ///< expressions
};

/// Both ways: an address is exempt as a source coming in, as a destination
/// going out, as either passing through.
void add_exempt(Chain& chain, const Plan& plan, std::string_view field) {
  for (const Exempt& one : plan.allow) {
    chain.rules.push_back(Json::array(
        {match(payload(one.is_v6 ? "ip6" : "ip", field), one.json()),
         verdict("accept")}));
  }
}

/// A reset that we send ourselves must get out: without it a client waits.
Json own_reset(std::uint16_t port) {
  return Json::array(
      {match(payload("tcp", "sport"), port),
       match({{"&", Json::array({payload("tcp", "flags"), "rst"})}}, "rst"),
       verdict("accept")});
}

void shut_port(Chain& chain, std::uint16_t port, std::string_view field,
               bool with_reset) {
  chain.rules.push_back(
      Json::array({match(payload("tcp", field), port), counter(),
                   with_reset ? reset() : verdict("drop")}));
  chain.rules.push_back(Json::array(
      {match(payload("udp", field), port), counter(), verdict("drop")}));
}

std::vector<Chain> chains_for_ports(const Plan& plan) {
  Chain in{.name = "input"};
  Chain through{.name = "forward"};
  Chain out{.name = "output"};
  add_exempt(in, plan, "saddr");
  add_exempt(through, plan, "saddr");
  add_exempt(through, plan, "daddr");
  add_exempt(out, plan, "daddr");
  for (const std::uint16_t port : plan.ports) {
    shut_port(in, port, "dport", true);
    shut_port(through, port, "dport", true);
    shut_port(through, port, "sport", false);
    out.rules.push_back(own_reset(port));
    shut_port(out, port, "sport", false);
  }
  return {std::move(in), std::move(through), std::move(out)};
}

/// What an IPv6 neighbour is found by: without it an exempt address is silent.
void add_neighbours(Chain& chain) {
  for (const std::string_view type :
       {"nd-neighbor-solicit", "nd-neighbor-advert"}) {
    chain.rules.push_back(Json::array(
        {match(payload("icmpv6", "type"), type), verdict("accept")}));
  }
}

/// Loopback stays for what runs beside the model, but not to the model itself.
std::vector<Chain> chains_for_everything(const Plan& plan) {
  Chain in{.name = "input"};
  Chain through{.name = "forward"};
  Chain out{.name = "output"};
  add_exempt(in, plan, "saddr");
  add_exempt(through, plan, "saddr");
  add_exempt(through, plan, "daddr");
  add_exempt(out, plan, "daddr");
  for (const std::uint16_t port : plan.ports) {
    shut_port(in, port, "dport", true);
    out.rules.push_back(own_reset(port));
    shut_port(out, port, "sport", false);
  }
  in.rules.push_back(
      Json::array({match(meta("iifname"), "lo"), verdict("accept")}));
  out.rules.push_back(
      Json::array({match(meta("oifname"), "lo"), verdict("accept")}));
  add_neighbours(in);
  add_neighbours(out);
  out.rules.push_back(Json::array(
      {match({{"&", Json::array({payload("tcp", "flags"), "rst"})}}, "rst"),
       verdict("accept")}));
  in.rules.push_back(
      Json::array({match(meta("l4proto"), "tcp"), counter(), reset()}));
  for (Chain* const chain : {&in, &through, &out}) {
    chain->rules.push_back(Json::array({counter(), verdict("drop")}));
  }
  return {std::move(in), std::move(through), std::move(out)};
}

std::vector<Chain> chains_of(const Plan& plan) {
  return plan.scope == Scope::ports ? chains_for_ports(plan)
                                    : chains_for_everything(plan);
}

/// One transaction of the kernel: all of it holds, or nothing. What an earlier
/// try left is replaced.
std::string ruleset(const Plan& plan) {
  const Json table{{"family", "inet"}, {"name", plan.table}};
  Json list = Json::array();
  list.push_back({{"add", {{"table", table}}}});
  list.push_back({{"delete", {{"table", table}}}});
  list.push_back({{"add", {{"table", table}}}});
  for (const Chain& chain : chains_of(plan)) {
    list.push_back({{"add",
                     {{"chain",
                       {{"family", "inet"},
                        {"table", plan.table},
                        {"name", chain.name},
                        {"type", "filter"},
                        {"hook", chain.name},
                        {"prio", kPriority},
                        {"policy", "accept"}}}}}});
    for (const Json& rule : chain.rules) {
      list.push_back({{"add",
                       {{"rule",
                         {{"family", "inet"},
                          {"table", plan.table},
                          {"chain", chain.name},
                          {"expr", rule}}}}}});
    }
  }
  return Json{{"nftables", std::move(list)}}.dump();
}

/// The same without what counts.
Json without_counts(Json expression) {
  for (Json& one : expression) {
    if (one.contains("counter"))
      one["counter"] = {{"packets", 0}, {"bytes", 0}};
  }
  return expression;
}

// ---- programs

ProgramRun nft(const fs::path& space, std::vector<std::string> words,
               std::string input = "") {
  std::vector<std::string> argv{find_program("nft")};
  argv.insert(argv.end(), words.begin(), words.end());
  return {.argv = std::move(argv),
          .input = std::move(input),
          .network_namespace = space};
}

/// "( sport = :8080 or sport = :8081 ) and not dst 10.0.0.1"; of everything:
/// all but loopback.
std::string filter_of(const Plan& plan) {
  std::string text;
  if (plan.scope == Scope::ports) {
    for (const std::uint16_t port : plan.ports) {
      text += fmt::format("{}sport = :{}", text.empty() ? "( " : " or ", port);
    }
    text += " )";
  } else {
    text = "not dst 127.0.0.0/8 and not dst [::1]";
  }
  for (const Exempt& one : plan.allow) text += " and not dst " + one.in_ss();
  return text;
}

ProgramRun ss(const fs::path& space, const Plan& plan, bool cuts) {
  std::vector<std::string> argv{find_program("ss"), "-H", "-t", "-n"};
  if (cuts) argv.emplace_back("-K");
  // A connection that is being opened or half closed can still carry an answer.
  for (const char* const word :
       {"state", "connected", "exclude", "time-wait"}) {
    argv.emplace_back(word);
  }
  argv.push_back(filter_of(plan));
  return {.argv = std::move(argv), .network_namespace = space};
}

std::size_t lines_in(const std::string& text) {
  std::size_t lines = 0;
  for (const std::string& one : split(text, '\n')) {
    if (!trim(one).empty()) ++lines;
  }
  return lines;
}

/// Ours that are listed as being open now.
std::size_t count_connections(const Plan& plan, const fs::path& space,
                              const Target& target) {
  return lines_in(run_program_ok(ss(space, plan, false), target).output);
}

/// Every table of a namespace, by name.
std::vector<std::string> tables_in(const fs::path& space,
                                   const Target& target) {
  const ProgramEnd end =
      run_program_ok(nft(space, {"-j", "list", "tables"}), target);
  const Json listed = parse_json(end.output, "nft -j list tables");
  std::vector<std::string> names;
  for (const Json& one :
       require_key(listed, "nftables", "nft -j list tables")) {
    const auto table = one.find("table");
    if (table != one.end()) names.push_back(text_or(*table, "name", ""));
  }
  return names;
}

/// How the table that is there differs from what it should be; "" if it does
/// not. Counts what it stopped.
std::string difference(const Plan& plan, const fs::path& space,
                       const Target& target, std::uint64_t& stopped) {
  const ProgramEnd end = run_program_ok(
      nft(space, {"-j", "list", "table", "inet", plan.table}), target);
  const Json listed = require_key(parse_json(end.output, "nft -j list table"),
                                  "nftables", "nft -j list table");
  const auto chains = chains_of(plan);
  std::vector<std::vector<Json>> rules(chains.size());
  std::size_t hooks = 0;
  for (const Json& one : listed) {
    if (const auto table = one.find("table"); table != one.end()) {
      if (table->contains("flags")) return "the table is dormant";
    }
    if (const auto chain = one.find("chain"); chain != one.end()) {
      for (const Chain& wanted : chains) {
        const bool is_it = text_or(*chain, "name", "") == wanted.name &&
                           text_or(*chain, "hook", "") == wanted.name &&
                           chain->value("prio", 0) == kPriority;
        hooks += is_it ? 1 : 0;
      }
    }
    const auto rule = one.find("rule");
    if (rule == one.end()) continue;
    for (std::size_t i = 0; i < chains.size(); ++i) {
      if (text_or(*rule, "chain", "") != chains[i].name) continue;
      const Json& expression = require_key(*rule, "expr", "nft -j list table");
      for (const Json& part : expression) {
        const auto count = part.find("counter");
        if (count != part.end()) stopped += count->value("packets", 0ULL);
      }
      rules[i].push_back(without_counts(expression));
    }
  }
  if (hooks != chains.size()) return "chains are missing";
  for (std::size_t i = 0; i < chains.size(); ++i) {
    if (rules[i] != chains[i].rules) {
      return fmt::format("the rules of its chain {} are not ours",
                         chains[i].name);
    }
  }
  return "";
}

// ---- the functions of a containment

Json before(const Target& target) {
  const Plan plan = plan_from(target);
  Json record;
  record["table"] = plan.table;
  record["namespace"] = plan.space;
  record["boot_id"] = plan.boot_id;
  record["scope"] = kScopes[static_cast<std::size_t>(plan.scope)];
  record["ports"] = plan.ports;
  record["allow"] = Json::array();
  for (const Exempt& one : plan.allow) {
    record["allow"].push_back(
        one.prefix < 0 ? one.address
                       : fmt::format("{}/{}", one.address, one.prefix));
  }
  // Asked before anything changes: whoever may not list may not add either.
  record["tables"] = tables_in(plan.space_path, target);
  const ProgramEnd open =
      run_program_ok(ss(plan.space_path, plan, false), target);
  record["connections"] = Json::array();
  for (const std::string& line : split(open.output, '\n')) {
    if (trim(line).empty() || record["connections"].size() >= 1000) continue;
    record["connections"].push_back(lossless_utf8(trim(line)));
  }
  record["open"] = lines_in(open.output);
  return record;
}

/// The recorded namespace as it is entered now.
/// @throws Error{io} if it is gone.
fs::path space_now(const Plan& plan) {
  const auto path = find_space(plan.space);
  if (!path) {
    throw Error(Errc::io,
                fmt::format("the network namespace {} is gone", plan.space));
  }
  return *path;
}

std::vector<ProgramRun> runs_of(const Plan& plan, const fs::path& space) {
  return {nft(space, {"-j", "-f", "-"}, ruleset(plan)), ss(space, plan, true)};
}

std::vector<PlannedAct> acts(const Target&, const Json& record) {
  const Plan plan = plan_from(record);
  const auto runs = runs_of(plan, space_now(plan));
  return {runs[0].planned(fmt::format(
              "adds the table {} in {}: {} shut, inbound, outbound and "
              "forwarded",
              plan.table, plan.space,
              plan.scope == Scope::everything
                  ? std::string("everything")
                  : fmt::format("{} port{}", plan.ports.size(),
                                plan.ports.size() == 1 ? "" : "s"))),
          runs[1].planned("cuts the connections that are open")};
}

Json apply(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  const fs::path space = space_now(plan);
  const auto runs = runs_of(plan, space);
  static_cast<void>(run_program_ok(runs[0], target));
  const ProgramEnd cut = run_program(runs[1], target);
  return {{"table", plan.table}, {"cut", lines_in(cut.output)}};
}

Json undo(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  const auto space = find_space(plan.space);
  if (!space || plan.boot_id != target.clock.state().boot_id) {
    return {{"done", "the network namespace is gone, and the table with it"}};
  }
  const auto tables = tables_in(*space, target);
  if (std::ranges::find(tables, plan.table) == tables.end()) {
    return {{"done", "there is no table " + plan.table}};
  }
  static_cast<void>(run_program_ok(
      nft(*space, {"delete", "table", "inet", plan.table}), target));
  return {{"done", "table " + plan.table + " removed"}};
}

/// Tables for this deployment, whosever they are.
std::vector<std::string> marked(const std::vector<std::string>& tables,
                                const Target& target) {
  const std::string mark = mark_of(target);
  std::vector<std::string> found;
  for (const std::string& one : tables) {
    if (one.starts_with(kTablePrefix) && one.ends_with(mark)) {
      found.push_back(one);
    }
  }
  return found;
}

/// Where the model is now, if it can be found at all.
std::optional<std::string> present_space(const Target& target) {
  Plan plan;
  try {
    locate(target, plan);
  } catch (const Error&) {
    return std::nullopt;
  }
  return plan.space;
}

MeasuredState state_by_record(const Target& target, const Json& record) {
  const Plan plan = plan_from(record);
  MeasuredState measured;
  measured.measured = Containedness::not_contained;
  measured.from = "nftables of the network namespace " + plan.space;
  measured.connections_from = "ss in the network namespace " + plan.space;
  const auto space = find_space(plan.space);
  if (!space || plan.boot_id != target.clock.state().boot_id) {
    measured.why = fmt::format(
        "the network namespace {} is gone, and the table with it", plan.space);
    return measured;
  }
  const auto tables = tables_in(*space, target);
  if (std::ranges::find(tables, plan.table) == tables.end()) {
    const auto others = marked(tables, target);
    measured.why = "there is no table " + plan.table;
    if (!others.empty()) measured.held_by = "the table " + others.front();
    return measured;
  }
  std::uint64_t stopped = 0;
  const std::string problem = difference(plan, *space, target, stopped);
  const std::size_t left = count_connections(plan, *space, target);
  measured.holds_something = true;
  measured.is_by_record = true;
  measured.connections_left = left;
  measured.facts = {{"stopped_packets", stopped}};
  if (!problem.empty()) {
    measured.why = fmt::format("table {}: {}", plan.table, problem);
    return measured;
  }
  const auto present = present_space(target);
  if (present && *present != plan.space) {
    measured.why =
        fmt::format("the table {} is in {}, and the model is in {} now",
                    plan.table, plan.space, *present);
    return measured;
  }
  measured.measured = Containedness::contained;
  measured.why = fmt::format(
      "the table {} is in {} with all its rules, {} packets stopped, {} "
      "connection{} left{}",
      plan.table, plan.space, stopped, left, left == 1 ? "" : "s",
      left == 0 ? "" : ", which the rules let nothing pass through");
  return measured;
}

MeasuredState state(const Target& target, const Json& record) {
  if (is_record(record)) return state_by_record(target, record);
  const Plan plan = plan_from(target);
  const auto found = marked(tables_in(plan.space_path, target), target);
  MeasuredState measured;
  measured.from = "nftables of the network namespace " + plan.space;
  if (found.empty()) {
    measured.measured = Containedness::not_contained;
    measured.why = "there is no table of impound for it in " + plan.space;
    return measured;
  }
  Plan theirs = plan;
  theirs.table = found.front();
  std::uint64_t stopped = 0;
  const std::string problem =
      difference(theirs, plan.space_path, target, stopped);
  measured.measured =
      problem.empty() ? Containedness::contained : Containedness::not_contained;
  measured.holds_something = true;
  measured.held_by = "the table " + found.front();
  measured.connections_left = count_connections(plan, plan.space_path, target);
  measured.connections_from = "ss in the network namespace " + plan.space;
  measured.why =
      fmt::format("the table {} is in {}{}{}", found.front(), plan.space,
                  problem.empty() ? "" : ", and ", problem);
  return measured;
}

std::vector<std::string> things(const Json& record) {
  std::vector<std::string> names;
  if (!is_record(record)) return names;
  const Plan plan = plan_from(record);
  const std::string place =
      fmt::format("firewall boot {} {}", plan.boot_id, plan.space);
  if (plan.scope == Scope::everything) names.push_back(place + " everything");
  for (const std::uint16_t port : plan.ports) {
    names.push_back(fmt::format("{} port {}", place, port));
  }
  return names;
}

std::string describe(const Target& target) {
  const Plan plan = plan_from(target);
  std::string ports;
  for (const std::uint16_t one : plan.ports) {
    ports += (ports.empty() ? "" : ", ") + std::to_string(one);
  }
  return fmt::format(
      "Shuts {} of the network namespace {}{} by an nftables table of its own "
      "and cuts what is open; the process goes on running.",
      plan.scope == Scope::everything ? std::string("everything")
                                      : "port " + ports,
      plan.space,
      plan.allow.empty()
          ? std::string()
          : fmt::format(" but for {} address{}", plan.allow.size(),
                        plan.allow.size() == 1 ? "" : "es"));
}

std::vector<std::string> by_hand(const Json& record) {
  const Plan plan = plan_from(record);
  const auto space = find_space(plan.space);
  const std::string act = "nft delete table inet " + plan.table;
  if (space && space->empty()) return {act};
  const std::string inode =
      inode_of(plan.space) ? std::to_string(*inode_of(plan.space)) : "";
  return {fmt::format(
      "for p in /proc/[0-9]*/ns/net /run/netns/*; do [ \"$(stat -Lc %i \"$p\" "
      "2>/dev/null)\" = {} ] && nsenter --net=\"$p\" {} && break; done",
      inode, act)};
}

const std::array kParameters{
    Parameter{.name = "scope",
              .type = ParameterType::choice,
              .help = "What is shut: the ports alone, or everything in and out "
                      "of the namespace.",
              .otherwise = "ports",
              .choices = {"ports", "everything"}},
    Parameter{.name = "ports",
              .type = ParameterType::texts,
              .help = "Ports that the model is served on; that of the process "
                      "if none is given.",
              .touches = Touches::nothing},
    Parameter{.name = "allow",
              .type = ParameterType::texts,
              .help = "Addresses and prefixes of responders, IPv4 and IPv6, "
                      "that are let through.",
              .touches = Touches::nothing},
    Parameter{.name = "namespace",
              .type = ParameterType::path,
              .help = "A network namespace (/run/netns/NAME); that of the "
                      "process if none is given.",
              .otherwise = "",
              .touches = Touches::path}};

}  // namespace

extern const Containment kFirewallContainment;
constinit const Containment kFirewallContainment{
    .name = "firewall",
    .summary = "Shuts the model's ports by an nftables table of its own.",
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
    .tried_with = "nftables 1.0.6, Linux 6.18, network namespaces",
    .acts = acts,
};

}  // namespace impound
