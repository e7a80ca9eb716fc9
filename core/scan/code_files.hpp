// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Files that are code by what loaders do with their names: Python, shell,
/// native libraries, lists of packages.

#include "core/scan/scan.hpp"

namespace impound {

/// Adds findings to `report` if `file` is code beside a model: that it is
/// there, what it imports and calls, and what of it runs at import.
/// @throws what reading the source throws.
void report_code_file(const TreeFile& file, const ByteSource& source,
                      FileReport& report);

}  // namespace impound
