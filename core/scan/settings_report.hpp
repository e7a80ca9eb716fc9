// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Reads the settings of a model folder and reports those of the table
/// (settings_table.hpp).

#include "core/scan/file_scanner.hpp"

namespace impound {

/// Reports the settings of `subject`, if its name is that of a file of
/// settings. What is a promise of the name and cannot be read is unread.
void report_settings(ScanContext& context, const Subject& subject);

}  // namespace impound
