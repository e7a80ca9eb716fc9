// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_fields.hpp"

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/dataset/text_tokens.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 12> kKeys{
    "id",     "_id",         "uuid",      "guid", "row_id", "example_id",
    "doc_id", "document_id", "sample_id", "idx",  "url",    "uri"};

constexpr std::array<std::string_view, 15> kLabels{
    "label",     "labels", "class",    "target", "category",
    "sentiment", "intent", "emotion",  "toxic",  "toxicity",
    "rating",    "stars",  "polarity", "topic",  "y"};

/// Texts of this many bytes on average are read as text.
constexpr std::uint64_t kTextBytes = 16;
/// Fields that are looked at; hostile rows have no end of them.
constexpr std::size_t kMaxFields = 256;
/// A value of more bytes than this on average is no label.
constexpr std::uint64_t kLabelBytes = 64;

}  // namespace

void FieldSample::add(const DataRow& row) {
  ++rows_;
  row.each_field(
      [this](std::string_view name, JsonKind kind, std::string_view text) {
        if (name.size() > kMaxLabelBytes || fields_.size() > kMaxFields) return;
        Field& field = fields_[std::string(name)];
        if (kind == JsonKind::null) return;
        ++field.rows;
        field.bytes += text.size();
        const bool is_text = kind == JsonKind::text || kind == JsonKind::list ||
                             kind == JsonKind::object;
        if (is_text && !text.empty()) ++field.texts;
        field.values.insert(quick_hash(text));
      });
}

std::string FieldSample::find_key() const {
  for (const std::string_view wanted : kKeys) {
    for (const auto& [name, field] : fields_) {
      if (to_lower_ascii(name) == wanted && field.rows * 10 >= rows_ * 9 &&
          field.values.size() * 100 >= field.rows * 95) {
        return name;
      }
    }
  }
  return {};
}

std::string FieldSample::find_label() const {
  for (const std::string_view wanted : kLabels) {
    for (const auto& [name, field] : fields_) {
      if (to_lower_ascii(name) != wanted || field.rows * 2 < rows_) continue;
      const bool is_short = field.bytes <= field.rows * kLabelBytes;
      const bool repeats =
          field.rows < 8 || field.values.size() * 4 <= field.rows;
      if (is_short && repeats) return name;
    }
  }
  return {};
}

DatasetFields FieldSample::decide(const DatasetFields& given) const {
  DatasetFields fields = given;
  if (fields.label.empty()) fields.label = find_label();
  if (fields.key.empty()) fields.key = find_key();
  if (!fields.text.empty()) return fields;
  const std::string* longest = nullptr;
  std::uint64_t most = 0;
  for (const auto& [name, field] : fields_) {
    if (name == fields.label || name == fields.key || field.texts == 0) {
      continue;
    }
    if (longest == nullptr || field.bytes > most) {
      longest = &name;
      most = field.bytes;
    }
    if (field.bytes >= field.rows * kTextBytes) fields.text.push_back(name);
  }
  if (fields.text.empty() && longest != nullptr) {
    fields.text.push_back(*longest);
  }
  return fields;
}

bool is_beside_data(std::string_view path, RowFormat format) {
  const std::string name = to_lower_ascii(base_name(path));
  if (name == "dataset_infos.json" || name == "dataset_info.json" ||
      name == "state.json") {
    return true;
  }
  if (format == RowFormat::jsonl || format == RowFormat::json) return false;
  if (name.starts_with('.')) return true;
  for (const std::string_view start :
       {"readme", "license", "licence", "notice", "citation", "copying"}) {
    if (name.starts_with(start)) return true;
  }
  for (const std::string_view end :
       {".md", ".py", ".yaml", ".yml", ".toml", ".rst", ".sh", ".html"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

std::string row_text(const DataRow& row, const DatasetFields& fields) {
  std::string text;
  bool found = false;
  for (const std::string& name : fields.text) {
    const std::size_t before = text.size();
    if (found) text += '\n';
    if (row.append_field(name, text)) {
      found = true;
    } else {
      text.resize(before);
    }
  }
  if (found) return text;
  // A row without these fields still says something.
  if (row.is_broken) return std::string(row.raw);
  row.each_field(
      [&](std::string_view name, JsonKind kind, std::string_view value) {
        const bool is_text = kind == JsonKind::text || kind == JsonKind::list ||
                             kind == JsonKind::object;
        if (!is_text || name == fields.label || name == fields.key) return;
        if (!text.empty()) text += '\n';
        text += value;
      });
  return text;
}

std::string row_label(const DataRow& row, const DatasetFields& fields) {
  std::string label;
  if (!fields.label.empty() && row.append_field(fields.label, label)) {
    if (label.size() > kMaxLabelBytes) label.resize(kMaxLabelBytes);
  }
  return label;
}

}  // namespace impound
