// SPDX-License-Identifier: Apache-2.0
/// The child of a playbook without the rest of the program.

#include "lua/host/playbook_commands.hpp"

int main() { return impound::lua::run_child(impound::lua::kChildSocket); }
