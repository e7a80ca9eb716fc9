// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Holds a file of a content-addressed store against its own name.

#include "core/scan/scan.hpp"

namespace impound {

/// Adds a finding to `report` if the name of `file` is a digest and its content
/// has another. Uses the digest in `report` where there is one.
/// @throws what reading the source throws.
void check_blob_name(const TreeFile& file, const ByteSource& source,
                     FileReport& report);

}  // namespace impound
