// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One function for each stage.

#include "tests/real/control/stage.hpp"

namespace impound::test {

[[nodiscard]] std::unique_ptr<Stage> make_command_stage();
[[nodiscard]] std::unique_ptr<Stage> make_container_stage();
[[nodiscard]] std::unique_ptr<Stage> make_firewall_stage();
[[nodiscard]] std::unique_ptr<Stage> make_haproxy_stage();
[[nodiscard]] std::unique_ptr<Stage> make_nginx_stage();

}  // namespace impound::test
