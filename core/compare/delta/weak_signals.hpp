// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the numbers of a model show without a baseline to compare with: weak
/// signals, each with its numbers, none of them proof.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/formats/problem.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// One thing that is unusual for trained weights.
struct WeakSignal {
  /// "impossible-bits": an upcast tensor with bits that it could not have;
  /// "magic": a file begins in the low bytes or bits; "low-entropy": a run of
  /// low bytes that is too orderly; "mantissa-bits": a leading bit of the
  /// mantissa is as often one as zero, which weights never are;
  /// "row-norm": a row far longer than the others; "spectrum": one direction
  /// far stronger than in the same module of other layers.
  std::string kind;
  Severity severity = Severity::info;  ///< info or low, never more
  std::string tensor;
  std::string file;
  std::string message;
  Json numbers;

  [[nodiscard]] Json to_json() const;
};

struct WeakSignals {
  std::vector<WeakSignal> signals;
  std::uint64_t tensors = 0;   ///< that were looked at
  std::uint64_t left_out = 0;  ///< no F32, F16 or BF16, or unreadable
};

/// Looks at every F32, F16 and BF16 tensor of `view`, several at a time on
/// `threads` cores (0 = all), each in windows: about 32 MiB a core, and 8 bytes
/// a row for up to 4 Mi rows. Thresholds were measured on trained models and on
/// payloads hidden in them (tests/calibration/README.md).
[[nodiscard]] WeakSignals find_weak_signals(const ModelView& view,
                                            unsigned threads,
                                            Progress& progress,
                                            const Cancellation& cancellation);

/// For people; says that these are no proof.
[[nodiscard]] std::string to_text(const WeakSignals& found);

}  // namespace impound
