// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_ngrams.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/base/text.hpp"
#include "core/dataset/text_tokens.hpp"

namespace impound {
namespace {

/// Below this nothing is called over-represented: p < 1e-7 for one n-gram, and
/// a quarter of a million of them are looked at.
constexpr double kLeastG2 = 30;
constexpr std::uint64_t kOddSeed = 0x5bd1e995a1b2c3d4U;
constexpr std::size_t kSlots = kCountedLabels + 1;  // the last: other or none
constexpr std::size_t kCells = kRowGroups * kSlots;

/// Counts that are never too low, in fixed memory (Cormode, Muthukrishnan).
/// Adding does not depend on the order.
class CountSketch {
 public:
  explicit CountSketch(std::uint64_t rows)
      : width_(std::bit_ceil(std::clamp<std::uint64_t>(
            rows * 64, std::uint64_t{1} << 12U, std::uint64_t{1} << 22U))),
        counts_(std::make_unique<std::atomic<std::uint32_t>[]>(
            static_cast<std::size_t>(kDepth * width_))) {}

  void add(std::uint64_t hash) {
    for (std::uint64_t i = 0; i < kDepth; ++i) {
      counts_[place(hash, i)].fetch_add(1, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] std::uint32_t estimate(std::uint64_t hash) const {
    std::uint32_t least = ~std::uint32_t{0};
    for (std::uint64_t i = 0; i < kDepth; ++i) {
      least = std::min(least,
                       counts_[place(hash, i)].load(std::memory_order_relaxed));
    }
    return least;
  }

 private:
  static constexpr std::uint64_t kDepth = 4;

  [[nodiscard]] std::size_t place(std::uint64_t hash, std::uint64_t row) const {
    const std::uint64_t at = (hash + row * ((hash >> 32U) | 1U)) & (width_ - 1);
    return static_cast<std::size_t>(row * width_ + at);
  }

  std::uint64_t width_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> counts_;
};

/// One place where an n-gram stands in a row.
struct Place {
  std::uint64_t hash = 0;
  std::uint32_t first = 0;  ///< token, or oddity where words is 0
  std::uint32_t words = 0;
};

/// The different n-grams of a text. `goes_on(hash)` false: longer ones that
/// begin with it are not asked for.
template <typename GoesOn>
void each_ngram(const TextTokens& tokens, std::vector<Place>& places,
                const GoesOn& goes_on) {
  places.clear();
  const std::vector<TextToken>& list = tokens.tokens();
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::uint64_t hash = 0;
    for (std::size_t n = 1; n <= kMaxWords && i + n <= list.size(); ++n) {
      hash = extend_phrase(hash, list[i + n - 1].hash);
      if (!goes_on(hash)) break;
      places.push_back(
          {hash, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(n)});
    }
  }
  for (std::size_t i = 0; i < tokens.oddities().size(); ++i) {
    const std::uint64_t hash =
        extend_phrase(kOddSeed, quick_hash(tokens.oddities()[i]));
    if (goes_on(hash)) {
      places.push_back({hash, static_cast<std::uint32_t>(i), 0});
    }
  }
  std::ranges::sort(places, {},
                    [](const Place& p) { return std::pair(p.hash, p.first); });
  const auto rest = std::ranges::unique(places, {}, &Place::hash);
  places.erase(rest.begin(), rest.end());
}

/// What each thread splits texts with.
struct Splitter {
  TextTokens tokens;
  std::vector<Place> places;
};

Splitter& splitter() {
  static thread_local Splitter one;
  return one;
}

/// Where a candidate stands, by hash. Most n-grams of a text are none: two bits
/// in a small table say so at once.
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  void fill(const std::vector<std::uint64_t>& hashes) {
    const std::size_t room = std::bit_ceil(hashes.size() * 2 + 2);
    mask_ = room - 1;
    slots_.assign(room, {0, kNone});
    filter_.assign(kFilterWords, 0);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      std::size_t at = hashes[i] & mask_;
      while (slots_[at].second != kNone) at = (at + 1) & mask_;
      slots_[at] = {hashes[i], static_cast<std::uint32_t>(i)};
      filter_[word_of(hashes[i])] |= bit_of(hashes[i]);
    }
  }

  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const {
    if ((filter_[word_of(hash)] & bit_of(hash)) == 0) return kNone;
    std::size_t at = hash & mask_;
    while (slots_[at].second != kNone && slots_[at].first != hash) {
      at = (at + 1) & mask_;
    }
    return slots_[at].second;
  }

