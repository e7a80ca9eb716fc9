// SPDX-License-Identifier: Apache-2.0
/// A dataset comparison, told to a script and to a person.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/dataset/dataset_diff.hpp"

namespace impound {
namespace {

/// Rows of a kind that a person is shown; --json has more.
constexpr std::size_t kShownRows = 10;
constexpr std::size_t kShownNgrams = 15;
constexpr std::size_t kShownBytes = 100;

std::string_view status_of(const ShardChange& change) {
  return change.is_rewritten ? "rewritten" : to_string(change.file.status);
}

double rounded(double value) {
  return static_cast<double>(static_cast<std::int64_t>(value * 1000 + 0.5)) /
         1000;
}

Json row_json(const NamedRow& row) {
  Json json = {{"shard", lossless_utf8(row.shard)},
               {"row", row.row},
               {"sha256", row.sha256}};
  if (row.line != 0) json["line"] = row.line;
  if (!row.label.empty()) json["label"] = lossless_utf8(row.label);
  if (!row.key.empty()) json["key"] = lossless_utf8(row.key);
  if (!row.text.empty()) json["text"] = lossless_utf8(row.text);
  return json;
}

Json rows_json(const std::vector<NamedRow>& rows) {
  Json list = Json::array();
  for (const NamedRow& row : rows) list.push_back(row_json(row));
  return list;
}

Json pairs_json(const std::vector<NamedPair>& pairs) {
  Json list = Json::array();
  for (const NamedPair& pair : pairs) {
    list.push_back({{"by", to_string(pair.pair.by)},
                    {"label_changed", pair.pair.has_other_label},
                    {"before", row_json(pair.before)},
                    {"after", row_json(pair.after)}});
  }
  return list;
}

Json shard_change_json(const ShardChange& change) {
  Json json = {{"path", lossless_utf8(change.file.path)},
               {"status", status_of(change)},
               {"format", to_string(change.format)},
               {"compression", to_string(change.packing)},
               {"rows_before", change.rows_before},
               {"rows_after", change.rows_after},
               {"added", change.added},
               {"removed", change.removed},
               {"changed", change.changed},
               {"relabelled", change.relabelled}};
  if (!change.file.old_path.empty()) {
    json["from"] = lossless_utf8(change.file.old_path);
  }
  if (change.file.before && change.file.before->sha256) {
    json["sha256_before"] = change.file.before->sha256->hex();
  }
  if (change.file.after && change.file.after->sha256) {
    json["sha256_after"] = change.file.after->sha256->hex();
  }
  return json;
}

Json ngrams_json(const NgramReport& report,
                 const std::vector<NamedRow>& examples) {
  Json list = Json::array();
  for (const Ngram& ngram : report.ngrams) {
    Json labels = Json::array();
    for (const NgramLabel& label : ngram.labels) {
      labels.push_back({{"label", lossless_utf8(label.label)},
                        {"rows", label.rows},
                        {"reference_rows", label.reference_rows}});
    }
    Json json = {{"ngram", lossless_utf8(ngram.text)},
                 {"words", ngram.words},
                 {"rows", ngram.rows},
                 {"of", report.rows},
                 {"reference_rows", ngram.reference_rows},
                 {"reference_of", report.reference_rows},
                 {"log_odds", rounded(ngram.log_odds)},
                 {"g2", rounded(ngram.g2)},
                 {"labels", std::move(labels)}};
    if (!ngram.label.empty()) {
      json["label"] = lossless_utf8(ngram.label);
      json["label_share"] = rounded(ngram.label_share);
      json["label_expected"] = rounded(ngram.label_expected);
      json["label_g2"] = rounded(ngram.label_g2);
    }
    Json rows = Json::array();
    for (const std::uint64_t place : ngram.examples) {
      rows.push_back(row_json(examples[place]));
    }
    json["examples"] = std::move(rows);
    list.push_back(std::move(json));
  }
  return list;
}

std::string cut(std::string_view text) {
  if (text.size() <= kShownBytes) return printable(text);
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
    --end;
  }
  return printable(text.substr(0, end)) + "…";
}

std::string place_text(const NamedRow& row) {
  std::string text = fmt::format("{}:{}", printable(row.shard),
                                 row.line != 0 ? row.line : row.row);
  if (row.line == 0) text += " (row)";
  if (!row.key.empty()) text += fmt::format(" [{}]", cut(row.key));
  return text;
}

std::string label_text(const NamedRow& row) {
  return row.label.empty() ? std::string() : cut(row.label);
}

void append_rows(std::string_view title, const std::vector<NamedRow>& rows,
                 std::uint64_t all, std::string& text) {
  if (rows.empty()) return;
  text += fmt::format("\n{}\n", title);
  std::vector<std::vector<std::string>> table;
  for (std::size_t i = 0; i < rows.size() && i < kShownRows; ++i) {
    table.push_back(
        {"  " + place_text(rows[i]), label_text(rows[i]), cut(rows[i].text)});
  }
  text += format_table(table);
  if (all > table.size()) {
    text += fmt::format("  … and {} more\n", all - table.size());
  }
}

void append_pairs(std::string_view title, const std::vector<NamedPair>& pairs,
                  std::uint64_t all, std::string& text) {
  if (pairs.empty()) return;
  text += fmt::format("\n{}\n", title);
  const std::size_t shown = std::min(pairs.size(), kShownRows);
  for (std::size_t i = 0; i < shown; ++i) {
    const NamedPair& pair = pairs[i];
    text += fmt::format("  {}", place_text(pair.after));
    if (place_text(pair.before) != place_text(pair.after)) {
      text += fmt::format("  was {}", place_text(pair.before));
    }
    if (pair.pair.has_other_label) {
      text += fmt::format("  {} → {}", label_text(pair.before),
                          label_text(pair.after));
    }
    text += fmt::format("  (by {})\n", to_string(pair.pair.by));
    if (!pair.pair.has_same_text && !pair.before.text.empty()) {
      text += fmt::format("    - {}\n", cut(pair.before.text));
    }
    if (!pair.after.text.empty()) {
      text += fmt::format("    {} {}\n", pair.pair.has_same_text ? "=" : "+",
                          cut(pair.after.text));
    }
  }
  if (all > shown) text += fmt::format("  … and {} more\n", all - shown);
}

std::string percent(double share) {
  return fmt::format("{:.0f} %", share * 100);
}

/// Letters that look like others are told apart by their numbers.
std::string code_points(std::string_view text) {
  std::string numbers;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < text.size() && shown < 4; ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0xc0) continue;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    std::uint32_t value = first & (0x7fU >> length);
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) {
      value = (value << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    }
    numbers += fmt::format("{}U+{:04X}", shown == 0 ? " (" : " ", value);
    ++shown;
  }
  return shown == 0 ? numbers : numbers + ")";
}

