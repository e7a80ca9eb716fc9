// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the program checks of itself before it opens a case: FRE 902(13) asks
/// for a process that produces an accurate result.

#include "core/base/json.hpp"
#include "core/storage/sqlite.hpp"

namespace impound {

/// Known answers of OpenSSL's SHA-256 (FIPS 180-4), of the SHA-256 that seals
/// bundles, which may be our own kernel, and of Ed25519 (RFC 8032), a refused
/// forged signature, and SQLite's own check of `database`.
/// {"passed","tests":[{"name","passed"}],"sha256_kernel","sqlite"}.
[[nodiscard]] Json run_self_test(const Database& database);

}  // namespace impound
