// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The scanner of each format, for the list in scanners.cpp.

#include "core/scan/file_scanner.hpp"

namespace impound {

#define IMPOUND_FORMAT(id, ...) \
  void scan_##id(ScanContext& context, const Subject& subject);
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT

}  // namespace impound
