// SPDX-License-Identifier: Apache-2.0
#include "core/compare/meaning/text_changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/compare/meaning/config_meaning.hpp"
#include "core/compare/meaning/line_diff.hpp"
#include "core/compare/meaning/metadata_changes.hpp"

namespace impound {
namespace {

/// One value of a list of differences; long ones are cut.
Json shown_value(const Json& value) {
  constexpr std::size_t kMost = 400;
  const std::string text = dump_line(value);
  if (text.size() <= kMost) return value;
  return fmt::format("{}… ({} bytes)", lossless_utf8(text.substr(0, kMost)),
                     text.size());
}

std::string below(const std::string& path, const std::string& key) {
  std::string escaped;
  for (const char c : key) {  // RFC 6901
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return path + "/" + escaped;
}

/// Lists differences up to kMostJsonChanges and counts the rest: a hostile file
/// can hold millions.
class JsonChanges {
 public:
  /// What stands at `said` is left out: it is said in words.
  explicit JsonChanges(const std::vector<std::string>& said) : said_(said) {}

  /// Documents are at most limits::kMaxDepth deep (parse_json).
  void compare(const Json& before, const Json& after, const std::string& path) {
    if (before == after || is_said(path)) return;
    if (before.is_object() && after.is_object()) {
      compare_objects(before, after, path);
    } else if (before.is_array() && after.is_array()) {
      compare_arrays(before, after, path);
    } else {
      compare_values(before, after, path);
    }
  }

  [[nodiscard]] Json result() const {
    return {{"json", list_}, {"left_out", left_out_}};
  }

 private:
  /// By key: an ordered object is searched one by one, and a vocabulary has
  /// more than a hundred thousand keys.
  using Members = std::unordered_map<std::string_view, const Json*>;
  static Members members_of(const Json& object) {
    Members members;
    for (const auto& [key, value] : object.get_ref<const Json::object_t&>()) {
      members.emplace(key, &value);
    }
    return members;
  }

  void compare_objects(const Json& before, const Json& after,
                       const std::string& path) {
    const Members old = members_of(before);
    const Members now = members_of(after);
    for (const auto& [key, value] : before.items()) {
      const auto twin = now.find(key);
      if (twin == now.end()) {
        add(below(path, key), &value, nullptr);
      } else {
        compare(value, *twin->second, below(path, key));
      }
    }
    for (const auto& [key, value] : after.items()) {
      if (!old.contains(key)) add(below(path, key), nullptr, &value);
    }
  }

  void compare_arrays(const Json& before, const Json& after,
                      const std::string& path) {
    const std::size_t common = std::min(before.size(), after.size());
    for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
      const std::string item = below(path, std::to_string(i));
      if (i < common) {
        compare(before[i], after[i], item);
      } else {
        add(item, i < before.size() ? &before[i] : nullptr,
            i < after.size() ? &after[i] : nullptr);
      }
    }
  }

  void compare_values(const Json& before, const Json& after,
                      const std::string& path) {
    if (before.is_string() && after.is_string() && has_room()) {
      const auto& one = before.get_ref<const std::string&>();
      const auto& two = after.get_ref<const std::string&>();
      if (const auto lines = unified_text_diff(one, two)) {
        Json change = Json::object();
        change["path"] = path;
        change["unified"] = *lines;
        list_.push_back(std::move(change));
        return;
      }
    }
    add(path, &before, &after);
  }

  void add(const std::string& path, const Json* before, const Json* after) {
    if (is_said(path)) return;
    if (!has_room()) {
      ++left_out_;
      return;
    }
    Json change = Json::object();
    change["path"] = path;
    if (before != nullptr) change["before"] = shown_value(*before);
    if (after != nullptr) change["after"] = shown_value(*after);
    list_.push_back(std::move(change));
  }

  [[nodiscard]] bool has_room() const {
    return list_.size() < kMostJsonChanges;
  }
  [[nodiscard]] bool is_said(const std::string& path) const {
    return std::find(said_.begin(), said_.end(), path.empty() ? "/" : path) !=
           said_.end();
  }

  std::vector<std::string> said_;
  Json list_ = Json::array();
  std::size_t left_out_ = 0;
};

bool is_text(std::string_view bytes) {
  return bytes.find('\0') == std::string_view::npos && is_utf8(bytes);
}

std::optional<std::string> read_small(const ModelView& view,
                                      const ViewFile& file) {
  if (file.kind != FileKind::regular || file.size > kMostTextBytes) return {};
  const auto source = view.open(file.path);
  const Bytes bytes = source->head(0, std::min(source->size(), kMostTextBytes));
  const std::string_view text = as_text(bytes);
  if (!is_text(text)) return {};
  return std::string(text);
}

/// Null where the text is no JSON document.
Json try_parse(const std::string& text, const std::string& path) {
  try {
    return parse_json(text, path);
  } catch (const Error&) {
    return nullptr;
  }
}

Json json_content(const Json& before, const Json& after,
                  const std::string& path) {
  const FileMeaning meaning = explain_config(base_name(path), before, after);
  JsonChanges changes(meaning.said);
  changes.compare(before, after, "");
  Json content = changes.result();
  if (!meaning.notes.empty()) content["notes"] = meaning.notes;
  if (!meaning.vocabulary.is_null()) {
    content["vocabulary"] = meaning.vocabulary;
  }
  return content;
}

Json content_of(const std::string& before, const std::string& after,
                const std::string& path) {
  if (path.ends_with(".json")) {
    const Json one = try_parse(before, path);
    const Json two = try_parse(after, path);
    if (!one.is_null() && !two.is_null()) return json_content(one, two, path);
  }
  Json content = Json::object();
  if (const auto lines = unified_diff(before, after)) {
    content["unified"] = *lines;
  }
  if (path.ends_with(".jinja")) {
    const auto notes = template_notes(before, after);
    if (!notes.empty()) content["notes"] = notes;
  }
  if (base_name(path) == "merges.txt") {
    content["notes"] = {"merges: words are cut differently"};
  }
  return content.empty() ? Json(nullptr) : content;
}

/// A new adapter changes what a loader makes of the same weights.
Json added_content(const std::string& text, const std::string& path) {
  if (base_name(path) != "adapter_config.json") return nullptr;
  const Json config = try_parse(text, path);
  if (config.is_null()) return nullptr;
  const std::string words = adapter_words(config);
  Json content = Json::object();
  content["adapter"] = words;
  content["notes"] = {"a new adapter beside the model: " + words};
  return content;
}

std::string indented(const std::string& lines) {
  std::string text;
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    text += "      " + printable(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

}  // namespace

Json diff_json(const Json& before, const Json& after) {
  JsonChanges changes({});
  changes.compare(before, after, "");
  return changes.result();
}

void explain_files(ModelDiff& diff, const ModelView& before,
                   const ModelView& after) {
  if (before.tree == nullptr || after.tree == nullptr) {
    explain_metadata(diff, before, after);
    return;
  }
  for (FileChange& change : diff.files) {
    const bool is_changed =
        change.status == FileStatus::changed && change.before && change.after;
    const bool is_added = change.status == FileStatus::added && change.after;
    try {
      if (is_changed) {
        const auto one = read_small(before, *change.before);
        const auto two = read_small(after, *change.after);
        if (one && two) {
          change.content = content_of(*one, *two, change.path);
        } else if (change.path.ends_with(".model") &&
                   std::max(change.before->size, change.after->size) <=
                       kMostTextBytes) {
          change.content =
              explain_sentencepiece(*before.open(change.before->path),
                                    *after.open(change.after->path));
        }
      } else if (is_added && base_name(change.path) == "adapter_config.json") {
        const auto text = read_small(after, *change.after);
        if (text) change.content = added_content(*text, change.path);
      }
    } catch (const Error& error) {
      change.content = Json::object();
      change.content["failure"] = lossless_utf8(error.what());
    }
  }
  explain_metadata(diff, before, after);
}

std::string content_text(const Json& content) {
  if (!content.is_object()) return {};
  std::string text;
  if (content.contains("notes")) {
    for (const Json& each : content["notes"]) {
      text += fmt::format("    ! {}\n", each.get_ref<const std::string&>());
    }
  }
  if (content.contains("unified")) {
    return text + indented(content["unified"].get<std::string>());
  }
  if (content.contains("failure")) {
    return text + indented(content["failure"].get<std::string>());
  }
  if (!content.contains("json")) return text;
  for (const Json& change : content["json"]) {
    const std::string path = printable(change["path"].get<std::string>());
    if (change.contains("unified")) {
      text += fmt::format("    {}\n{}", path.empty() ? "/" : path,
                          indented(change["unified"].get<std::string>()));
      continue;
    }
    const auto side = [&](const char* key) {
      return change.contains(key) ? printable(dump_line(change[key]))
                                  : std::string("(none)");
    };
    text += fmt::format("    {}: {} → {}\n", path.empty() ? "/" : path,
                        side("before"), side("after"));
  }
  if (content["left_out"] != 0) {
    text += fmt::format("    … and {} more\n", content["left_out"].dump());
  }
  return text;
}

}  // namespace impound
