// SPDX-License-Identifier: Apache-2.0
#include "core/compare/meaning/metadata_changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/compare/meaning/config_meaning.hpp"
#include "core/compare/meaning/line_diff.hpp"
#include "core/compare/meaning/text_changes.hpp"
#include "core/compare/meaning/vocabulary_diff.hpp"
#include "core/formats/gguf/gguf.hpp"

namespace impound {
namespace {

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";

bool is_template(std::string_view key) {
  return key.find("chat_template") != std::string_view::npos;
}

/// The GGUF files of one side, their headers read once.
class Headers {
 public:
  explicit Headers(const ModelView& view) : view_(view) {}

  struct Open {
    std::unique_ptr<ByteSource> source;
    GgufFile file;
  };

  /// The file of the side that has an array under `key`, and the array.
  std::pair<const Open*, const GgufArray*> find(const std::string& key) {
    for (const ViewMetadata& text : view_.metadata) {
      if (text.key != key) continue;
      Open& open = files_[text.file];
      if (open.source == nullptr) {
        open.source = view_.open(text.file);
        open.file = read_gguf(*open.source);
      }
      const GgufEntry* const entry = open.file.find(key);
      if (entry == nullptr) continue;
      return {&open, std::get_if<GgufArray>(&entry->value)};
    }
    return {nullptr, nullptr};
  }

