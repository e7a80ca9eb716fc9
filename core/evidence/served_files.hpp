// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Finds out what the processes of a deployment hold: the measurement behind
/// served_tie.hpp.

#include <string_view>

#include "core/base/source.hpp"
#include "core/evidence/locate.hpp"
#include "core/evidence/served_tie.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// True for a name that weights have ("model.safetensors", "w.bin"): what a
/// file is called, not what it is.
[[nodiscard]] bool is_weights_name(std::string_view name);

/// Whether bytes are weights: core/formats/weights_file.hpp, which this room
/// may not know.
using WeightsTest = bool (*)(const ByteSource& source) noexcept;

/// Looks; changes nothing. Reads names, tables and the first bytes of files.
[[nodiscard]] ServedModel look_at_served_model(const Deployment& deployment,
                                               const ProcessLocator& locator,
                                               const ProcFs& procfs,
                                               WeightsTest holds_weights);

}  // namespace impound