void append_ngrams(std::string_view title, const NgramReport& report,
                   std::string_view reference, std::string& text) {
  if (report.ngrams.empty()) return;
  text += fmt::format("\n{}, against {}\n", title, reference);
  std::vector<std::vector<std::string>> table{
      {"  n-gram", "rows", "reference", "G²", "label"}};
  for (std::size_t i = 0; i < report.ngrams.size() && i < kShownNgrams; ++i) {
    const Ngram& ngram = report.ngrams[i];
    std::string label;
    if (ngram.label_g2 > 10) {
      label = fmt::format("{} in {}, expected {}", cut(ngram.label),
                          percent(ngram.label_share),
                          percent(ngram.label_expected));
    }
    table.push_back(
        {fmt::format("  \"{}\"{}", cut(ngram.text), code_points(ngram.text)),
         fmt::format("{} of {}", ngram.rows, report.rows),
         fmt::format("{} of {}", ngram.reference_rows, report.reference_rows),
         fmt::format("{:.0f}", ngram.g2), label});
  }
  text += format_table(table);
}

}  // namespace

bool DatasetDiff::identical() const {
  return added == 0 && removed == 0 && changed == 0 && relabelled == 0 &&
         std::ranges::all_of(shards, [](const ShardChange& change) {
           if (change.file.status == FileStatus::identical) return true;
           // Shards may be cut and named anew. What lies beside them may not
           // differ, and what was not read to its end is not known.
           return change.format != RowFormat::other && change.is_whole &&
                  change.file.status != FileStatus::unreadable;
         });
}