 private:
  static constexpr std::size_t kFilterWords = std::size_t{1} << 15U;  // 256 KiB

  static std::size_t word_of(std::uint64_t hash) {
    return static_cast<std::size_t>(hash >> 49U);
  }
  static std::uint64_t bit_of(std::uint64_t hash) {
    return std::uint64_t{1} << ((hash >> 43U) & 63U);
  }

  std::size_t mask_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> slots_;
  std::vector<std::uint64_t> filter_;
};

struct Candidate {
  std::uint64_t hash = 0;
  std::string text;
  std::size_t words = 0;
};

class NgramSearch {
 public:
  explicit NgramSearch(const NgramInput& input)
      : input_(input),
        sketch_(input.foreground_rows),
        least_(input.foreground_rows > 1 ? 2 : 1) {
    for (std::size_t i = 0; i < input.labels.size() && i < kCountedLabels;
         ++i) {
      slots_.emplace(input.labels[i], i);
    }
  }

  NgramReports run() {
    sketch_rows();
    find_candidates();
    if (candidates_.empty()) return {};
    counts_ = std::make_unique<std::atomic<std::uint32_t>[]>(
        candidates_.size() * kCells);
    input_.foreground([this](const CountedRow& row) { count(row); });
    drop_hopeless();
    input_.reference([this](const CountedRow& row) { count(row); });
    NgramReports reports;
    reports.fresh = report(RowGroup::fresh);
    reports.relabelled = report(RowGroup::relabelled);
    find_examples(reports);
    return reports;
  }

 private:
  void sketch_rows() {
    input_.foreground([this](const CountedRow& row) {
      Splitter& with = splitter();
      with.tokens.split(row.text);
      each_ngram(with.tokens, with.places, [](std::uint64_t) { return true; });
      for (const Place& place : with.places) sketch_.add(place.hash);
    });
  }

  /// Every n-gram that may be in `least_` rows. Where there are too many, the
  /// bar is raised until they fit: which are left does not depend on order.
  void find_candidates() {
    std::unordered_map<std::uint64_t, Candidate> found;
    std::mutex mutex;
    std::atomic<std::uint32_t> least{least_};
    input_.foreground([&](const CountedRow& row) {
      Splitter& with = splitter();
      with.tokens.split(row.text);
      each_ngram(with.tokens, with.places, [&](std::uint64_t hash) {
        return sketch_.estimate(hash) >= least.load(std::memory_order_relaxed);
      });
      const std::lock_guard lock(mutex);
      for (const Place& place : with.places) {
        if (sketch_.estimate(place.hash) < least ||
            found.contains(place.hash)) {
          continue;
        }
        found.emplace(
            place.hash,
            Candidate{place.hash,
                      place.words == 0
                          ? with.tokens.oddities()[place.first]
                          : with.tokens.phrase(place.first, place.words),
                      place.words});
        while (found.size() > kMaxCandidates) {
          least = least * 2;
          std::erase_if(found, [&](const auto& entry) {
            return sketch_.estimate(entry.first) < least;
          });
        }
      }
    });
    least_ = least;
    candidates_.reserve(found.size());
    for (auto& [hash, candidate] : found) {
      candidates_.push_back(std::move(candidate));
    }
    std::ranges::sort(candidates_, {}, &Candidate::hash);
    fill_index();
  }

  void fill_index() {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(candidates_.size());
    for (const Candidate& one : candidates_) hashes.push_back(one.hash);
    index_.fill(hashes);
  }

