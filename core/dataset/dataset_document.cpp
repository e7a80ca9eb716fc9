// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Labels of the view in the order in which the document numbers them.
std::vector<std::uint32_t> label_order(const DatasetView& view) {
  std::vector<std::uint32_t> order(view.labels.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&view](std::uint32_t number) {
    return std::string_view(view.labels[number]);
  });
  return order;
}

Json shard_json(const DatasetShard& shard) {
  Json json = {{"path", lossless_utf8(shard.path)},
               {"size", shard.size},
               {"compression", to_string(shard.packing)},
               {"format", to_string(shard.layout.format)},
               {"rows", shard.rows}};
  if (shard.sha256) json["sha256"] = shard.sha256->hex();
  if (shard.layout.format == RowFormat::csv) {
    json["delimiter"] = std::string(1, shard.layout.delimiter);
    json["header"] = shard.layout.has_header;
  }
  if (!shard.is_whole) json["is_whole"] = false;
  Json problems = Json::array();
  for (const Problem& problem : shard.problems) {
    problems.push_back({{"rule", problem.rule},
                        {"severity", to_string(problem.severity)},
                        {"offset", problem.offset},
                        {"message", lossless_utf8(problem.message)}});
  }
  if (!problems.empty()) json["problems"] = std::move(problems);
  return json;
}

[[noreturn]] void refuse(std::string_view source, std::string_view what) {
  throw Error(Errc::malformed, fmt::format("{}: {}", source, what));
}

const Json& list_in(const Json& object, std::string_view key,
                    std::string_view source) {
  const Json& value = require_key(object, key, source);
  if (!value.is_array()) refuse(source, fmt::format("\"{}\" is no list", key));
  return value;
}

Severity severity_from(const Json& problem, std::string_view source) {
  const std::string name = require_text(problem, "severity", source);
  for (const Severity one : {Severity::info, Severity::low, Severity::medium,
                             Severity::high, Severity::critical}) {
    if (to_string(one) == name) return one;
  }
  refuse(source, "a problem has a severity that is not known");
}

DatasetShard shard_from(const Json& entry, std::string_view source) {
  DatasetShard shard;
  shard.path = from_lossless_utf8(require_text(entry, "path", source));
  shard.size = require_u64(entry, "size", source);
  shard.rows = require_u64(entry, "rows", source);
  const std::string packing = require_text(entry, "compression", source);
  for (const Packing one : {Packing::none, Packing::gzip, Packing::zstd,
                            Packing::xz, Packing::bzip2, Packing::lz4}) {
    if (to_string(one) == packing) shard.packing = one;
  }
  const auto format = row_format_from(require_text(entry, "format", source));
  if (!format) refuse(source, "a shard has a format that is not known");
  shard.layout.format = *format;
  const std::string delimiter = text_or(entry, "delimiter", ",");
  if (delimiter.size() != 1) refuse(source, "\"delimiter\" is no character");
  shard.layout.delimiter = delimiter[0];
  shard.layout.has_header =
      entry.contains("header") && entry["header"] == Json(true);
  shard.is_whole = !entry.contains("is_whole");
  if (entry.contains("problems")) {
    for (const Json& problem : list_in(entry, "problems", source)) {
      shard.problems.push_back(
          {text_or(problem, "rule", ""), severity_from(problem, source),
           require_u64(problem, "offset", source),
           from_lossless_utf8(text_or(problem, "message", ""))});
    }
  }
  if (entry.contains("sha256")) {
    shard.sha256 = Digest::from_hex(require_text(entry, "sha256", source));
  }
  return shard;
}

}  // namespace

RowFileFacts write_row_file(const DatasetView& view, const RowFileSink& sink) {
  std::vector<std::uint32_t> number(view.labels.size());
  const std::vector<std::uint32_t> order = label_order(view);
  for (std::uint32_t i = 0; i < order.size(); ++i) number[order[i]] = i;
  RowFileFacts facts;
  Sha256 hash;
  const auto give = [&](ByteView bytes) {
    hash.update(bytes);
    facts.size += bytes.size();
    sink(bytes);
  };
  give(row_file_header(view.table.rows()));
  Bytes block;
  view.table.each([&](std::uint64_t, std::span<const RowRecord> records) {
    block.resize(records.size() * kRowRecordSize);
    for (std::size_t i = 0; i < records.size(); ++i) {
      RowRecord record = records[i];
      if (record.label != kNoLabel) record.label = number[record.label];
      encode_row(record, std::span(block).subspan(i * kRowRecordSize));
    }
    give(block);
  });
  facts.sha256 = hash.finish();
  return facts;
}