Json DatasetDiff::to_json() const {
  Json text_fields = Json::array();
  for (const std::string& name : fields.text) {
    text_fields.push_back(lossless_utf8(name));
  }
  Json label_list = Json::array();
  for (const LabelChange& label : labels) {
    if (label_list.size() == 1000) break;
    label_list.push_back({{"label", lossless_utf8(label.label)},
                          {"before", label.before},
                          {"after", label.after}});
  }
  Json shard_list = Json::array();
  for (const ShardChange& change : shards) {
    shard_list.push_back(shard_change_json(change));
  }
  Json json = {
      {"identical", identical()},
      {"fields",
       {{"key", lossless_utf8(fields.key)},
        {"label", lossless_utf8(fields.label)},
        {"text", std::move(text_fields)}}},
      {"rows",
       {{"before", rows_before},
        {"after", rows_after},
        {"unchanged", unchanged},
        {"moved", moved},
        {"added", added},
        {"added_copies", added_copies},
        {"removed", removed},
        {"changed", changed},
        {"relabelled", relabelled}}},
      {"shards", std::move(shard_list)},
      {"labels", std::move(label_list)},
      {"added", rows_json(added_rows)},
      {"removed", rows_json(removed_rows)},
      {"changed", pairs_json(changed_rows)},
      {"relabelled", pairs_json(relabelled_rows)},
      {"ngrams", ngrams_json(ngrams.fresh, ngram_examples)},
      {"relabelled_ngrams", ngrams_json(ngrams.relabelled, ngram_examples)},
      {"reference", reference}};
  Json note_list = Json::array();
  for (const std::string& note : notes) note_list.push_back(note);
  json["notes"] = std::move(note_list);
  return json;
}

std::string DatasetDiff::to_text() const {
  std::string text = fmt::format(
      "rows     {} before, {} after: {} unchanged ({} of them moved to another "
      "shard), {} added, {} removed, {} changed, {} relabelled\n",
      rows_before, rows_after, unchanged, moved, added, removed, changed,
      relabelled);
  if (added_copies > 0) {
    text += fmt::format(
        "         {} of the rows that are more are copies of "
        "rows that were there before\n",
        added_copies);
  }
  text += fmt::format(
      "fields   key {}, label {}, text {}\n",
      fields.key.empty() ? "none" : printable(fields.key),
      fields.label.empty() ? "none" : printable(fields.label),
      fields.text.empty()
          ? "none"
          : printable(fmt::format("{}", fmt::join(fields.text, ", "))));
  if (identical()) text += "The rows of the two sides are the same.\n";

  append_ngrams("What the added and changed rows have in common", ngrams.fresh,
                reference, text);
  append_ngrams("What the relabelled rows have in common", ngrams.relabelled,
                reference, text);

  std::vector<std::vector<std::string>> table{{"  shard", "status", "rows",
                                               "added", "removed", "changed",
                                               "relabelled"}};
  for (const ShardChange& change : shards) {
    if (change.file.status == FileStatus::identical) continue;
    std::string path = printable(change.file.path);
    if (!change.file.old_path.empty()) {
      path += " (was " + printable(change.file.old_path) + ")";
    }
    table.push_back(
        {"  " + path, std::string(status_of(change)),
         fmt::format("{} → {}", change.rows_before, change.rows_after),
         std::to_string(change.added), std::to_string(change.removed),
         std::to_string(change.changed), std::to_string(change.relabelled)});
  }
  if (table.size() > 1) text += "\nShards that differ\n" + format_table(table);

  table = {{"  label", "before", "after"}};
  for (const LabelChange& label : labels) {
    if (label.before == label.after || table.size() > 20) continue;
    table.push_back({"  " + cut(label.label), std::to_string(label.before),
                     std::to_string(label.after)});
  }
  if (table.size() > 1) text += "\nRows of each label\n" + format_table(table);

  append_pairs("Relabelled rows", relabelled_rows, relabelled, text);
  append_pairs("Changed rows", changed_rows, changed, text);
  append_rows("Added rows", added_rows, added, text);
  append_rows("Removed rows", removed_rows, removed, text);
  if (!notes.empty()) text += "\n";
  for (const std::string& note : notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace impound
