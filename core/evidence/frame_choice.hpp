// SPDX-License-Identifier: Apache-2.0
#pragma once
/// How hard a frame is compressed, decided by its bytes alone, so that any
/// number of threads decides the same.

#include "core/base/bytes.hpp"

namespace impound {

struct FrameLevels {
  int weights = 1;
  int text = 3;
};

/// True for UTF-8 or ASCII text: no NUL, hardly any control characters.
[[nodiscard]] bool looks_like_text(ByteView sample) noexcept;

/// The zstd level for one frame. Levels above 1 buy nothing on weights; data
/// that is compressed already (4-bit weights, archives) is stored, because
/// trying costs as much as hashing it (docs/benchmarks.md).
[[nodiscard]] int choose_level(ByteView content, const FrameLevels& levels);

}  // namespace impound
