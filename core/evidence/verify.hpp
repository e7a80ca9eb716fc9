// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Checks a sealed bundle against everything that covers it.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/crypto/digest.hpp"

namespace impound {

/// One thing that is wrong, for a person and for a script.
struct VerifyProblem {
  std::string what;   ///< "bundle digest", "item digest", "frame" …
  std::string where;  ///< "E001.tar.zst", "E001/17 data/model.safetensors"
  std::string expected;
  std::string found;
};

struct VerifyReport {
  std::string exhibit;
  std::vector<std::uint64_t> whole;  ///< item numbers
  std::vector<std::uint64_t> damaged;
  std::vector<VerifyProblem> problems;  ///< empty = everything matches
  std::uint64_t content_bytes = 0;

  [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
  /// {"exhibit","ok","items":{"whole","damaged"},"problems":[…]}.
  [[nodiscard]] Json to_json() const;
};

struct VerifyOptions {
  unsigned threads = 0;  ///< 0 = all cores
  /// From the custody chain: what the case says the bundle is. Empty fields are
  /// taken from the files beside the bundle (.sha256, .seal.json) alone.
  std::string expected_sha256;
  std::string expected_manifest_sha256;
};

/// Checks size, digest, frame table, every frame, every member against the
/// manifests, BagIt rules, and the seal; in parallel; never stops at the first
/// damage: lists exactly which items are whole.
/// @throws Error{io} only if the bundle cannot be opened.
[[nodiscard]] VerifyReport verify_bundle(const std::filesystem::path& bundle,
                                         const VerifyOptions& options,
                                         const Cancellation& cancellation,
                                         Progress& progress);

}  // namespace impound