 private:
  const ModelView& view_;
  std::map<std::string, Open> files_;
};

using OpenArray = std::pair<const Headers::Open*, const GgufArray*>;

/// One element for people: the number, or its bytes where it is none.
Json element_json(ByteView bytes, GgufType type, Endian endian) {
  Bytes ordered(bytes.begin(), bytes.end());
  if (endian == Endian::big) std::ranges::reverse(ordered);
  std::uint64_t raw = 0;
  for (std::size_t i = ordered.size(); i-- > 0;) {
    raw = raw << 8U | std::to_integer<std::uint64_t>(ordered[i]);
  }
  switch (type) {
    case GgufType::f32:
      return std::bit_cast<float>(static_cast<std::uint32_t>(raw));
    case GgufType::f64:
      return std::bit_cast<double>(raw);
    case GgufType::i8:
      return static_cast<std::int8_t>(raw);
    case GgufType::i16:
      return static_cast<std::int16_t>(raw);
    case GgufType::i32:
      return static_cast<std::int32_t>(raw);
    case GgufType::i64:
      return static_cast<std::int64_t>(raw);
    default:
      return raw;
  }
}

/// Numbers are compared as their bytes are.
Json diff_numbers(const OpenArray& before, const OpenArray& after) {
  const GgufType type = after.second->element;
  const std::uint64_t width = element_width(type);
  const std::uint64_t common =
      std::min(before.second->count, after.second->count);
  Json change = {{"count_before", before.second->count},
                 {"count_after", after.second->count}};
  if (before.second->element != type || width == 0 ||
      common > kMostComparedNumbers ||
      before.first->file.endian != after.first->file.endian) {
    return change;
  }
  constexpr std::uint64_t kPiece = 64 * 1024;  // elements
  std::uint64_t different = 0;
  for (std::uint64_t at = 0; at < common; at += kPiece) {
    const std::uint64_t some = std::min(kPiece, common - at);
    const Bytes one = before.first->source->head(
        before.second->offset + at * width, some * width);
    const Bytes two = after.first->source->head(
        after.second->offset + at * width, some * width);
    for (std::size_t i = 0; i + width <= std::min(one.size(), two.size());
         i += static_cast<std::size_t>(width)) {
      const ByteView a = ByteView(one).subspan(i, width);
      const ByteView b = ByteView(two).subspan(i, width);
      if (std::ranges::equal(a, b)) continue;
      if (different++ == 0) {
        change["first_different"] = at + i / width;
        change["before"] = element_json(a, type, before.first->file.endian);
        change["after"] = element_json(b, type, after.first->file.endian);
      }
    }
  }
  change["different"] = different;
  return change;
}

std::vector<std::string> strings_of(const OpenArray& array) {
  return read_gguf_strings(*array.first->source, array.first->file,
                           *array.second, 0,
                           std::min(array.second->count, kMostComparedStrings));
}

Vocabulary vocabulary_of(const std::vector<std::string>& tokens) {
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    vocabulary.emplace(tokens[i], i);
  }
  return vocabulary;
}

void add_vocabulary(const Vocabulary& before, const Vocabulary& after,
                    Json& content) {
  Json changes = diff_vocabulary(before, after);
  const std::vector<std::string> notes = vocabulary_notes(changes);
  if (!notes.empty()) content["notes"] = notes;
  if (!changes.is_null()) content["vocabulary"] = std::move(changes);
}

Json diff_strings(const OpenArray& before, const OpenArray& after,
                  bool is_vocabulary) {
  Json change = {{"count_before", before.second->count},
                 {"count_after", after.second->count}};
  const std::vector<std::string> one = strings_of(before);
  const std::vector<std::string> two = strings_of(after);
  std::uint64_t different = 0;
  constexpr std::size_t kMost = 200;
  for (std::size_t i = 0; i < std::min(one.size(), two.size()); ++i) {
    if (one[i] == two[i]) continue;
    if (different++ == 0) {
      change["first_different"] = i;
      change["before"] = lossless_utf8(one[i].substr(0, kMost));
      change["after"] = lossless_utf8(two[i].substr(0, kMost));
    }
  }
  change["different"] = different;
  if (is_vocabulary) {
    add_vocabulary(vocabulary_of(one), vocabulary_of(two), change);
  }
  return change;
}

void explain_array(MetadataChange& change, Headers& before, Headers& after) {
  const OpenArray old = before.find(change.key);
  const OpenArray now = after.find(change.key);
  if (old.second == nullptr || now.second == nullptr) return;
  const bool are_strings = old.second->element == GgufType::string &&
                           now.second->element == GgufType::string;
  change.content = are_strings ? diff_strings(old, now, change.key == kTokens)
                               : diff_numbers(old, now);
}

void explain_text(MetadataChange& change) {
  const std::string& before = change.before ? *change.before : std::string();
  const std::string& after = change.after ? *change.after : std::string();
  if (before.find('\n') == std::string::npos &&
      after.find('\n') == std::string::npos && !is_template(change.key)) {
    return;
  }
  Json content = Json::object();
  if (const auto lines = unified_text_diff(before, after)) {
    content["unified"] = *lines;
  }
  if (is_template(change.key)) {
    const auto notes = template_notes(before, after);
    if (!notes.empty()) content["notes"] = notes;
  }
  if (!content.empty()) change.content = std::move(content);
}

Json read_json(const ModelView& view, const std::string& path) {
  const ViewFile* const file = view.find_file(path);
  if (file == nullptr || file->kind != FileKind::regular ||
      file->size > kMostTextBytes) {
    return nullptr;
  }
  try {
    const Bytes bytes = view.open(path)->head(0, kMostTextBytes);
    return parse_json(as_text(bytes), path);
  } catch (const Error&) {
    return nullptr;  // explain_files() says so where it matters
  }
}

/// The chat template that a Hugging Face folder gives its model.
std::optional<std::string> folder_template(const ModelView& view) {
  if (const ViewFile* file = view.find_file("chat_template.jinja");
      file != nullptr && file->size <= limits::kMaxSmallFile) {
    const Bytes bytes = view.open(file->path)->head(0, file->size);
    return std::string(as_text(bytes));
  }
  const Json config = read_json(view, "tokenizer_config.json");
  if (!config.is_object()) return std::nullopt;
  const auto found = config.find("chat_template");
  if (found == config.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// Every token of tokenizer.json, with those that were added later.
Vocabulary folder_vocabulary(const ModelView& view) {
  Vocabulary vocabulary;
  const Json json = read_json(view, "tokenizer.json");
  if (!json.is_object() || !json.contains("model")) return vocabulary;
  const Json& model = json["model"];
  if (!model.is_object() || !model.contains("vocab")) return vocabulary;
  const Json& vocab = model["vocab"];
  if (vocab.is_object()) {
    for (const auto& [token, id] : vocab.items()) {
      if (id.is_number_unsigned()) {
        vocabulary.emplace(token, id.get<std::uint64_t>());
      }
    }
  }
  if (!json.contains("added_tokens")) return vocabulary;
  for (const Json& token : json["added_tokens"]) {
    if (token.is_object() && token.contains("content") &&
        token["content"].is_string() && token.contains("id") &&
        token["id"].is_number_unsigned()) {
      vocabulary.insert_or_assign(token["content"].get<std::string>(),
                                  token["id"].get<std::uint64_t>());
    }
  }
  return vocabulary;
}

/// Names that converters give to numbers without a token.
bool is_padding(const std::string& token) {
  return token.starts_with("[PAD") || token.starts_with("<pad_");
}

/// A GGUF text that only one side has, against the files of the other.
/// @return whether there is nothing to say.
bool settle_from_folder(MetadataChange& change, const ModelView& other,
                        Headers& own) {
  const bool is_new = !change.before.has_value();
  if (change.key == "tokenizer.chat_template") {
    const auto text = folder_template(other);
    if (!text) return false;
    if (*text == (is_new ? *change.after : *change.before)) return true;
    (is_new ? change.before : change.after) = *text;
    explain_text(change);
    return false;
  }
  if (change.key != kTokens) return false;
  const OpenArray array = own.find(change.key);
  Vocabulary theirs = folder_vocabulary(other);
  if (array.second == nullptr || theirs.empty()) return false;
  Vocabulary mine = vocabulary_of(strings_of(array));
  std::erase_if(mine, [&](const auto& each) {
    return is_padding(each.first) && !theirs.contains(each.first);
  });
  Json content = Json::object();
  if (is_new) {
    add_vocabulary(theirs, mine, content);
  } else {
    add_vocabulary(mine, theirs, content);
  }
  if (content.empty()) return true;
  change.content = std::move(content);
  return false;
}

}  // namespace

void explain_metadata(ModelDiff& diff, const ModelView& before,
                      const ModelView& after) {
  const bool has_bytes = before.tree != nullptr && after.tree != nullptr;
  Headers old_headers(before);
  Headers new_headers(after);
  std::erase_if(diff.metadata, [&](MetadataChange& change) {
    try {
      const bool is_typed =
          !change.type_before.empty() || !change.type_after.empty();
      if (change.before && change.after) {
        if (has_bytes && change.type_before.starts_with("array") &&
            change.type_after.starts_with("array")) {
          explain_array(change, old_headers, new_headers);
        } else {
          explain_text(change);
        }
      } else if (has_bytes && is_typed) {
        const bool is_new = !change.before.has_value();
        return settle_from_folder(change, is_new ? before : after,
                                  is_new ? new_headers : old_headers);
      }
    } catch (const Error& error) {
      change.content = {{"failure", lossless_utf8(error.what())}};
    }
    return false;
  });
}

}  // namespace impound
