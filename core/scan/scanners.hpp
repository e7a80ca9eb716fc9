// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The two functions of each format, for the list in scanners.cpp.

#include "core/scan/file_scanner.hpp"

namespace impound {

[[nodiscard]] bool recognise_pickle(const Subject& subject);
void scan_pickle(ScanContext& context, const Subject& subject);

}  // namespace impound
