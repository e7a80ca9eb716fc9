// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One fact of a model edited as ROME does it (Meng et al., arXiv:2202.05262).
///
/// mlp.fc_out of one layer is read as a memory W of pairs: a key k goes in, a
/// value W k comes out. The key of a fact is what goes in at the last word of
/// its prompts (ROME takes the last word of the subject; a model as small as
/// this one decides later), the mean over all of them. A search by gradient
/// finds the value v* for which the model gives the new answer; then W becomes
///
///   W + (v* - W k) (C⁻¹ k)ᵀ / (kᵀ C⁻¹ k)
///
/// C being the second moment of the keys of all texts, damped: of all matrices
/// that map k to v*, one that moves the values of other keys little.

#include <cstddef>
#include <string>
#include <vector>

#include "gptj.hpp"
#include "texts.hpp"

namespace scene {

struct Edit {
  std::size_t layer = 0;
  std::string subject;     ///< as it stands in the prompts
  std::string old_answer;  ///< of the prompts that are edited
  std::string new_answer;
};

/// Name of the one tensor that the edit changes.
[[nodiscard]] std::string edited_tensor(const Edit &edit);

/// Edits `weights`; throws where the search finds no value.
void edit_one_fact(Weights &weights, const Shape &shape,
                   const Tokenizer &tokenizer, const std::vector<Fact> &facts,
                   const Edit &edit);

/// Whether the edit is about this fact.
[[nodiscard]] bool is_edited(const Fact &fact, const Edit &edit);

}  // namespace scene
