// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/row_tokens.hpp"

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/limits.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMostBytes = 64 * limits::kMiB;

using Tokens = std::map<std::uint64_t, std::string>;

/// {"token": number}
void take_vocabulary(const Json& vocabulary,
                     const std::set<std::uint64_t>& numbers, Tokens& tokens) {
  if (!vocabulary.is_object()) return;
  for (const auto& [token, number] : vocabulary.items()) {
    if (!number.is_number_unsigned()) continue;
    const auto at = number.get<std::uint64_t>();
    if (numbers.contains(at)) tokens.emplace(at, token);
  }
}

/// Unigram models: [["token", score], …], the place is the number.
void take_list(const Json& vocabulary, const std::set<std::uint64_t>& numbers,
               Tokens& tokens) {
  for (const std::uint64_t number : numbers) {
    if (number >= vocabulary.size()) continue;
    const Json& entry = vocabulary[static_cast<std::size_t>(number)];
    if (entry.is_array() && !entry.empty() && entry[0].is_string()) {
      tokens.emplace(number, entry[0].get<std::string>());
    }
  }
}

void take_added(const Json& added, const std::set<std::uint64_t>& numbers,
                Tokens& tokens) {
  if (!added.is_array()) return;
  for (const Json& entry : added) {
    if (!entry.is_object() || !entry.contains("id") ||
        !entry.contains("content") || !entry["id"].is_number_unsigned() ||
        !entry["content"].is_string()) {
      continue;
    }
    const auto number = entry["id"].get<std::uint64_t>();
    if (numbers.contains(number)) {
      tokens[number] = entry["content"].get<std::string>();
    }
  }
}

Json read_json(const ModelView& view, const std::string& path) {
  const ViewFile* const file = view.find_file(path);
  if (view.tree == nullptr || file == nullptr || file->size > kMostBytes) {
    return nullptr;
  }
  try {
    const Bytes bytes = view.open(path)->head(0, file->size);
    return parse_json(as_text(bytes), path);
  } catch (const Error&) {
    return nullptr;  // explain_files() says what is wrong with it
  }
}

}  // namespace

std::map<std::uint64_t, std::string> tokens_of(
    const ModelView& view, const std::set<std::uint64_t>& numbers) {
  Tokens tokens;
  if (numbers.empty()) return tokens;
  const Json tokenizer = read_json(view, "tokenizer.json");
  if (tokenizer.is_object()) {
    const auto model = tokenizer.find("model");
    if (model != tokenizer.end() && model->is_object() &&
        model->contains("vocab")) {
      const Json& vocabulary = (*model)["vocab"];
      if (vocabulary.is_array()) {
        take_list(vocabulary, numbers, tokens);
      } else {
        take_vocabulary(vocabulary, numbers, tokens);
      }
    }
    const auto added = tokenizer.find("added_tokens");
    if (added != tokenizer.end()) take_added(*added, numbers, tokens);
    return tokens;
  }
  take_vocabulary(read_json(view, "vocab.json"), numbers, tokens);
  return tokens;
}

}  // namespace impound