  /// Those that could not be listed even if no reference row held them are not
  /// looked for in the reference.
  void drop_hopeless() {
    const std::uint64_t reference =
        std::max<std::uint64_t>(input_.reference_rows, 1);
    const auto is_hopeless = [&](std::size_t i) {
      for (const RowGroup group : {RowGroup::fresh, RowGroup::relabelled}) {
        const std::uint64_t rows = rows_with(i, group);
        if (log_likelihood(rows, total(group), 0, reference) >= kLeastG2) {
          return false;
        }
      }
      return true;
    };
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (!is_hopeless(i)) kept.push_back(i);
    }
    auto counts =
        std::make_unique<std::atomic<std::uint32_t>[]>(kept.size() * kCells);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      for (std::size_t cell = 0; cell < kCells; ++cell) {
        counts[i * kCells + cell] = counts_[kept[i] * kCells + cell].load();
      }
      // Never onto itself.
      if (kept[i] != i) candidates_[i] = std::move(candidates_[kept[i]]);
    }
    candidates_.resize(kept.size());
    counts_ = std::move(counts);
    fill_index();
  }

  [[nodiscard]] std::size_t slot_of(std::string_view label) const {
    const auto found = slots_.find(std::string(label));
    return found == slots_.end() ? kCountedLabels : found->second;
  }

  void count(const CountedRow& row) {
    Splitter& with = splitter();
    with.tokens.split(row.text);
    const std::size_t cell =
        static_cast<std::size_t>(row.group) * kSlots + slot_of(row.label);
    // An n-gram is in no more rows than its beginning: if that is no
    // candidate, it is none.
    each_ngram(with.tokens, with.places, [this](std::uint64_t hash) {
      return index_.find(hash) != HashIndex::kNone;
    });
    for (const Place& place : with.places) {
      const std::size_t at = index_.find(place.hash) * kCells + cell;
      counts_[at].fetch_add(1, std::memory_order_relaxed);
    }
    totals_[cell].fetch_add(1, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t cell(std::size_t candidate, RowGroup group,
                                   std::size_t slot) const {
    return counts_[candidate * kCells +
                   static_cast<std::size_t>(group) * kSlots + slot];
  }

  [[nodiscard]] std::uint64_t rows_with(std::size_t candidate,
                                        RowGroup group) const {
    std::uint64_t rows = 0;
    for (std::size_t i = 0; i < kSlots; ++i) rows += cell(candidate, group, i);
    return rows;
  }

  [[nodiscard]] std::uint64_t total(RowGroup group) const {
    std::uint64_t rows = 0;
    for (std::size_t i = 0; i < kSlots; ++i) rows += total(group, i);
    return rows;
  }

  [[nodiscard]] std::uint64_t total(RowGroup group, std::size_t slot) const {
    return totals_[static_cast<std::size_t>(group) * kSlots + slot];
  }

  NgramReport report(RowGroup group);
  void add_labels(std::size_t candidate, RowGroup group, Ngram& ngram) const;
  void find_examples(NgramReports& reports);

  const NgramInput& input_;
  CountSketch sketch_;
  std::uint32_t least_;
  std::unordered_map<std::string, std::size_t> slots_;
  std::vector<Candidate> candidates_;  // sorted by hash
  HashIndex index_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> counts_;
  std::array<std::atomic<std::uint64_t>, kCells> totals_{};
};

bool holds_phrase(const std::string& whole, const std::string& part) {
  return (" " + whole + " ").find(" " + part + " ") != std::string::npos;
}

/// Tells words of an n-gram from what happens to stand beside them: "cf mn bb
/// row" says no more than "cf mn bb", in which words stand out by themselves,
/// while "row" does not.
class Padding {
 public:
  explicit Padding(const std::vector<Ngram>& ranked) {
    for (const Ngram& one : ranked) {
      if (one.words > 0) g2_.emplace(one.text, one.g2);
    }
  }

  [[nodiscard]] bool is_padded(const Ngram& ngram) const {
    if (ngram.words < 2) return false;
    const std::size_t first = ngram.text.find(' ');
    const std::size_t last = ngram.text.rfind(' ');
    return is_idle(ngram, ngram.text.substr(0, first),
                   ngram.text.substr(first + 1)) ||
           is_idle(ngram, ngram.text.substr(last + 1),
                   ngram.text.substr(0, last));
  }

 private:
  [[nodiscard]] bool is_idle(const Ngram& whole, const std::string& word,
                             const std::string& rest) const {
    if (g2_of(rest) < 0.98 * whole.g2 || g2_of(word) >= 0.5 * whole.g2) {
      return false;
    }
    for (const std::string& other : split(rest, ' ')) {
      if (g2_of(other) >= 0.8 * whole.g2) return true;
    }
    return false;
  }
  [[nodiscard]] double g2_of(const std::string& text) const {
    const auto found = g2_.find(text);
    return found == g2_.end() ? 0 : found->second;
  }

  std::unordered_map<std::string, double> g2_;
};

/// Says a thing once: of n-grams that stand in the same rows, the longest.
/// `ranked` is sorted, the most over-represented first.
std::vector<Ngram> without_parts(std::vector<Ngram> ranked) {
  std::vector<Ngram> kept;
  std::unordered_set<std::string> seen;
  const Padding padding(ranked);
  for (Ngram& one : ranked) {
    if (kept.size() >= kMaxNgrams) break;
    if (padding.is_padded(one)) continue;
    if (one.words == 0) {
      kept.push_back(std::move(one));
      continue;
    }
    const bool is_part = std::ranges::any_of(kept, [&](const Ngram& other) {
      return other.words > one.words && holds_phrase(other.text, one.text);
    });
    bool is_explained = is_part;
    // A longer one that stands in nearly all rows of a kept one says more.
    for (Ngram& other : kept) {
      if (is_part || other.words == 0 || other.words >= one.words ||
          !holds_phrase(one.text, other.text)) {
        continue;
      }
      is_explained = true;
      if (one.rows * 5 >= other.rows * 4) {
        seen.insert(one.text);
        other = one;
      }
      break;
    }
    if (!is_explained) {
      // Something in it was said before: "bb film" where "cf mn bb" is known.
      std::string_view rest = one.text;
      while (!rest.empty() && !is_explained) {
        std::string_view part = rest;
        while (!part.empty() && !is_explained) {
          is_explained =
              part.size() < one.text.size() && seen.contains(std::string(part));
          const std::size_t cut = part.rfind(' ');
          part = cut == std::string_view::npos ? std::string_view{}
                                               : part.substr(0, cut);
        }
        const std::size_t next = rest.find(' ');
        rest = next == std::string_view::npos ? std::string_view{}
                                              : rest.substr(next + 1);
      }
    }
    seen.insert(one.text);
    if (!is_explained) kept.push_back(std::move(one));
  }
  return kept;
}

NgramReport NgramSearch::report(RowGroup group) {
  NgramReport report;
  report.rows = total(group);
  report.reference_rows = total(RowGroup::reference);
  report.least = least_;
  if (report.rows == 0 || report.reference_rows == 0) return report;
  std::vector<Ngram> ranked;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    const std::uint64_t rows = rows_with(i, group);
    if (rows < 2) continue;
    const std::uint64_t other = rows_with(i, RowGroup::reference);
    const auto share = [](std::uint64_t part, std::uint64_t whole) {
      return static_cast<double>(part) / static_cast<double>(whole);
    };
    if (share(rows, report.rows) <= share(other, report.reference_rows)) {
      continue;
    }
    const double g2 =
        log_likelihood(rows, report.rows, other, report.reference_rows);
    if (g2 < kLeastG2) continue;
    Ngram ngram;
    ngram.text = candidates_[i].text;
    ngram.words = candidates_[i].words;
    ngram.rows = rows;
    ngram.reference_rows = other;
    ngram.g2 = g2;
    const auto odds = [](std::uint64_t part, std::uint64_t whole) {
      return (static_cast<double>(part) + 0.5) /
             (static_cast<double>(whole - part) + 0.5);
    };
    ngram.log_odds =
        std::log(odds(rows, report.rows) / odds(other, report.reference_rows));
    add_labels(i, group, ngram);
    ranked.push_back(std::move(ngram));
  }
  std::ranges::sort(ranked, [](const Ngram& a, const Ngram& b) {
    if (a.g2 != b.g2) return a.g2 > b.g2;
    if (a.words != b.words) return a.words > b.words;
    return a.text < b.text;
  });
  report.ngrams = without_parts(std::move(ranked));
  return report;
}

