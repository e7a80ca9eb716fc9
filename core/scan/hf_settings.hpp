// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Settings of a Hugging Face folder that name no code and yet decide what a
/// model does: generation_config.json, adapter_config.json, kernels.

#include <string>

#include "core/base/json.hpp"
#include "core/scan/file_scanner.hpp"

namespace impound {

/// Reports what a generation_config.json (or the same keys of a config.json)
/// makes every answer do.
void report_generation(ScanContext& context, const Json& json);

/// Reports where an adapter_config.json takes its base from, and what it
/// replaces.
void report_adapter(ScanContext& context, const Json& json);

/// Reports a value that makes a loader fetch a kernel from the Hub.
void report_kernel(ScanContext& context, const std::string& where,
                   const Json& value);

}  // namespace impound
