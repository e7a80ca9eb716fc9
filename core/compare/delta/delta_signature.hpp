// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What kind of change each tensor of a comparison went through, with the
/// numbers that say so, and one sentence about the model.

#include <functional>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/progress.hpp"
#include "core/compare/model_diff.hpp"

namespace impound {

struct ExplainOptions {
  unsigned threads = 0;  ///< 0 = all cores
  /// Gets evidence as files: singular vectors and values (.npy) of rank-one and
  /// low-rank changes, payloads (.bin). Names are safe and differ. May be
  /// empty.
  std::function<void(const std::string& name, ByteView bytes)> save;
};

/// Fills label and stats of every tensor that is on both sides, and the label,
/// sentence and numbers of the model. Numbers of tensors need the bytes of both
/// sides: without them (a baseline), the model's label is "unknown" where
/// something differs. Reads tensors in windows, one tensor at
/// a time, in well under 1 GiB. A tensor that cannot be read or has no numbers
/// becomes "unclassified", with the reason in its stats. Told to stop, it says
/// so in the sentence and leaves the rest without a label.
void explain_changes(ModelDiff& diff, const ModelView& before,
                     const ModelView& after, const ExplainOptions& options,
                     Progress& progress, const Cancellation& cancellation);

}  // namespace impound
