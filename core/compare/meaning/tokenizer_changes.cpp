// SPDX-License-Identifier: Apache-2.0
/// tokenizer.json and its older relatives: the vocabulary, added tokens, and
/// the steps that rewrite a user's text before the model sees it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/compare/meaning/config_meaning.hpp"
#include "core/compare/meaning/vocabulary_diff.hpp"

namespace impound {
namespace {

constexpr std::size_t kMostNotes = 60;  ///< of one file

void note(FileMeaning& meaning, std::string text) {
  if (meaning.notes.size() < kMostNotes) {
    meaning.notes.push_back(std::move(text));
  } else if (meaning.notes.size() == kMostNotes) {
    meaning.notes.emplace_back("… and more, left out");
  }
}

const Json& member(const Json& object, const char* key) {
  static const Json kNone = nullptr;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::string quoted(const Json& value) {
  constexpr std::size_t kMost = 120;
  const std::string text =
      value.is_string() ? value.get<std::string>() : dump_line(value);
  return fmt::format("'{}{}'", printable(text.substr(0, kMost)),
                     text.size() > kMost ? "…" : "");
}

/// {"String": …} or {"Regex": …}, or a plain text.
std::string pattern_words(const Json& pattern) {
  if (pattern.is_object()) {
    if (pattern.contains("String")) return quoted(pattern["String"]);
    if (pattern.contains("Regex")) {
      return "what matches " + quoted(pattern["Regex"]);
    }
  }
  return quoted(pattern);
}

std::string type_of(const Json& step) {
  const Json& type = member(step, "type");
  return type.is_string() ? printable(type.get<std::string>().substr(0, 60))
                          : std::string("(no type)");
}

/// What one step does to a text.
std::string step_words(const Json& step) {
  const std::string type = type_of(step);
  if (type == "Replace") {
    return fmt::format("Replace: {} becomes {} in every text of a user",
                       pattern_words(member(step, "pattern")),
                       quoted(member(step, "content")));
  }
  if (type == "Prepend") {
    return fmt::format("Prepend: {} is put in front of every text",
                       quoted(member(step, "prepend")));
  }
  if (type == "Append") {
    return fmt::format("Append: {} is put behind every text",
                       quoted(member(step, "append")));
  }
  if (type == "Lowercase") return "Lowercase: upper case is lost";
  if (type == "StripAccents") return "StripAccents: accents are lost";
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    return type + ": characters that Unicode holds for equal become one";
  }
  if (type == "Strip") return "Strip: white space at the ends is lost";
  if (type == "Split") {
    return fmt::format("Split at {} ({})",
                       pattern_words(member(step, "pattern")),
                       quoted(member(step, "behavior")));
  }
  return fmt::format("{} {}", type, quoted(step));
}

/// The steps of a Sequence, which may hold others, in order.
void steps_of(const Json& step, int depth, std::vector<Json>& out) {
  if (step.is_null() || depth > limits::kMaxDepth) return;
  for (const char* list :
       {"normalizers", "pretokenizers", "processors", "decoders"}) {
    const Json& inner = member(step, list);
    if (!inner.is_array()) continue;
    for (const Json& each : inner) steps_of(each, depth + 1, out);
    return;
  }
  out.push_back(step);
}

void compare_steps(const Json& before, const Json& after, const char* part,
                   FileMeaning& meaning) {
  std::vector<Json> old;
  std::vector<Json> now;
  steps_of(member(before, part), 0, old);
  steps_of(member(after, part), 0, now);
  if (old == now) return;
  const auto missing = [](const std::vector<Json>& from,
                          const std::vector<Json>& in) {
    std::vector<Json> rest = in;
    std::vector<Json> out;
    for (const Json& step : from) {
      const auto found = std::find(rest.begin(), rest.end(), step);
      if (found == rest.end()) {
        out.push_back(step);
      } else {
        rest.erase(found);
      }
    }
    return out;
  };
  const std::vector<Json> added = missing(now, old);
  const std::vector<Json> removed = missing(old, now);
  for (const Json& step : added) {
    note(meaning, fmt::format("{}: new step {}", part, step_words(step)));
  }
  for (const Json& step : removed) {
    note(meaning, fmt::format("{}: gone is {}", part, step_words(step)));
  }
  if (added.empty() && removed.empty()) {
    note(meaning,
         fmt::format("{}: the same steps in another order or nesting", part));
  }
}

using AddedTokens = std::map<std::string, Json>;

AddedTokens added_tokens(const Json& list) {
  AddedTokens tokens;
  if (!list.is_array()) return tokens;
  for (const Json& token : list) {
    const Json& content = member(token, "content");
    if (content.is_string()) tokens.emplace(content.get<std::string>(), token);
  }
  return tokens;
}

bool is_special(const Json& token) {
  const Json& special = member(token, "special");
  return special.is_boolean() && special.get<bool>();
}

std::string id_of(const Json& token) {
  const Json& id = member(token, "id");
  return id.is_number() ? fmt::format(" (id {})", dump_line(id))
                        : std::string();
}

void compare_added_tokens(const AddedTokens& before, const AddedTokens& after,
                          FileMeaning& meaning) {
  for (const auto& [content, token] : after) {
    const auto old = before.find(content);
    if (old == before.end()) {
      note(meaning,
           fmt::format("new {} token '{}'{}: the text of a user that contains "
                       "it becomes this one token",
                       is_special(token) ? "special" : "added",
                       printable(content.substr(0, 120)), id_of(token)));
      continue;
    }
    if (old->second == token) continue;
    std::string what;
    if (is_special(old->second) != is_special(token)) {
      what = is_special(token) ? "is special now" : "is special no longer";
    } else if (member(old->second, "id") != member(token, "id")) {
      what = "has another number" + id_of(old->second) + " →" + id_of(token);
    } else {
      what = "is matched differently";
    }
    note(meaning,
         fmt::format("token '{}' {}", printable(content.substr(0, 120)), what));
  }
  for (const auto& [content, token] : before) {
    if (after.contains(content)) continue;
    note(meaning, fmt::format("{} token '{}'{} is gone",
                              is_special(token) ? "special" : "added",
                              printable(content.substr(0, 120)), id_of(token)));
  }
}

/// A vocabulary: {"token": id}, or a unigram list [["token", score], …].
Vocabulary vocabulary_of(const Json& vocab) {
  Vocabulary out;
  if (vocab.is_object()) {
    for (const auto& [token, id] : vocab.items()) {
      if (id.is_number_unsigned()) out.emplace(token, id.get<std::uint64_t>());
    }
  } else if (vocab.is_array()) {
    std::uint64_t id = 0;
    for (const Json& entry : vocab) {
      if (entry.is_array() && !entry.empty() && entry[0].is_string()) {
        out.emplace(entry[0].get<std::string>(), id);
      }
      ++id;
    }
  }
  return out;
}

void compare_merges(const Json& before, const Json& after,
                    FileMeaning& meaning) {
  if (before == after || (!before.is_array() && !after.is_array())) return;
  const std::size_t old = before.is_array() ? before.size() : 0;
  const std::size_t now = after.is_array() ? after.size() : 0;
  std::size_t first = 0;
  while (first < std::min(old, now) && before[first] == after[first]) ++first;
  note(meaning, fmt::format("merges: {} → {} rules, the first difference at "
                            "number {}: words are cut differently",
                            old, now, first));
}

/// A special token is a text, or an object with "content".
std::string token_words(const Json& token) {
  if (token.is_null()) return "(none)";
  const Json& content = member(token, "content");
  return quoted(content.is_string() ? content : token);
}

}  // namespace

void explain_tokenizer(const Json& before, const Json& after,
                       FileMeaning& meaning) {
  const Json& old_model = member(before, "model");
  const Json& new_model = member(after, "model");
  if (!old_model.is_object() && !new_model.is_object()) {
    // vocab.json and added_tokens.json are the vocabulary itself.
    meaning.vocabulary =
        diff_vocabulary(vocabulary_of(before), vocabulary_of(after));
    if (!meaning.vocabulary.is_null()) meaning.said = {"/"};
  } else {
    const Json& old_vocab = member(old_model, "vocab");
    const Json& new_vocab = member(new_model, "vocab");
    if (old_vocab != new_vocab) {
      meaning.vocabulary =
          diff_vocabulary(vocabulary_of(old_vocab), vocabulary_of(new_vocab));
      if (meaning.vocabulary.is_null()) {
        note(meaning, "vocabulary: the same tokens with other scores");
      }
    }
    compare_merges(member(old_model, "merges"), member(new_model, "merges"),
                   meaning);
    meaning.said = {"/model/vocab", "/model/merges"};
  }
  for (std::string& text : vocabulary_notes(meaning.vocabulary)) {
    note(meaning, std::move(text));
  }
  for (const char* part : {"normalizer", "pre_tokenizer", "post_processor"}) {
    compare_steps(before, after, part, meaning);
  }
  compare_added_tokens(added_tokens(member(before, "added_tokens")),
                       added_tokens(member(after, "added_tokens")), meaning);
}

void explain_special_tokens(const Json& before, const Json& after,
                            FileMeaning& meaning) {
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token",
                          "sep_token", "cls_token", "mask_token"}) {
    const Json& old = member(before, key);
    const Json& now = member(after, key);
    if (old == now) continue;
    const bool is_end = std::string_view(key) == "eos_token";
    note(meaning,
         fmt::format("{}: {} → {}{}", key, token_words(old), token_words(now),
                     is_end ? ": another token ends an answer" : ""));
  }
  AddedTokens old;
  AddedTokens now;
  const auto take = [](const Json& decoder, AddedTokens& into) {
    if (!decoder.is_object()) return;
    for (const auto& [id, token] : decoder.items()) {
      Json entry = token;
      if (!entry.is_object()) continue;
      entry["id"] = id;
      const Json& content = member(entry, "content");
      if (content.is_string()) into.emplace(content.get<std::string>(), entry);
    }
  };
  take(member(before, "added_tokens_decoder"), old);
  take(member(after, "added_tokens_decoder"), now);
  compare_added_tokens(old, now, meaning);
  const auto template_of = [](const Json& config) {
    const Json& text = member(config, "chat_template");
    return text.is_string() ? text.get<std::string>() : std::string();
  };
  const std::string old_template = template_of(before);
  const std::string new_template = template_of(after);
  if (old_template != new_template) {
    for (std::string& text : template_notes(old_template, new_template)) {
      note(meaning, "chat template: " + std::move(text));
    }
  }
}

}  // namespace impound
