// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_match.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <map>
#include <tuple>

#include "core/compare/file_diff.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kAfterBit = std::uint64_t{1} << 63U;

/// One row of either side in a pass.
struct MatchEntry {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint64_t row = 0;  ///< with kAfterBit for the new side

  [[nodiscard]] bool is_same_row(const MatchEntry& other) const {
    return high == other.high && low == other.low;
  }
  friend bool operator<(const MatchEntry& a, const MatchEntry& b) {
    return std::tie(a.high, a.low, a.row) < std::tie(b.high, b.low, b.row);
  }
};

std::uint64_t big_endian(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

class Matcher {
 public:
  Matcher(const DatasetView& before, const DatasetView& after)
      : before_(before), after_(after) {
    result_.kept_before.resize(before.shards.size());
    result_.kept_after.resize(after.shards.size());
    result_.was.assign(after.shards.size(), kNoShard);
    for (const FileChange& file : diff_files(before.files, after.files)) {
      if (!file.before || !file.after) continue;
      const DatasetShard* const now = after.find_shard(file.path);
      const DatasetShard* const then =
          before.find_shard(file.old_path.empty() ? file.path : file.old_path);
      if (now == nullptr || then == nullptr) continue;
      result_.was[static_cast<std::size_t>(now - after.shards.data())] =
          static_cast<std::size_t>(then - before.shards.data());
    }
  }

  RowMatch run(std::uint64_t memory) {
    const std::uint64_t rows = before_.table.rows() + after_.table.rows();
    const std::uint64_t in_pass =
        std::max<std::uint64_t>(memory / sizeof(MatchEntry), 1);
    // Digests are even: an eighth more room than the average is plenty.
    unsigned bits = 0;
    while (bits < 16 && (rows >> bits) > in_pass - in_pass / 8) ++bits;
    for (std::uint64_t pass = 0; pass < std::uint64_t{1} << bits; ++pass) {
      entries_.clear();
      gather(before_, 0, bits, pass);
      gather(after_, kAfterBit, bits, pass);
      std::sort(entries_.begin(), entries_.end());
      compare();
    }
    std::ranges::sort(result_.removed_rows);
    std::ranges::sort(result_.added_rows);
    return std::move(result_);
  }

 private:
  void gather(const DatasetView& view, std::uint64_t side, unsigned bits,
              std::uint64_t pass) {
    view.table.each(
        [&](std::uint64_t first, std::span<const RowRecord> records) {
          for (std::size_t i = 0; i < records.size(); ++i) {
            const std::uint64_t high = big_endian(records[i].row.data());
            if (bits > 0 && high >> (64 - bits) != pass) continue;
            entries_.push_back({high, big_endian(records[i].row.data() + 8),
                                (first + i) | side});
          }
        });
  }

  void compare() {
    for (std::size_t first = 0; first < entries_.size();) {
      std::size_t end = first + 1;
      while (end < entries_.size() &&
             entries_[end].is_same_row(entries_[first])) {
        ++end;
      }
      std::size_t middle = first;
      while (middle < end && (entries_[middle].row & kAfterBit) == 0) ++middle;
      group(std::span(entries_).subspan(first, middle - first),
            std::span(entries_).subspan(middle, end - middle));
      first = end;
    }
  }

  /// Equal rows of both sides, ascending.
  void group(std::span<MatchEntry> olds, std::span<MatchEntry> news) {
    if (olds.empty() || news.empty()) {
      for (const MatchEntry& one : olds) remove(one.row);
      for (const MatchEntry& one : news) add(one.row, false);
      return;
    }
    if (olds.size() == 1 && news.size() == 1) {
      const std::size_t old_shard = before_.shard_of(olds[0].row);
      const std::size_t shard = after_.shard_of(news[0].row & ~kAfterBit);
      ++result_.unchanged;
      if (result_.was[shard] != old_shard) {
        ++result_.moved;
        return;
      }
      ++result_.kept_before[old_shard];
      ++result_.kept_after[shard];
      return;
    }
    // In the same shard first.
    std::map<std::size_t, std::vector<std::uint64_t>> by_shard;
    for (const MatchEntry& one : olds) {
      by_shard[before_.shard_of(one.row)].push_back(one.row);
    }
    for (auto& [shard, rows] : by_shard) std::ranges::reverse(rows);
    std::vector<std::uint64_t> rest;
    for (const MatchEntry& one : news) {
      const std::uint64_t row = one.row & ~kAfterBit;
      const std::size_t shard = after_.shard_of(row);
      const auto old = by_shard.find(result_.was[shard]);
      if (old == by_shard.end() || old->second.empty()) {
        rest.push_back(row);
        continue;
      }
      old->second.pop_back();
      ++result_.unchanged;
      ++result_.kept_before[result_.was[shard]];
      ++result_.kept_after[shard];
    }
    std::size_t left = 0;
    for (const auto& [shard, rows] : by_shard) left += rows.size();
    const std::size_t moved = std::min(left, rest.size());
    result_.moved += moved;
    result_.unchanged += moved;
    for (std::size_t i = moved; i < rest.size(); ++i) add(rest[i], true);
    std::size_t taken = moved;
    for (auto& [shard, rows] : by_shard) {
      while (!rows.empty()) {
        if (taken > 0) {
          --taken;
        } else {
          remove(rows.back());
        }
        rows.pop_back();
      }
    }
  }

  void remove(std::uint64_t row) {
    ++result_.removed;
    list(result_.removed_rows, row);
  }

  void add(std::uint64_t row, bool is_copy) {
    ++result_.added;
    if (is_copy) ++result_.added_copies;
    list(result_.added_rows, row & ~kAfterBit);
  }

  void list(std::vector<std::uint64_t>& rows, std::uint64_t row) {
    if (rows.size() < kMaxListedRows) {
      rows.push_back(row);
    } else {
      result_.is_listed = false;
    }
  }

  const DatasetView& before_;
  const DatasetView& after_;
  std::vector<MatchEntry> entries_;
  RowMatch result_;
};

/// Records of listed rows.
std::vector<RowRecord> records_of(const DatasetView& view,
                                  const std::vector<std::uint64_t>& rows) {
  std::vector<RowRecord> records(rows.size());
  for (std::size_t i = 0; i < rows.size();) {
    // Neighbours are read together.
    std::size_t end = i + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    view.table.read(rows[i], std::span(records).subspan(i, end - i));
    i = end;
  }
  return records;
}

class Pairer {
 public:
  Pairer(const DatasetView& before, const DatasetView& after,
         const RowMatch& match)
      : before_(before),
        after_(after),
        removed_(match.removed_rows),
        added_(match.added_rows),
        was_(match.was),
        old_records_(records_of(before, removed_)),
        new_records_(records_of(after, added_)),
        old_taken_(removed_.size()),
        new_taken_(added_.size()) {}

  RowPairs run() {
    by_key();
    by_text();
    by_position();
    by_similarity();
    std::ranges::sort(result_.pairs, {}, &RowPair::after);
    for (std::size_t i = 0; i < removed_.size(); ++i) {
      if (!old_taken_[i]) result_.removed.push_back(removed_[i]);
    }
    for (std::size_t i = 0; i < added_.size(); ++i) {
      if (!new_taken_[i]) result_.added.push_back(added_[i]);
    }
    return std::move(result_);
  }

 private:
  using Digests = std::vector<std::pair<std::uint64_t, std::size_t>>;

  void pair(std::size_t old_place, std::size_t new_place, PairedBy by) {
    const RowRecord& a = old_records_[old_place];
    const RowRecord& b = new_records_[new_place];
    old_taken_[old_place] = true;
    new_taken_[new_place] = true;
    result_.pairs.push_back({.before = removed_[old_place],
                             .after = added_[new_place],
                             .by = by,
                             .has_same_text = a.text == b.text && a.text != 0,
                             .has_other_label = label_of(before_, a.label) !=
                                                label_of(after_, b.label)});
  }

  /// Rows that are left, by one of their digests; without those that have none.
  static Digests left_by(const std::vector<RowRecord>& records,
                         const std::vector<bool>& taken,
                         std::uint64_t RowRecord::*digest) {
    Digests digests;
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (!taken[i] && records[i].*digest != 0) {
        digests.emplace_back(records[i].*digest, i);
      }
    }
    std::ranges::sort(digests);
    return digests;
  }

  /// Calls `act` with the places of each digest that both sides have.
  static void join(
      const Digests& olds, const Digests& news,
      const std::function<void(std::span<const Digests::value_type>,
                               std::span<const Digests::value_type>)>& act) {
    std::size_t i = 0;
    std::size_t k = 0;
    while (i < olds.size() && k < news.size()) {
      if (olds[i].first != news[k].first) {
        (olds[i].first < news[k].first ? i : k) += 1;
        continue;
      }
      std::size_t i_end = i;
      std::size_t k_end = k;
      while (i_end < olds.size() && olds[i_end].first == olds[i].first) ++i_end;
      while (k_end < news.size() && news[k_end].first == news[k].first) ++k_end;
      act(std::span(olds).subspan(i, i_end - i),
          std::span(news).subspan(k, k_end - k));
      i = i_end;
      k = k_end;
    }
  }

  void by_key() {
    join(left_by(old_records_, old_taken_, &RowRecord::key),
         left_by(new_records_, new_taken_, &RowRecord::key),
         [this](auto olds, auto news) {
           // A key that stands twice names nothing.
           if (olds.size() != 1 || news.size() != 1) return;
           pair(olds[0].second, news[0].second, PairedBy::key);
         });
  }

  void by_text() {
    join(left_by(old_records_, old_taken_, &RowRecord::text),
         left_by(new_records_, new_taken_, &RowRecord::text),
         [this](auto olds, auto news) {
           for (std::size_t i = 0; i < olds.size() && i < news.size(); ++i) {
             pair(olds[i].second, news[i].second, PairedBy::text);
           }
         });
  }

  /// A changed row keeps its neighbours: as many unchanged rows stand before
  /// it in its shard as before, however many were put in or taken out.
  void by_position() {
    using Places = std::map<std::uint64_t, std::vector<std::size_t>>;
    const auto anchors = [](const DatasetView& view,
                            const std::vector<std::uint64_t>& rows,
                            const std::vector<bool>& taken) {
      std::map<std::size_t, Places> places;  // by shard
      std::size_t shard = kNoShard;
      std::uint64_t differing = 0;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::size_t at = view.shard_of(rows[i]);
        if (at != shard) differing = 0;
        shard = at;
        const std::uint64_t anchor =
            rows[i] - view.shards[at].first_row - differing++;
        if (!taken[i]) places[at][anchor].push_back(i);
      }
      return places;
    };
    const auto olds = anchors(before_, removed_, old_taken_);
    for (const auto& [shard, news] : anchors(after_, added_, new_taken_)) {
      const auto other = olds.find(was_[shard]);
      if (other != olds.end()) pair_places(other->second, news);
    }
  }

  void pair_places(
      const std::map<std::uint64_t, std::vector<std::size_t>>& olds,
      const std::map<std::uint64_t, std::vector<std::size_t>>& news) {
    for (const auto& [anchor, rows] : olds) {
      const auto found = news.find(anchor);
      if (found == news.end()) continue;
      std::size_t k = 0;
      for (const std::size_t i : rows) {
        // In order: the first of what is left that is similar.
        for (std::size_t n = k; n < found->second.size() && n < k + 16; ++n) {
          const std::size_t place = found->second[n];
          if (equal_sketch(i, place) < 3) continue;
          pair(i, place, PairedBy::position);
          k = n + 1;
          break;
        }
      }
    }
  }

  [[nodiscard]] int equal_sketch(std::size_t old_place,
                                 std::size_t new_place) const;

  void by_similarity();

  const DatasetView& before_;
  const DatasetView& after_;
  const std::vector<std::uint64_t>& removed_;
  const std::vector<std::uint64_t>& added_;
  const std::vector<std::size_t>& was_;
  std::vector<RowRecord> old_records_;
  std::vector<RowRecord> new_records_;
  std::vector<bool> old_taken_;
  std::vector<bool> new_taken_;
  RowPairs result_;
};

