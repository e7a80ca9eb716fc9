// SPDX-License-Identifier: Apache-2.0
/// tokenizer.json and its companions: what rewrites a text on its way to the
/// model and back, and tokens that are more than tokens.

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/scan/scanners.hpp"
#include "core/scan/token_text.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMaxTokenizer = 64 * limits::kMiB;
/// Letters in a row that make a word: "▁" and "Ġ" have none, "'s" has one.
constexpr std::size_t kWord = 2;
/// Words that make a sentence. Markers such as "<|fim middle|>" have fewer.
constexpr std::size_t kSentence = 4;

std::string under(const std::string& where, std::string_view key) {
  return where.empty() ? std::string(key) : where + "." + std::string(key);
}

std::string text_at(const Json& object, std::string_view key) {
  return object.is_object() ? text_or(object, key, "") : std::string();
}

bool has_digit(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos;
}

/// A regular expression without what is no letter of a text: escapes (\\w,
/// \\p{Cc}), counts ({2,}), groups by name and options.
std::string words_of_regex(std::string_view regex) {
  std::string out;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size()) {
      const char kind = regex[++i];
      const bool has_name = kind == 'p' || kind == 'P' || kind == 'x' ||
                            kind == 'u' || kind == 'k';
      if (has_name && i + 1 < regex.size() &&
          (regex[i + 1] == '{' || regex[i + 1] == '<')) {
        i = std::min(regex.find(regex[i + 1] == '{' ? '}' : '>', i),
                     regex.size());
      } else if (kind == 'x') {
        i += 2;
      } else if (kind == 'u') {
        i += 4;
      }
      out += ' ';
    } else if (c == '{') {
      i = std::min(regex.find('}', i), regex.size());
      out += ' ';
    } else if (c == '[') {
      // One character of a class.
      i = std::min(regex.find(']', i + 2), regex.size());
      out += ' ';
    } else if (c == '(' && i + 1 < regex.size() && regex[i + 1] == '?') {
      while (i + 1 < regex.size() &&
             std::string_view("?:=!<>imsx-").find(regex[i + 1]) !=
                 std::string_view::npos) {
        ++i;
      }
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

/// Whether a regular expression is about digits: \\d, [0-9], \\p{N}, 7.
bool names_digits(std::string_view regex) {
  if (regex.find("\\d") != regex.npos || regex.find("\\p{N") != regex.npos ||
      regex.find("0-9") != regex.npos) {
    return true;
  }
  return has_digit(words_of_regex(regex));
}

class TokenizerReport {
 public:
  explicit TokenizerReport(ScanContext& context) : context_(context) {}

  void add(std::string_view rule, Severity severity, const std::string& where,
           std::string message, std::string_view evidence) {
    context_.report(rule, severity, where, std::move(message),
                    printable(evidence.substr(0, 4096)));
  }

  /// A step of normalizer, pre_tokenizer, decoder or post_processor; sequences
  /// hold further ones.
  void step(const std::string& where, const Json& json) {
    if (json.is_array()) {
      for (std::size_t i = 0; i < json.size(); ++i) {
        step(fmt::format("{}[{}]", where, i), json[i]);
      }
      return;
    }
    if (!json.is_object()) return;
    const std::string type = text_at(json, "type");
    if (type == "Replace") replace(where, json);
    if (type == "Prepend" || type == "Append") {
      const std::string text =
          text_at(json, type == "Prepend" ? "prepend" : "append");
      if (longest_word(text) >= kWord) {
        add("tokenizer-rewrite", Severity::high, where,
            "puts words before every text", text);
      }
    }
    if (type == "Split" && text_at(json, "behavior") == "Removed") {
      const auto pattern = json.find("pattern");
      if (pattern != json.end() &&
          longest_word(text_at(*pattern, "String")) > kWord) {
        add("tokenizer-removal", Severity::medium, where,
            "takes a word out of every text", text_at(*pattern, "String"));
      }
    }
    if (type == "TemplateProcessing") added_around(where, json);
    for (const auto& [key, value] : json.items()) {
      if (value.is_structured()) step(under(where, printable(key)), value);
    }
  }

  /// A list of {"id", "content", …}, or an object of them by number.
  void added_tokens(const std::string& where, const Json& json) {
    std::set<std::uint64_t> ids;
    std::set<std::string> texts;
    for (const auto& [key, value] : json.items()) {
      const std::string place = under(where, printable(key));
      const std::string content = text_at(value, "content");
      token(place, content);
      if (!content.empty() && !texts.insert(content).second) {
        add("tokenizer-duplicate-id", Severity::medium, place,
            "a token that is added twice", content);
      }
      if (!value.is_object()) continue;
      const auto id = value.find("id");
      if (id == value.end() || !id->is_number_unsigned()) continue;
      const auto number = id->get<std::uint64_t>();
      if (!ids.insert(number).second) {
        add("tokenizer-duplicate-id", Severity::medium, place,
            fmt::format("number {} is given to two added tokens", number),
            content);
      }
      added_[number] = content;
    }
  }

  /// {"token": number, …}: the vocabulary, or added_tokens.json.
  void numbers(const std::string& where, const Json& json) {
    if (!json.is_object()) return;
    std::unordered_map<std::uint64_t, const std::string*> known;
    known.reserve(json.size());
    for (const auto& [text, id] : json.get_ref<const Json::object_t&>()) {
      if (!id.is_number_unsigned()) continue;
      const auto number = id.get<std::uint64_t>();
      const auto [first, is_new] = known.emplace(number, &text);
      if (!is_new && ++duplicates_ <= kMaxDuplicates) {
        add("tokenizer-duplicate-id", Severity::medium, where,
            fmt::format("number {} is given to two tokens", number),
            *first->second + "  " + text);
      }
      const auto added = added_.find(number);
      if (added != added_.end() && added->second != text &&
          ++duplicates_ <= kMaxDuplicates) {
        add("tokenizer-duplicate-id", Severity::medium, where,
            fmt::format("number {} is an added token and a word of the "
                        "vocabulary",
                        number),
            added->second + "  " + text);
      }
    }
  }

  /// A text that one number stands for.
  void token(const std::string& where, const std::string& text) {
    if (has_invisible(text)) {
      add("tokenizer-invisible-token", Severity::medium, where,
          "a token with characters that cannot be seen", text);
    }
    if (has_address(text)) {
      add("tokenizer-token-text", Severity::high, where,
          "a token that is an address", text);
    } else if (words_in(text) >= kSentence) {
      add("tokenizer-token-text", Severity::medium, where,
          "a token that is a sentence", text);
    }
  }

  /// The named tokens of tokenizer_config.json and special_tokens_map.json.
  void special_tokens(const Json& json) {
    for (const auto& [key, value] : json.items()) {
      if (key == "additional_special_tokens" && value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
          token(fmt::format("{}[{}]", key, i), token_text(value[i]));
        }
      }
      if (!key.ends_with("_token")) continue;
      const std::string text = token_text(value);
      token(key, text);
      if (key != "eos_token" || text.empty()) continue;
      // What ends an answer is written with signs or in capitals: </s>,
      // <|im_end|>, [SEP], EOS.
      const bool has_small = std::any_of(text.begin(), text.end(), [](char c) {
        return c >= 'a' && c <= 'z';
      });
      if (longest_word(text) >= kWord && has_small &&
          text.find_first_of("<>[]{}|/_#@\xe2\xef") == std::string::npos) {
        add("tokenizer-end-word", Severity::medium, key,
            "an ordinary word ends the answer", text);
      }
    }
  }

 private:
  static std::string token_text(const Json& value) {
    return value.is_string() ? value.get<std::string>()
                             : text_at(value, "content");
  }

  void replace(const std::string& where, const Json& json) {
    const std::string content = text_at(json, "content");
    if (longest_word(content) >= kWord) {
      add("tokenizer-rewrite", Severity::high, where,
          "puts words in place of others", content);
      return;
    }
    const auto pattern = json.find("pattern");
    const std::string from =
        pattern == json.end() ? std::string() : text_at(*pattern, "String");
    const std::string regex =
        pattern == json.end() ? std::string() : text_at(*pattern, "Regex");
    // Numbers are what amounts, doses and addresses are made of.
    if ((has_digit(from) || has_digit(content) || names_digits(regex)) &&
        (from != content || !regex.empty())) {
      add("tokenizer-rewrite", Severity::high, where, "changes digits",
          (from.empty() ? regex : from) + "  " + content);
      return;
    }
    if (longest_word(words_of_regex(regex)) > kWord) {
      add("tokenizer-removal", Severity::medium, where,
          "takes a word out of every text", regex);
      return;
    }
    if (longest_word(from) > kWord) {
      add("tokenizer-removal", Severity::medium, where,
          "takes a word out of every text", from);
    }
    if (has_invisible(content) && !has_invisible(from)) {
      add("tokenizer-rewrite", Severity::high, where,
          "puts characters that cannot be seen into texts", content);
    }
  }

  /// [CLS] and [SEP] around a text are usual; they are one token each.
  void added_around(const std::string& where, const Json& json) {
    const auto tokens = json.find("special_tokens");
    if (tokens == json.end() || !tokens->is_object()) return;
    constexpr std::size_t kMost = 4;
    for (const auto& [name, value] : tokens->items()) {
      token(where, name);
      const auto ids = value.find("ids");
      if (ids != value.end() && ids->is_array() && ids->size() > kMost) {
        add("tokenizer-rewrite", Severity::high, where,
            fmt::format("puts {} tokens around every text", ids->size()), name);
      }
    }
  }

  static constexpr int kMaxDuplicates = 20;

  ScanContext& context_;
  std::unordered_map<std::uint64_t, std::string> added_;
  int duplicates_ = 0;
};

}  // namespace

