// SPDX-License-Identifier: Apache-2.0
/// A served model in a network namespace of its own, asked from outside of it.

#include "tests/real/control/network.hpp"
#include "tests/real/control/stages.hpp"

namespace impound::test {
namespace {

class FirewallStage final : public Stage {
 public:
  explicit FirewallStage(std::unique_ptr<Network> network)
      : Stage("firewall"), network_(std::move(network)) {
    start();
    name_port(model_port_);
    deployment.containments.front().settings = {
        {"namespace", network_->path()},
        {"ports", {std::to_string(model_port_)}}};
  }

  std::string host() const override { return network_->inside(); }

  /// The model starts again in the same namespace, on the same port.
  void restart() override {
    model_.reset();
    start();
  }

  std::vector<Refusal> refusals() override {
    return {{"refused: missing namespace",
             [](Deployment& one) {
               one.containments.front().settings["namespace"] =
                   "/run/netns/nowhere";
             },
             "cannot look at the network namespace"},
            {"refused: wrong name",
             [](Deployment& one) {
               one.containments.front().settings["ports"] = {"http"};
             },
             "expected a port from 1 to 65535"},
            {"refused: wrong address",
             [](Deployment& one) {
               one.containments.front().settings["allow"] = {"10.0.0.0/33"};
             },
             "expected an IPv4 or IPv6 address"},
            {"refused: would shut out the responder",
             [](Deployment& one) {
               Json& settings = one.containments.front().settings;
               settings = {{"scope", "everything"}};
             },
             "shuts out whoever responds"}};
  }

 private:
  void start() {
    model_ =
        network_->start_model(temp.path(), network_->inside(), model_port_);
    model_port_ = network_->port_of(temp.path());
  }

  std::unique_ptr<Network> network_;
  std::uint16_t model_port_ = 0;
};

}  // namespace

std::unique_ptr<Stage> make_firewall_stage() {
  if (!installed("nft") || !installed("ss")) return nullptr;
  auto network = Network::make();
  if (network == nullptr) return nullptr;
  return std::make_unique<FirewallStage>(std::move(network));
}

}  // namespace impound::test
