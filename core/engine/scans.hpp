// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Scanning a path or an exhibit for what would run if it were loaded.

#include <string>

#include "core/engine/session.hpp"
#include "core/scan/scan.hpp"

namespace impound {

/// Scans "E001" (of `case_file`, which may be null), a bundle, folder, file or
/// Hugging Face snapshot; packed files are opened through the storage room.
/// With Depth::code_only the digests in the report are those that an exhibit
/// already has; otherwise they are empty.
[[nodiscard]] ScanReport scan_subject(
    const std::string& subject, const CaseFile* case_file, Progress& progress,
    const Cancellation& cancellation,
    ScanOptions::Depth depth = ScanOptions::Depth::every_byte);

/// Records a scan of evidence in the chain (and journals the answer).
void record_scan(Session& session, const std::string& subject,
                 const Json& answer);

}  // namespace impound
