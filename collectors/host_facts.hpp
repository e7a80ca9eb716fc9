// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Facts about the machine that are in no single file of /proc.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/base/procfs.hpp"
#include "core/evidence/redaction.hpp"

namespace impound {

/// What uname(2) says.
[[nodiscard]] Json kernel_identity();

/// The machine's clock and how far it can be trusted.
[[nodiscard]] Json clock_facts(const Clock& clock);

/// Who is logged in, from a utmp file; empty if it cannot be read.
[[nodiscard]] std::optional<Json> logged_in_users(
    const std::filesystem::path& utmp);

/// Interfaces with their flags and addresses.
/// @throws Error{io}.
[[nodiscard]] Json network_interfaces();

/// Listening TCP and bound UDP sockets with the processes that hold them.
[[nodiscard]] Json listening_sockets(const ProcFs& procfs);

/// Identifiers of containers, with their processes, as the names of control
/// groups tell them: Docker, Podman, containerd, CRI-O, Kubernetes pods.
[[nodiscard]] Json containers(const ProcFs& procfs);

/// The container identifier in the path of a control group: 64 hexadecimal
/// digits, after an optional prefix as "docker-"; "" if there is none.
[[nodiscard]] std::string container_id(std::string_view cgroup);

/// Every process, one line each; command lines without secrets.
[[nodiscard]] std::string process_list(const ProcFs& procfs,
                                       Redactor& redactor);

}  // namespace impound