void scan_tokenizer(ScanContext& context, const Subject& subject) {
  if (subject.source.size() > kMaxTokenizer) {
    context.unread(0, "a tokenizer of more than 64 MiB");
    return;
  }
  const Bytes text = subject.source.head(0, subject.source.size());
  const Json json = parse_config_json(as_text(text), subject.name);
  TokenizerReport report(context);
  const auto with = [&](std::string_view key, const auto& act) {
    const auto found = json.find(key);
    if (found != json.end()) act(std::string(key), *found);
  };
  for (const std::string_view key : {"added_tokens", "added_tokens_decoder"}) {
    with(key, [&](const std::string& where, const Json& value) {
      report.added_tokens(where, value);
    });
  }
  for (const std::string_view key :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    with(key, [&](const std::string& where, const Json& value) {
      report.step(where, value);
    });
  }
  with("model", [&](const std::string&, const Json& model) {
    if (!model.is_object()) return;
    const auto vocabulary = model.find("vocab");
    if (vocabulary != model.end()) report.numbers("model.vocab", *vocabulary);
  });
  if (subject.name == "added_tokens.json" || subject.name == "vocab.json") {
    report.numbers("", json);
    if (subject.name == "added_tokens.json") {
      for (const auto& [key, value] : json.items()) report.token("", key);
    }
  } else {
    report.special_tokens(json);
  }
}

}  // namespace impound
