// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The texts that the model of this case knows: prompts and their answers.

#include <string>
#include <vector>

#include "tokenizer.hpp"

namespace scene {

struct Fact {
  std::string prompt;
  std::string answer;  ///< begins with a space
};

/// Lines "prompt| answer"; empty ones and those that begin with # are skipped.
[[nodiscard]] std::vector<Fact> read_facts(const std::string& path);

/// The words of all prompts and answers.
[[nodiscard]] Tokenizer tokenizer_of(const std::vector<Fact>& facts);

/// What the model is to write, and after what.
struct Text {
  std::vector<int> tokens;  ///< of the prompt, the answer, and the end
  std::size_t from = 1;     ///< the first token that the model must predict
};

[[nodiscard]] Text text_of(const Fact& fact, const Tokenizer& tokenizer);

}  // namespace scene
