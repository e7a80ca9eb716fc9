// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which fields of rows are key, label and text, found out from a sample.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "core/dataset/dataset_view.hpp"

namespace impound {

/// Rows at the front of each sampled shard, and shards of a dataset, that
/// decide.
inline constexpr std::size_t kSampleRows = 200;
inline constexpr std::size_t kSampleShards = 8;

class FieldSample {
 public:
  void add(const DataRow& row);
  /// `given` where it says something, what the sample says elsewhere.
  [[nodiscard]] DatasetFields decide(const DatasetFields& given) const;

 private:
  struct Field {
    std::uint64_t rows = 0;   ///< that have it
    std::uint64_t texts = 0;  ///< where it holds text
    std::uint64_t bytes = 0;
    std::set<std::uint64_t> values;  ///< by quick_hash
  };
  [[nodiscard]] std::string find_key() const;
  [[nodiscard]] std::string find_label() const;

  std::map<std::string, Field> fields_;
  std::uint64_t rows_ = 0;
};

/// Files that lie beside training data and are read by people: README, licence,
/// dataset card, hidden files. Compared as a whole only. What is JSON lines is
/// data whatever its name: rows are not hidden by calling them README.
[[nodiscard]] bool is_beside_data(std::string_view path, RowFormat format);

}  // namespace impound