int Pairer::equal_sketch(std::size_t old_place, std::size_t new_place) const {
  const std::uint64_t a = old_records_[old_place].sketch;
  const std::uint64_t b = new_records_[new_place].sketch;
  if (a == 0 || b == 0) return 0;
  const std::uint64_t differing = a ^ b;
  int equal = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if (((differing >> (8 * i)) & 0xffU) == 0) ++equal;
  }
  return equal;
}

void Pairer::by_similarity() {
  const Digests olds = left_by(old_records_, old_taken_, &RowRecord::sketch);
  const Digests news = left_by(new_records_, new_taken_, &RowRecord::sketch);
  if (olds.empty() || news.empty()) return;
  if (olds.size() > kMaxSimilar || news.size() > kMaxSimilar) {
    result_.is_similar_skipped = true;
    return;
  }
  // Similar rows agree in some two neighbouring bytes of the sketch.
  constexpr int kBands = 8;
  const auto band = [](std::uint64_t sketch, int number) {
    const std::uint64_t turned = std::rotr(sketch, 8 * number);
    return static_cast<std::uint32_t>((turned & 0xffffU) |
                                      (static_cast<unsigned>(number) << 16U));
  };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> index;
  for (const auto& [sketch, place] : olds) {
    for (int i = 0; i < kBands; ++i) {
      index.emplace_back(band(sketch, i), static_cast<std::uint32_t>(place));
    }
  }
  std::ranges::sort(index);
  struct Candidate {
    int equal;
    std::size_t new_place;
    std::size_t old_place;
  };
  std::vector<Candidate> candidates;
  for (const auto& [sketch, place] : news) {
    Candidate best{0, place, 0};
    for (int i = 0; i < kBands; ++i) {
      const std::uint32_t wanted = band(sketch, i);
      auto at = std::ranges::lower_bound(index, wanted, {},
                                         &decltype(index)::value_type::first);
      // A phrase of half the dataset is no likeness: such bands are cut short.
      for (int looked = 0;
           at != index.end() && at->first == wanted && looked < 256;
           ++at, ++looked) {
        const int equal = equal_sketch(at->second, place);
        if (equal > best.equal) best = {equal, place, at->second};
      }
    }
    if (best.equal >= 4) candidates.push_back(best);
  }
  // The surest pairs first; of equals, in the order of the new side.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     return std::tuple(-a.equal, a.new_place, a.old_place) <
                            std::tuple(-b.equal, b.new_place, b.old_place);
                   });
  for (const Candidate& one : candidates) {
    if (old_taken_[one.old_place] || new_taken_[one.new_place]) continue;
    pair(one.old_place, one.new_place, PairedBy::similar);
  }
}

}  // namespace

std::string_view to_string(PairedBy by) noexcept {
  switch (by) {
    case PairedBy::key:
      return "key";
    case PairedBy::text:
      return "text";
    case PairedBy::position:
      return "position";
    case PairedBy::similar:
      return "similar";
  }
  return "similar";
}

std::string_view label_of(const DatasetView& view, std::uint32_t number) {
  return number < view.labels.size() ? std::string_view(view.labels[number])
                                     : std::string_view{};
}

RowMatch match_rows(const DatasetView& before, const DatasetView& after,
                    std::uint64_t memory) {
  return Matcher(before, after).run(memory);
}

RowPairs pair_rows(const DatasetView& before, const DatasetView& after,
                   const RowMatch& match) {
  return Pairer(before, after, match).run();
}

}  // namespace impound
