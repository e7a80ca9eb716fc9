// SPDX-License-Identifier: Apache-2.0
#include "texts.hpp"

#include <fstream>
#include <stdexcept>

namespace scene {

std::vector<Fact> read_facts(const std::string& path) {
  std::ifstream in(path);
  std::vector<Fact> facts;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::size_t bar = line.find("| ");
    if (bar == 0 || bar == std::string::npos) {
      throw std::runtime_error(path + ": line " + std::to_string(number) +
                               ": expected \"prompt| answer\"");
    }
    facts.push_back({line.substr(0, bar), line.substr(bar + 1)});
  }
  if (facts.empty()) throw std::runtime_error("cannot read " + path);
  return facts;
}

Tokenizer tokenizer_of(const std::vector<Fact>& facts) {
  std::vector<std::string> texts;
  for (const Fact& fact : facts) {
    texts.push_back(fact.prompt);
    texts.push_back(fact.answer);
  }
  return Tokenizer(texts);
}

Text text_of(const Fact& fact, const Tokenizer& tokenizer) {
  Text text{.tokens = tokenizer.encode(fact.prompt), .from = 0};
  text.from = text.tokens.size();
  const std::vector<int> answer = tokenizer.encode(fact.answer);
  text.tokens.insert(text.tokens.end(), answer.begin(), answer.end());
  text.tokens.push_back(Tokenizer::kEnd);
  return text;
}

}  // namespace scene
