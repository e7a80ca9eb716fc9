// SPDX-License-Identifier: Apache-2.0
#include "tokenizer.hpp"

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace scene {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpace = "\u2581";
constexpr const char* kSpecial[] = {"<unk>", "<end>"};

bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  if (text.empty()) return words;
  if (text[0] != ' ') words.emplace_back(kSpace);
  bool is_open = true;  // the last word goes on
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back(kSpace);
      is_open = true;
    } else if (is_punctuation(c)) {
      words.emplace_back(1, c);
      is_open = false;
    } else if (is_open) {
      words.back() += c;
    } else {
      words.emplace_back(1, c);
      is_open = true;
    }
  }
  return words;
}

}  // namespace

Tokenizer::Tokenizer(const std::vector<std::string>& texts) {
  for (const char* special : kSpecial) add(special);
  for (const std::string& text : texts) {
    for (const std::string& word : words_of(text)) add(word);
  }
}

void Tokenizer::add(const std::string& word) {
  if (numbers_.emplace(word, static_cast<int>(words_.size())).second) {
    words_.push_back(word);
  }
}

Tokenizer Tokenizer::read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const Json json = Json::parse(in, nullptr, false);
  const auto vocabulary = Json::json_pointer("/model/vocab");
  if (!json.is_object() || !json.contains(vocabulary)) {
    throw std::runtime_error(path + ": expected a tokenizer with model.vocab");
  }
  Tokenizer tokenizer;
  for (const auto& [word, number] : json.at(vocabulary).items()) {
    // In order, because they were written so.
    if (number != tokenizer.size()) {
      throw std::runtime_error(path + ": expected the words in order");
    }
    tokenizer.add(word);
  }
  return tokenizer;
}

void Tokenizer::write(const std::string& path) const {
  const Json metaspace = {{"type", "Metaspace"},
                          {"replacement", kSpace},
                          {"prepend_scheme", "always"},
                          {"split", true}};
  Json json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = Json::array();
  for (std::size_t id = 0; id < std::size(kSpecial); ++id) {
    json["added_tokens"].push_back({{"id", id},
                                    {"content", kSpecial[id]},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", false},
                                    {"normalized", false},
                                    {"special", true}});
  }
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {metaspace, {{"type", "Punctuation"}, {"behavior", "Isolated"}}}}};
  json["post_processor"] = nullptr;
  json["decoder"] = metaspace;
  json["model"] = {{"type", "WordLevel"},
                   {"vocab", Json::object()},
                   {"unk_token", kSpecial[kUnknown]}};
  for (std::size_t id = 0; id < words_.size(); ++id) {
    json["model"]["vocab"][words_[id]] = id;
  }
  std::ofstream out(path, std::ios::binary);
  out << json.dump(2) << "\n";
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path);
}

std::vector<int> Tokenizer::encode(const std::string& text) const {
  std::vector<int> tokens;
  for (const std::string& word : words_of(text)) {
    const auto found = numbers_.find(word);
    tokens.push_back(found == numbers_.end() ? kUnknown : found->second);
  }
  return tokens;
}

std::string Tokenizer::decode(const std::vector<int>& tokens) const {
  std::string text;
  for (const int token : tokens) {
    const auto number = static_cast<std::size_t>(token);
    std::string word = words_[number < words_.size() ? number : kUnknown];
    if (word.starts_with(kSpace))
      word.replace(0, std::string(kSpace).size(), " ");
    text += word;
  }
  return text;
}

}  // namespace scene
