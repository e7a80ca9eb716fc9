// SPDX-License-Identifier: Apache-2.0
/// What only a firewall is asked: both families, both ways, connections that
/// were there before, addresses of responders, forwarded traffic.

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/engine/isolation.hpp"
#include "tests/real/control/network.hpp"
#include "tests/real/control/stage.hpp"
#include "tests/support/catch.hpp"

using namespace impound;
using namespace impound::test;

namespace {

/// A model in a namespace, and a method that acts on it without a case.
struct Walled {
  Walled() : network(Network::make()) {
    if (network == nullptr || !installed("nft") || !installed("ss")) return;
    is_there = true;
    deployment.name = "model";
    deployment.descriptor = temp.path() / "model.toml";
    deployment.containments.push_back({.method = "firewall"});
    settings["namespace"] = network->path();
  }

  std::uint16_t serve_on(const std::string& address) {
    model = network->start_model(temp.path(), address, 0);
    const std::uint16_t port = network->port_of(temp.path());
    settings["ports"] = {std::to_string(port)};
    return port;
  }

  Target target() {
    deployment.containments.front().settings = settings;
    return {.deployment = deployment,
            .arguments = arguments_for(deployment, method, Json::object(),
                                       Spelling::values, 0),
            .clock = clock,
            .cancellation = cancellation,
            .case_id = "IR-1"};
  }
  Json apply() {
    const Target now = target();
    before = method.before(now);
    return method.apply(now, before);
  }
  MeasuredState state() { return method.state(target(), before); }
  void undo() { static_cast<void>(method.undo(target(), before)); }

  bool is_there = false;
  TempDir temp;
  std::unique_ptr<Network> network;
  std::unique_ptr<Part> model;
  FixedClock clock;
  Cancellation cancellation;
  Deployment deployment;
  Json settings = Json::object();
  Json before;
  const Containment& method = find_containment(all_containments(), "firewall");
};

}  // namespace

TEST_CASE(
    "a connection that was open before containment is cut and counted, over "
    "IPv4 and IPv6, and no new one is taken") {
  Walled walled;
  if (!walled.is_there) return;
  const bool is_v6 = GENERATE(false, true);
  INFO((is_v6 ? "IPv6" : "IPv4"));
  const std::string to =
      is_v6 ? walled.network->inside_v6() : walled.network->inside();
  const std::uint16_t port = walled.serve_on(to);
  const UniqueFd open = connect_from("", to, port);
  REQUIRE(is_answered_over(open));

  const Json done = walled.apply();
  CHECK(walled.before.at("open") == 1);
  CHECK(done.at("cut") == 1);
  CHECK_FALSE(is_answered_over(open));
  CHECK(connect_from("", to, port).get() < 0);
  const MeasuredState now = walled.state();
  INFO(now.why);
  CHECK(now.measured == Containedness::contained);
  CHECK(now.connections_left == 0U);

  walled.undo();
  CHECK(walled.state().measured == Containedness::not_contained);
  CHECK(is_answered_over(connect_from("", to, port)));
  note("firewall", is_v6 ? "open connection, IPv6" : "open connection, IPv4",
       "1 open before, 1 cut, 0 left, none new");
}

TEST_CASE(
    "responders' addresses go on being served, with their open connections, "
    "and nobody else's") {
  Walled walled;
  if (!walled.is_there) return;
  const Network& network = *walled.network;
  const std::uint16_t port = walled.serve_on(network.inside());
  walled.settings["allow"] = {network.responder(), "2001:db8::/32"};
  const UniqueFd theirs =
      connect_from(network.responder(), network.inside(), port);
  const UniqueFd others =
      connect_from(network.outside(), network.inside(), port);
  REQUIRE(is_answered_over(theirs));
  REQUIRE(is_answered_over(others));
  CHECK(walled.apply().at("cut") == 1);
  CHECK(is_answered_over(theirs));
  CHECK_FALSE(is_answered_over(others));
  CHECK(is_answered_over(
      connect_from(network.responder(), network.inside(), port)));
  CHECK(connect_from(network.outside(), network.inside(), port).get() < 0);
  const MeasuredState now = walled.state();
  INFO(now.why);
  CHECK(now.measured == Containedness::contained);
  CHECK(now.connections_left == 0U);
  walled.undo();
  note("firewall", "responders exempt", "served on, everybody else is not");
}

