// SPDX-License-Identifier: Apache-2.0
/// How the texts beside the weights are recognised: configurations, tokenizers,
/// templates, manifests.

#include <algorithm>
#include <array>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

/// A manifest names a few layers.
constexpr std::uint64_t kMaxManifest = limits::kMiB;

bool has(const FormatSubject& subject, std::string_view part) {
  return as_text(subject.head).find(part) != std::string_view::npos;
}

/// The key may stand behind thousands of added tokens.
bool mentions_template(const ByteSource& source) {
  constexpr std::string_view kKey = "\"chat_template\"";
  constexpr std::uint64_t kBlock = limits::kMiB;
  for (std::uint64_t at = 0; at < source.size(); at += kBlock) {
    const Bytes block = source.head(at, kBlock + kKey.size());
    if (as_text(block).find(kKey) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::string_view why_hf_config(const FormatSubject& subject) {
  if (!begins_json(subject) || subject.source.size() > kMaxJsonText) return {};
  if (subject.name.ends_with("config.json")) return "JSON, called config.json";
  // JSON of any other kind is none of our business; these keys are.
  return has(subject, "\"auto_map\"") ||
                 has(subject, "\"trust_remote_code\"") ||
                 has(subject, "\"custom_pipelines\"") ||
                 has(subject, "\"_target_\"")
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
  return has(subject, "\"added_tokens\"") && (has(subject, "\"normalizer\"") ||
                                              has(subject, "\"pre_tokenizer\""))
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
  return subject.source.size() <= kMaxJsonText &&
                 mentions_template(subject.source)
             ? "JSON with a chat_template"
             : "";
}

std::string_view why_jinja(const FormatSubject& subject) {
  static constexpr std::array<std::string_view, 3> kSuffixes = {
      ".jinja", ".jinja2", ".j2"};
  const std::string_view text = as_text(subject.head);
  if (text.empty() || text.find('\0') != std::string_view::npos) return {};
  if (std::ranges::any_of(kSuffixes, [&](std::string_view suffix) {
        return subject.name.ends_with(suffix);
      })) {
    return "a text, called as a template";
  }
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
                 has(subject, "application/vnd.ollama.image")
             ? "JSON with Ollama's media type"
             : "";
}

}  // namespace impound
