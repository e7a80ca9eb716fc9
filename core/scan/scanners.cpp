// SPDX-License-Identifier: Apache-2.0
/// The list of scanners: one for every line of core/formats/formats.inc.

#include "core/scan/scanners.hpp"

#include <array>

namespace impound {
namespace {

constexpr std::array kScanners{
#define IMPOUND_FORMAT(id, ...) FileScanner{Format::id, scan_##id},
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT
};

}  // namespace

std::span<const FileScanner> file_scanners() { return kScanners; }

}  // namespace impound
