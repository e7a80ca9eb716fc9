// SPDX-License-Identifier: Apache-2.0
#include "core/engine/data_sides.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/storage/packed_stream.hpp"

namespace impound {
namespace {

class LentStream final : public ByteStream {
 public:
  explicit LentStream(const ByteSource& source) : stream_(source) {}
  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    return stream_.read(out);
  }
  [[nodiscard]] std::string problem() const override {
    return stream_.problem();
  }

 private:
  PackedStream stream_;
};

}  // namespace

std::unique_ptr<ByteStream> PackedOpener::open(const ByteSource& source) const {
  return std::make_unique<LentStream>(source);
}

fs::path row_file_beside(const fs::path& document) {
  fs::path rows = document;
  rows.replace_extension(".rows");
  return rows;
}

bool is_dataset(const Baseline& baseline) {
  return baseline.document.contains("dataset");
}

DatasetView open_remembered(const Baseline& baseline, const fs::path& file) {
  const std::string source = printable(file.native());
  const Json& dataset = baseline.document.at("dataset");
  const RowFileFacts facts = row_file_of(dataset, source);
  fs::path rows = file.parent_path() / facts.name;
  // Both may have been renamed together; the digest says whether it is the one.
  if (!stat_path(rows, Links::follow)) rows = row_file_beside(file);
  if (!stat_path(rows, Links::follow)) {
    throw Error(Errc::io,
                fmt::format("{}: its row file {} is not beside it; without it "
                            "rows cannot be compared",
                            source, printable(facts.name)),
                ENOENT);
  }
  return remember_dataset(dataset, baseline.view, open_source(rows), source);
}

DatasetOptions read_like(const DatasetView& reference) {
  DatasetOptions options;
  options.fields = reference.fields;
  options.is_exact = true;
  for (const DatasetShard& shard : reference.shards) {
    // A shard that was empty may hold rows now.
    if (shard.layout.format == RowFormat::other) continue;
    options.layouts[shard.path] = shard.layout;
  }
  return options;
}

Json make_dataset_baseline(const DatasetView& view,
                           const BaselineOptions& options,
                           const fs::path& rows) {
  Json document = describe_baseline(view.files, options);
  UniqueFd file = create_file(rows, 0644);
  RowFileFacts facts = write_row_file(
      view, [&](ByteView bytes) { write_all(file, bytes, rows); });
  sync_fd(file, rows);
  facts.name = rows.filename().native();
  document["dataset"] = describe_dataset(view, facts);
  return document;
}

}  // namespace impound