Json describe_dataset(const DatasetView& view, const RowFileFacts& rows) {
  for (const DatasetShard& shard : view.shards) {
    if (!shard.sha256) {
      throw Error(Errc::io, fmt::format("{}: cannot be read: a baseline needs "
                                        "every shard",
                                        printable(shard.path)));
    }
  }
  Json text = Json::array();
  for (const std::string& name : view.fields.text) {
    text.push_back(lossless_utf8(name));
  }
  Json labels = Json::array();
  for (const std::uint32_t number : label_order(view)) {
    labels.push_back({{"label", lossless_utf8(view.labels[number])},
                      {"rows", view.label_rows[number]}});
  }
  Json shards = Json::array();
  for (const DatasetShard& shard : view.shards) {
    shards.push_back(shard_json(shard));
  }
  return {{"fields",
           {{"key", lossless_utf8(view.fields.key)},
            {"label", lossless_utf8(view.fields.label)},
            {"text", std::move(text)}}},
          {"rows",
           {{"count", view.table.rows()},
            {"file", lossless_utf8(rows.name)},
            {"size", rows.size},
            {"sha256", rows.sha256.hex()},
            {"record", kRowRecordSize}}},
          {"labels", std::move(labels)},
          {"shards", std::move(shards)}};
}

RowFileFacts row_file_of(const Json& dataset, std::string_view source) {
  const Json& rows = require_key(dataset, "rows", source);
  RowFileFacts facts;
  facts.name = from_lossless_utf8(require_text(rows, "file", source));
  // The document may be hostile: its companion lies beside it, nowhere else.
  if (!is_safe_member_name(facts.name) ||
      facts.name.find('/') != std::string::npos) {
    refuse(source, "\"file\" of the rows is no plain file name");
  }
  facts.size = require_u64(rows, "size", source);
  const auto digest = Digest::from_hex(require_text(rows, "sha256", source));
  if (!digest) refuse(source, "\"sha256\" of the rows is no SHA-256");
  facts.sha256 = *digest;
  return facts;
}

DatasetView remember_dataset(const Json& dataset, const ModelView& files,
                             std::unique_ptr<ByteSource> rows,
                             std::string_view source) {
  const RowFileFacts facts = row_file_of(dataset, source);
  if (rows->size() != facts.size || sha256_of(*rows) != facts.sha256) {
    throw Error(Errc::integrity,
                fmt::format("{}: the row file {} is not the one that was "
                            "signed: its size or SHA-256 differs",
                            source, printable(facts.name)));
  }
  DatasetView view;
  view.files = files;
  view.files.tree = nullptr;
  const Json& fields = require_key(dataset, "fields", source);
  view.fields.key = from_lossless_utf8(text_or(fields, "key", ""));
  view.fields.label = from_lossless_utf8(text_or(fields, "label", ""));
  for (const Json& name : list_in(fields, "text", source)) {
    if (!name.is_string()) refuse(source, "\"text\" holds no text");
    view.fields.text.push_back(from_lossless_utf8(name.get<std::string>()));
  }
  for (const Json& entry : list_in(dataset, "labels", source)) {
    view.labels.push_back(
        from_lossless_utf8(require_text(entry, "label", source)));
    view.label_rows.push_back(require_u64(entry, "rows", source));
  }
  if (view.labels.size() > kMaxLabels) refuse(source, "too many labels");
  const std::uint64_t count = parse_row_file_header(
      rows->head(0, kRowFileHeader), rows->size(), source);
  std::uint64_t first = 0;
  for (const Json& entry : list_in(dataset, "shards", source)) {
    DatasetShard shard = shard_from(entry, source);
    const bool is_sorted =
        view.shards.empty() || view.shards.back().path < shard.path;
    if (!is_sorted || shard.rows > count - first) {
      refuse(source, "the shards do not agree with the row file");
    }
    shard.first_row = first;
    first += shard.rows;
    view.shards.push_back(std::move(shard));
  }
  if (first != count) {
    refuse(source, "the shards do not agree with the row file");
  }
  view.table = RowTable(std::move(rows), count);
  return view;
}

}  // namespace impound
