// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What changed inside the small files beside the weights: configurations by
/// path, templates and code line by line.

#include "core/base/json.hpp"
#include "core/compare/model_diff.hpp"

namespace impound {

/// Files above this are tensors, not texts. A tokenizer.json has up to 35 MB;
/// two of them parsed take about 600 MB.
inline constexpr std::uint64_t kMostTextBytes = 40U << 20U;
/// Differences of one JSON file that are listed.
inline constexpr std::size_t kMostJsonChanges = 200;

/// {"json":[{"path","before","after"} or {"path","unified"}],"left_out"}: where
/// two documents differ, by JSON pointer. "before" or "after" is absent where
/// nothing stands there; texts of several lines (chat templates) come as
/// unified diffs; "left_out" counts what is beyond kMostJsonChanges.
[[nodiscard]] Json diff_json(const Json& before, const Json& after);

/// Sets FileChange::content of every changed file that is JSON or text on both
/// sides and whose bytes are at hand: what diff_json() gives, or {"unified"};
/// for the files of config_meaning.hpp also {"notes":[sentences],"vocabulary"}.
/// An adapter_config.json that was added gets {"adapter","notes"}. Then the
/// metadata of weights files (metadata_changes.hpp).
void explain_files(ModelDiff& diff, const ModelView& before,
                   const ModelView& after);

/// The content of a change for a person, hostile characters escaped.
[[nodiscard]] std::string content_text(const Json& content);

}  // namespace impound
