// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which token a row of an embedding is of, where the tokenizer is at hand.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "core/view/model_view.hpp"

namespace impound {

/// Tokens of these numbers by the view's tokenizer.json, else its vocab.json
/// (at its top; of 64 MiB at most). Those it does not have, and all where there
/// is no such file, are left out: an order of rows is not guessed.
[[nodiscard]] std::map<std::uint64_t, std::string> tokens_of(
    const ModelView& view, const std::set<std::uint64_t>& numbers);

}  // namespace impound