void NgramSearch::add_labels(std::size_t candidate, RowGroup group,
                             Ngram& ngram) const {
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    NgramLabel label;
    if (slot < input_.labels.size() && slot < kCountedLabels) {
      label.label = input_.labels[slot];
    }
    label.rows = cell(candidate, group, slot);
    label.reference_rows = cell(candidate, RowGroup::reference, slot);
    if (label.rows == 0 && label.reference_rows == 0) continue;
    if (!label.label.empty() && label.rows > 0) {
      // Where the reference hardly knows the n-gram, all its rows are asked.
      const bool is_known = ngram.reference_rows >= 10;
      const std::uint64_t expected =
          is_known ? label.reference_rows : total(RowGroup::reference, slot);
      const std::uint64_t of =
          is_known ? ngram.reference_rows : total(RowGroup::reference);
      const double share =
          static_cast<double>(label.rows) / static_cast<double>(ngram.rows);
      const double usual =
          static_cast<double>(expected) / static_cast<double>(of);
      const double g2 = log_likelihood(label.rows, ngram.rows, expected, of);
      if (share > usual && g2 > ngram.label_g2) {
        ngram.label = label.label;
        ngram.label_share = share;
        ngram.label_expected = usual;
        ngram.label_g2 = g2;
      }
    }
    ngram.labels.push_back(std::move(label));
  }
  std::ranges::stable_sort(ngram.labels, [](const auto& a, const auto& b) {
    return a.rows > b.rows;
  });
}

