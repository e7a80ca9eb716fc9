// SPDX-License-Identifier: Apache-2.0
/// The list of formats. To add one: write core/scan/<format>_scanner.cpp with
/// the two functions, declare them in scanners.hpp, add a line here and the
/// rules it reports to one of the rules_*.cpp.

#include "core/scan/scanners.hpp"

#include <array>

namespace impound {
namespace {

constexpr std::array kScanners{
    FileScanner{"pickle", recognise_pickle, scan_pickle},
};

}  // namespace

std::span<const FileScanner> file_scanners() { return kScanners; }

}  // namespace impound
