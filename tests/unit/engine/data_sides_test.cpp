// SPDX-License-Identifier: Apache-2.0
/// Shards packed by libarchive, read as rows through the engine's lending.

#include "core/engine/data_sides.hpp"

#include <archive.h>
#include <archive_entry.h>

#include "core/base/handle.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_dataset.hpp"

namespace impound::test {
namespace {

using Filter = int (*)(archive*);

std::string packed(Filter filter, const std::string& content) {
  std::string out(content.size() + 65536, '\0');
  std::size_t used = 0;
  const Handle<archive, archive_write_free> writer(archive_write_new());
  REQUIRE(archive_write_set_format_raw(writer.get()) == ARCHIVE_OK);
  REQUIRE(filter(writer.get()) == ARCHIVE_OK);
  REQUIRE(archive_write_set_bytes_per_block(writer.get(), 1) == ARCHIVE_OK);
  REQUIRE(archive_write_open_memory(writer.get(), out.data(), out.size(),
                                    &used) == ARCHIVE_OK);
  const Handle<archive_entry, archive_entry_free> entry(archive_entry_new());
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  REQUIRE(archive_write_header(writer.get(), entry.get()) == ARCHIVE_OK);
  REQUIRE(archive_write_data(writer.get(), content.data(), content.size()) ==
          static_cast<la_ssize_t>(content.size()));
  REQUIRE(archive_write_close(writer.get()) == ARCHIVE_OK);
  out.resize(used);
  return out;
}

struct Kind {
  Filter filter;
  Packing packing;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds{
      {archive_write_add_filter_zstd, Packing::zstd},
      {archive_write_add_filter_xz, Packing::xz},
      {archive_write_add_filter_bzip2, Packing::bzip2},
      {archive_write_add_filter_lz4, Packing::lz4},
      {archive_write_add_filter_gzip, Packing::gzip}};
  return kKinds;
}

DatasetOptions with(const StreamOpener& opener) {
  DatasetOptions options;
  options.opener = &opener;
  return options;
}

TEST_CASE("packed shards hold the rows that were packed", "[engine][dataset]") {
  const std::vector<MadeRow> rows = made_rows(3000, RowIds::present);
  const MemoryTree::Files plain = made_shards(rows, 1);
  const std::string& text = plain.at("train-0.jsonl");
  const MemoryTree plain_tree(plain);
  const DatasetView before = view_of_data(plain_tree);
  const PackedOpener opener;
  for (const Kind& kind : kinds()) {
    INFO(to_string(kind.packing));
    const std::size_t half = text.find('\n', text.size() / 2) + 1;
    // Two packed texts one after another are one packed text.
    const MemoryTree tree(
        MemoryTree::Files{{"a", packed(kind.filter, text.substr(0, half)) +
                                    packed(kind.filter, text.substr(half))}});
    const DatasetView after = view_of_data(tree, with(opener));
    REQUIRE(after.shards.size() == 1);
    CHECK(after.shards[0].packing == kind.packing);
    CHECK(after.shards[0].is_whole);
    CHECK(after.table.rows() == 3000);
    CHECK(diff_of_data(before, after).identical());
  }
}

TEST_CASE("a packed shard that is cut says so", "[engine][dataset][hostile]") {
  const std::string text =
      made_shards(made_rows(30'000, RowIds::present), 1).at("train-0.jsonl");
  const PackedOpener opener;
  for (const Kind& kind : kinds()) {
    INFO(to_string(kind.packing));
    const std::string whole = packed(kind.filter, text);
    for (const std::size_t size : {whole.size() * 3 / 4, std::size_t{100}}) {
      const MemoryTree tree(MemoryTree::Files{{"a", whole.substr(0, size)}});
      const DatasetView view = view_of_data(tree, with(opener));
      REQUIRE(view.shards.size() == 1);
      CHECK_FALSE(view.shards[0].is_whole);
      CHECK(view.table.rows() < 30'000);
      REQUIRE_FALSE(view.files.problems.empty());
      CHECK(view.files.problems.back().problem.rule == "shard-cut");
    }
  }
}

}  // namespace
}  // namespace impound::test