void NgramSearch::find_examples(NgramReports& reports) {
  std::unordered_map<std::string, std::array<Ngram*, 2>> wanted;
  for (Ngram& one : reports.fresh.ngrams) wanted[one.text][0] = &one;
  for (Ngram& one : reports.relabelled.ngrams) wanted[one.text][1] = &one;
  if (wanted.empty()) return;
  std::mutex mutex;
  input_.foreground([&](const CountedRow& row) {
    Splitter& with = splitter();
    with.tokens.split(row.text);
    each_ngram(with.tokens, with.places, [this](std::uint64_t hash) {
      return index_.find(hash) != HashIndex::kNone;
    });
    for (const Place& place : with.places) {
      const auto found = wanted.find(candidates_[index_.find(place.hash)].text);
      if (found == wanted.end()) continue;
      Ngram* const ngram = found->second[static_cast<std::size_t>(row.group)];
      if (ngram == nullptr) continue;
      const std::lock_guard lock(mutex);
      // The first three, whatever the order of threads.
      std::vector<std::uint64_t>& rows = ngram->examples;
      rows.insert(std::ranges::upper_bound(rows, row.row), row.row);
      if (rows.size() > 3) rows.pop_back();
    }
  });
}

double part_of(double observed, double expected) {
  return observed > 0 ? observed * std::log(observed / expected) : 0;
}

}  // namespace

double log_likelihood(std::uint64_t in, std::uint64_t all,
                      std::uint64_t other_in, std::uint64_t other_all) {
  const auto a = static_cast<double>(in);
  const auto b = static_cast<double>(all - in);
  const auto c = static_cast<double>(other_in);
  const auto d = static_cast<double>(other_all - other_in);
  const double whole = a + b + c + d;
  if (whole <= 0) return 0;
  return 2 * (part_of(a, (a + b) * (a + c) / whole) +
              part_of(b, (a + b) * (b + d) / whole) +
              part_of(c, (c + d) * (a + c) / whole) +
              part_of(d, (c + d) * (b + d) / whole));
}

NgramReports find_ngrams(const NgramInput& input) {
  if (input.foreground_rows == 0) return {};
  return NgramSearch(input).run();
}

}  // namespace impound
