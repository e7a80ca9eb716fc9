// SPDX-License-Identifier: Apache-2.0
// rooms: dataset view compare formats evidence crypto base
/// The dataset part of a baseline document: any JSON, with a row file that has
/// the digest it names, is a dataset or is refused with Error.

#include <cstdint>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/dataset/dataset_document.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  try {
    Json dataset = parse_json(as_text(bytes), "fuzz");
    Bytes rows = row_file_header(2);
    rows.resize(kRowFileHeader + 2 * kRowRecordSize);
    if (dataset.is_object() && dataset.contains("rows") &&
        dataset["rows"].is_object()) {
      dataset["rows"]["size"] = rows.size();
      dataset["rows"]["sha256"] = sha256(ByteView(rows)).hex();
    }
    const DatasetView view = remember_dataset(
        dataset, ModelView{}, std::make_unique<SpanSource>(rows), "fuzz");
    std::uint64_t seen = 0;
    view.table.each([&](std::uint64_t, std::span<const RowRecord> records) {
      seen += records.size();
    });
    if (seen != 2 || view.shards.empty()) std::abort();
    if (view.shard_of(1) >= view.shards.size()) std::abort();
  } catch (const Error&) {
    return 0;  // refused: the expected answer to most inputs
  }
  return 0;
}
