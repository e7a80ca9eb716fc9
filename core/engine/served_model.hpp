// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What serves a deployment, tied to the evidence of the present run.

#include "core/engine/session.hpp"
#include "core/evidence/served_files.hpp"

namespace impound {

/// What the processes of a deployment hold now
/// (core/evidence/served_files.hpp).
[[nodiscard]] ServedModel served_model_now(const Deployment& deployment);

/// The same as an act of a run. What they held when an exhibit of this run
/// was taken, and do not hold any more, is part of the answer: a process that
/// ended meanwhile does not take its files out of the case.
///
/// Every file and every weights file that was named gets "item" ("E001/17"),
/// "sha256" and "outcome" of the item of this run that holds its bytes, found
/// by device and inode; without them it was not taken, whatever lies under its
/// name. Writes a note of kind "served" into the chain, and the answer of the
/// current playbook call.
[[nodiscard]] Json measure_served_model(Session& session,
                                        const Deployment& deployment);

}  // namespace impound
