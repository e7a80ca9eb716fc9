// SPDX-License-Identifier: Apache-2.0
/// How the texts beside the weights are recognised: configurations, tokenizers,
/// templates, manifests.

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

/// A manifest names a few layers.
constexpr std::uint64_t kMaxManifest = limits::kMiB;

/// Keys, and one media type, that make a JSON text ours whatever its name.
constexpr auto kJsonKeys = std::to_array<std::string_view>(
    {"auto_map", "trust_remote_code", "custom_pipelines", "_target_",
     "added_tokens", "normalizer", "pre_tokenizer", "chat_template",
     "class_name", "class_type", "class_path", "last_node_id"});

/// `text` with \u00XX as the character it stands for, where that is ASCII and
/// no sign of JSON itself.
std::string without_escapes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '\\' && text.substr(i + 1).starts_with("u00") &&
        i + 6 <= text.size()) {
      const std::string_view digits = text.substr(i + 4, 2);
      const auto parsed = std::from_chars(
          digits.data(), digits.data() + digits.size(), value, 16);
      if (parsed.ptr == digits.data() + 2 && value >= 0x20 && value < 0x7f &&
          value != '"' && value != '\\') {
        out += static_cast<char>(value);
        i += 5;
        continue;
      }
    }
    out += text[i];
    if (text[i] == '\\' && i + 1 < text.size()) out += text[++i];
  }
  return out;
}

/// A bit for each of the keys.
std::uint32_t keys_in(std::string_view text) {
  std::uint32_t found = 0;
  for (std::size_t i = 0; i < kJsonKeys.size(); ++i) {
    const std::string quoted = '"' + std::string(kJsonKeys[i]) + '"';
    if (text.find(quoted) != std::string_view::npos) found |= 1U << i;
  }
  return found;
}

bool head_has(const FormatSubject& subject, std::string_view part) {
  return as_text(subject.head).find(part) != std::string_view::npos;
}

}  // namespace

bool json_mentions(const FormatSubject& subject, std::string_view key) {
  if (subject.source.size() > kMaxJsonText) return false;
  if (!subject.json_keys) {
    // A key may stand behind megabytes of tokens.
    const Bytes bytes = subject.source.head(0, subject.source.size());
    const std::string_view text = as_text(bytes);
    subject.json_keys = keys_in(text);
    if (text.find("\\u00") != std::string_view::npos) {
      *subject.json_keys |= keys_in(without_escapes(text));
    }
  }
  const auto found = std::ranges::find(kJsonKeys, key);
  return found != kJsonKeys.end() &&
         (*subject.json_keys >> (found - kJsonKeys.begin()) & 1U) != 0;
}

std::string_view why_hf_config(const FormatSubject& subject) {
  if (!begins_json(subject) || subject.source.size() > kMaxJsonText) return {};
  if (subject.name.ends_with("config.json")) return "JSON, called config.json";
  // JSON of any other kind is none of our business; these keys are.
  return json_mentions(subject, "auto_map") ||
                 json_mentions(subject, "trust_remote_code") ||
                 json_mentions(subject, "custom_pipelines") ||
                 json_mentions(subject, "_target_")
             ? "JSON with a key that names code"
             : "";
}

std::string_view why_tokenizer(const FormatSubject& subject) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "tokenizer.json", "special_tokens_map.json", "added_tokens.json",
      "vocab.json", "tokenizer_config.json"};
  if (!begins_json(subject)) return {};
  if (std::ranges::find(kNames, subject.name) != kNames.end()) {
    return "JSON, called as a tokenizer's file";
  }
  return json_mentions(subject, "added_tokens") &&
                 (json_mentions(subject, "normalizer") ||
                  json_mentions(subject, "pre_tokenizer"))
             ? "JSON with the keys of a tokenizer"
             : "";
}

std::string_view why_template_json(const FormatSubject& subject) {
  if (!begins_json(subject)) return {};
  // These are always parsed, lest the key hide behind an escape; or said not to
  // have been, if they were blown up.
  if (subject.name.ends_with("config.json") ||
      subject.name == "chat_template.json") {
    return "JSON, called as a file with chat templates";
  }
  return json_mentions(subject, "chat_template") ? "JSON with a chat_template"
                                                 : "";
}

std::string_view why_jinja(const FormatSubject& subject) {
  static constexpr std::array<std::string_view, 3> kSuffixes = {
      ".jinja", ".jinja2", ".j2"};
  const std::string_view text = as_text(subject.head);
  if (text.empty()) return {};
  if (std::ranges::any_of(kSuffixes, [&](std::string_view suffix) {
        return subject.name.ends_with(suffix);
      })) {
    return "a text, called as a template";
  }
  if (text.find('\0') != std::string_view::npos) return {};
  // Go's templates, as Ollama stores them, have no "{%".
  const std::string_view begin = trim(text);
  return (begin.starts_with("{%") || begin.starts_with("{{") ||
          begin.starts_with("{#")) &&
                 text.find("{%") != std::string_view::npos
             ? "a text that begins as a Jinja template"
             : "";
}

std::string_view why_ollama_manifest(const FormatSubject& subject) {
  return begins_json(subject) && subject.source.size() <= kMaxManifest &&
                 head_has(subject, "application/vnd.ollama.image")
             ? "JSON with Ollama's media type"
             : "";
}

}  // namespace impound
