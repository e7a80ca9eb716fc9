// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Free text that a model says about itself: what has no place in it.

#include <string>
#include <string_view>

#include "core/scan/file_scanner.hpp"

namespace impound {

/// Reports code and addresses in `value`, which stands at `where`
/// ("__metadata__.format") and `offset`.
void report_metadata_text(ScanContext& context, const std::string& where,
                          std::uint64_t offset, std::string_view value);

}  // namespace impound