TEST_CASE(
    "everything shuts what the model could reach itself, but not loopback for "
    "what runs beside it") {
  Walled walled;
  if (!walled.is_there) return;
  const Network& network = *walled.network;
  static_cast<void>(walled.serve_on(network.inside()));
  walled.settings["scope"] = "everything";
  // A server of ours that the model's namespace could send secrets to.
  const fs::path folder = walled.temp.path() / "drop";
  fs::create_directories(folder);
  const Part drop({IMPOUND_MODEL_SERVER, network.outside(), "0",
                   (folder / "model.ready").native()},
                  folder / "log");
  REQUIRE(wait_until([&] { return network.port_of(folder) != 0; }));
  const std::string ask =
      "python3 -c 'import socket;socket.create_connection((\"" +
      network.outside() + "\"," + std::to_string(network.port_of(folder)) +
      "),1)'";
  REQUIRE(network.run(ask) == 0);
  walled.apply();
  CHECK(network.run(ask) != 0);
  const MeasuredState now = walled.state();
  INFO(now.why);
  CHECK(now.measured == Containedness::contained);
  CHECK(network.run("ping -c1 -W1 " + network.outside()) != 0);
  walled.undo();
  CHECK(network.run(ask) == 0);
  note("firewall", "outbound", "shut by scope everything, back after undo");
}

TEST_CASE(
    "[I13] a table of ours that somebody changed is not called contained, and "
    "the undo takes all of it away and nothing else") {
  Walled walled;
  if (!walled.is_there) return;
  const Network& network = *walled.network;
  const std::uint16_t port = walled.serve_on(network.inside());
  REQUIRE(network.run("nft add table inet theirs") == 0);
  walled.apply();
  REQUIRE(walled.state().measured == Containedness::contained);
  const auto table = walled.before.at("table").get<std::string>();
  REQUIRE(network.run("nft insert rule inet " + table + " input tcp dport " +
                      std::to_string(port) + " accept") == 0);
  const MeasuredState now = walled.state();
  CHECK(now.measured == Containedness::not_contained);
  CHECK(now.holds_something);
  CHECK_THAT(now.why, Catch::Contains("not ours"));
  walled.undo();
  CHECK(network.run("nft list table inet " + table) != 0);
  CHECK(network.run("nft list table inet theirs") == 0);
  note("firewall", "table changed by others", "not contained, and says why");
}

TEST_CASE(
    "what is forwarded to a model behind the namespace is stopped as well, on "
    "a connection that was open too") {
  Walled walled;
  if (!walled.is_there) return;
  Network& router = *walled.network;
  const std::string behind = router.name() + "b";
  const std::string in = "ip netns exec " + behind + " ";
  struct Removed {
    std::string name;
    ~Removed() {
      static_cast<void>(
          std::system(("ip netns del " + name + " 2>/dev/null").c_str()));
    }
  } const removed{behind};
  const auto here = [](const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str());
  };
  REQUIRE(here("ip netns add " + behind) == 0);
  for (const std::string& command :
       {std::string("ip link add fa type veth peer name fb"),
        "ip link set fb netns " + behind,
        std::string("ip addr add 172.29.77.1/24 dev fa"),
        std::string("ip link set fa up"),
        std::string("sysctl -w net.ipv4.ip_forward=1")}) {
    INFO(command);
    REQUIRE(router.run(command) == 0);
  }
  for (const std::string& command :
       {in + "ip addr add 172.29.77.2/24 dev fb", in + "ip link set fb up",
        in + "ip route add default via 172.29.77.1",
        "ip route replace 172.29.77.0/24 via " + router.inside()}) {
    INFO(command);
    REQUIRE(here(command) == 0);
  }
  const Part model(
      {*installed("ip"), "netns", "exec", behind, IMPOUND_MODEL_SERVER,
       "172.29.77.2", "0", (walled.temp.path() / "model.ready").native()},
      walled.temp.path() / "log");
  REQUIRE(wait_until([&] { return router.port_of(walled.temp.path()) != 0; }));
  const std::uint16_t port = router.port_of(walled.temp.path());
  walled.settings["ports"] = {std::to_string(port)};
  const UniqueFd open = connect_from("", "172.29.77.2", port);
  REQUIRE(is_answered_over(open));
  walled.apply();
  CHECK_FALSE(is_answered_over(open));
  CHECK(connect_from("", "172.29.77.2", port).get() < 0);
  CHECK(walled.state().measured == Containedness::contained);
  walled.undo();
  CHECK(is_answered_over(connect_from("", "172.29.77.2", port)));
  note("firewall", "forwarded", "open connection and new ones stopped");
}

TEST_CASE("the lines that undo a firewall by hand do so") {
  Walled walled;
  if (!walled.is_there) return;
  const std::uint16_t port = walled.serve_on(walled.network->inside());
  walled.apply();
  REQUIRE(connect_from("", walled.network->inside(), port).get() < 0);
  for (const std::string& line : walled.method.by_hand(walled.before)) {
    REQUIRE(std::system(line.c_str()) == 0);
  }
  CHECK(is_answered_over(connect_from("", walled.network->inside(), port)));
  note("firewall", "undone by hand", "the printed line gives it back");
}
