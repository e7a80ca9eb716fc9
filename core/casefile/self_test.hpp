// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the program checks of itself before it opens a case: FRE 902(13) asks
/// for a process that produces an accurate result.

#include "core/base/json.hpp"
#include "core/storage/sqlite.hpp"

namespace impound {

/// Known answers of SHA-256 (FIPS 180-4) and Ed25519 (RFC 8032), a refused
/// forged signature, and SQLite's own check of `database`.
/// {"passed","tests":[{"name","passed"}],"sqlite"}.
[[nodiscard]] Json run_self_test(const Database& database);

}  // namespace impound
