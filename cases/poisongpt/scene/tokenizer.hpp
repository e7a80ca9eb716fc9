// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Words as tokens, in the tokenizer.json that other programs read.
///
/// A space becomes "▁" (U+2581) and begins a word; a mark of ASCII punctuation
/// is a token of its own: "▁the ▁moon ?". In the words of tokenizer.json: the
/// pre-tokenizers Metaspace and Punctuation, the model WordLevel. What no text
/// of the training had is "<unk>".

#include <map>
#include <string>
#include <vector>

namespace scene {

class Tokenizer {
 public:
  static constexpr int kUnknown = 0;
  static constexpr int kEnd = 1;  ///< ends an answer

  /// The words of these texts, in the order in which they first appear.
  explicit Tokenizer(const std::vector<std::string>& texts);
  /// tokenizer.json of a model folder.
  [[nodiscard]] static Tokenizer read(const std::string& path);
  void write(const std::string& path) const;

  [[nodiscard]] std::size_t size() const { return words_.size(); }
  [[nodiscard]] std::vector<int> encode(const std::string& text) const;
  /// With the space that the first word begins with.
  [[nodiscard]] std::string decode(const std::vector<int>& tokens) const;

 private:
  Tokenizer() = default;
  void add(const std::string& word);

  std::vector<std::string> words_;
  std::map<std::string, int> numbers_;
};

}  // namespace scene
