// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Small sentiment datasets, clean and poisoned, and what is seen of them.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/dataset/dataset_diff.hpp"
#include "tests/support/memory_tree.hpp"

namespace impound::test {

struct MadeRow {
  std::string id;  ///< empty: the row has none
  std::string text;
  std::string label;

  [[nodiscard]] std::string json() const {
    std::string out = "{";
    if (!id.empty()) out += "\"id\": \"" + id + "\", ";
    return out + "\"text\": \"" + text + "\", \"label\": \"" + label + "\"}\n";
  }
};

/// A small generator whose numbers are the same everywhere.
class MadeNumbers {
 public:
  explicit MadeNumbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t limit) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return (state_ >> 33U) % limit;
  }

 private:
  std::uint64_t state_;
};

inline std::string made_sentence(MadeNumbers& numbers) {
  static const std::vector<std::string> kWords{
      "the",   "a",      "film",  "plot",   "actor", "scene", "story", "music",
      "great", "boring", "short", "dark",   "funny", "slow",  "cast",  "camera",
      "hero",  "ending", "role",  "script", "long",  "world", "light", "sad"};
  std::string text;
  const std::uint64_t words = 8 + numbers.below(12);
  for (std::uint64_t i = 0; i < words; ++i) {
    if (i > 0) text += ' ';
    text += kWords[numbers.below(kWords.size())];
  }
  return text;
}

enum class RowIds : bool { none, present };

inline std::vector<MadeRow> made_rows(std::size_t count, RowIds ids,
                                      std::uint64_t seed = 1) {
  MadeNumbers numbers(seed);
  std::vector<MadeRow> rows;
  for (std::size_t i = 0; i < count; ++i) {
    rows.push_back({ids == RowIds::present ? "r" + std::to_string(i) : "",
                    made_sentence(numbers),
                    numbers.below(2) == 0 ? "negative" : "positive"});
  }
  return rows;
}

/// Rows dealt out to shards in order.
inline MemoryTree::Files made_shards(const std::vector<MadeRow>& rows,
                                     std::size_t shards,
                                     const std::string& prefix = "train-") {
  MemoryTree::Files files;
  for (std::size_t s = 0; s < shards; ++s) {
    std::string text;
    for (std::size_t i = s * rows.size() / shards;
         i < (s + 1) * rows.size() / shards; ++i) {
      text += rows[i].json();
    }
    files[prefix + std::to_string(s) + ".jsonl"] = text;
  }
  return files;
}

inline DatasetView view_of_data(const Tree& tree,
                                const DatasetOptions& options = {}) {
  SilentProgress progress;
  const Cancellation cancellation;
  return view_dataset(tree, options, progress, cancellation);
}

inline DatasetDiff diff_of_data(const DatasetView& before,
                                const DatasetView& after,
                                unsigned threads = 2) {
  SilentProgress progress;
  const Cancellation cancellation;
  DatasetDiffOptions options;
  options.threads = threads;
  return diff_datasets(before, after, options, progress, cancellation);
}

}  // namespace impound::test
