// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/dataset/text_tokens.hpp"

namespace impound {
namespace {

/// Bytes of a text that are looked at for the place where it differs.
constexpr std::size_t kReadText = 16384;
/// Bytes of a text that a result shows.
constexpr std::size_t kShownText = 400;
/// Texts of new rows that are kept in memory between the passes over them;
/// more are read again each time.
constexpr std::uint64_t kKeptTexts = std::uint64_t{256} << 20U;

/// The front of a text, cut between characters.
std::string front_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80) {
    --most;
  }
  return std::string(text.substr(0, most)) + "…";
}

/// Cuts two texts to where they begin to differ, with some words before it.
void show_difference(std::string& before, std::string& after) {
  constexpr std::size_t kLead = 40;
  const std::size_t most = std::min(before.size(), after.size());
  std::size_t at = 0;
  while (at < most && before[at] == after[at]) ++at;
  if (at > 2 * kLead && !before.empty() && !after.empty()) {
    at -= kLead;
    while (at > 0 && (static_cast<unsigned char>(after[at]) & 0xc0U) == 0x80) {
      --at;
    }
    before = "…" + before.substr(at);
    after = "…" + after.substr(at);
  }
  before = front_of(before, kShownText);
  after = front_of(after, kShownText);
}

/// Calls `visit` for the rows of `wanted` (ascending), from several threads.
using VisitWanted = std::function<void(std::size_t place, const DataRow& data)>;

void read_wanted(const DatasetView& view,
                 const std::vector<std::uint64_t>& wanted, unsigned threads,
                 const Cancellation& cancellation, const VisitWanted& visit) {
  std::vector<std::size_t> shards;
  for (const std::uint64_t row : wanted) {
    const std::size_t shard = view.shard_of(row);
    if (shards.empty() || shards.back() != shard) shards.push_back(shard);
  }
  in_parallel(shards.size(), threads, [&](std::size_t i) {
    const DatasetShard& shard = view.shards[shards[i]];
    auto next = std::ranges::lower_bound(wanted, shard.first_row);
    read_again(view, shard, [&](std::uint64_t row, const DataRow& data) {
      if (cancellation.requested()) return false;
      if (next != wanted.end() && *next == row) {
        visit(static_cast<std::size_t>(next - wanted.begin()), data);
        ++next;
      }
      return next != wanted.end() && *next < shard.first_row + shard.rows;
    });
  });
}

NamedRow name_row(const DatasetView& view, std::uint64_t row) {
  RowRecord record;
  view.table.read(row, std::span(&record, 1));
  const DatasetShard& shard = view.shards[view.shard_of(row)];
  NamedRow named;
  named.shard = shard.path;
  named.row = row - shard.first_row + 1;
  named.sha256 = to_hex(record.row);
  named.label = label_of(view, record.label);
  return named;
}

Json saved_json(const NamedRow& row, const std::string& raw) {
  Json json = {{"shard", lossless_utf8(row.shard)},
               {"row", row.row},
               {"line", row.line},
               {"sha256", row.sha256},
               {"label", lossless_utf8(row.label)},
               {"key", lossless_utf8(row.key)}};
  if (!raw.empty()) json["raw"] = lossless_utf8(raw);
  return json;
}

/// Rows of one side that are wanted with their text, and where it goes.
class RowTexts {
 public:
  RowTexts(const DatasetView& view, bool keeps_raw)
      : view_(view), keeps_raw_(keeps_raw) {}

  void want(std::uint64_t row) { rows_.push_back(row); }

  void read(unsigned threads, const Cancellation& cancellation) {
    std::ranges::sort(rows_);
    rows_.erase(std::ranges::unique(rows_).begin(), rows_.end());
    named_.reserve(rows_.size());
    for (const std::uint64_t row : rows_) {
      named_.push_back(name_row(view_, row));
    }
    raw_.resize(keeps_raw_ ? rows_.size() : 0);
    if (!view_.has_bytes()) return;
    read_wanted(view_, rows_, threads, cancellation,
                [this](std::size_t place, const DataRow& data) {
                  NamedRow& named = named_[place];
                  named.line = data.line;
                  named.text = front_of(row_text(data, view_.fields),
                                        keeps_raw_ ? kShownText : kReadText);
                  if (!view_.fields.key.empty()) {
                    data.append_field(view_.fields.key, named.key);
                    named.key = front_of(named.key, kMaxLabelBytes);
                  }
                  if (keeps_raw_) {
                    raw_[place] = front_of(data.raw, kMaxSavedBytes);
                  }
                });
  }

  [[nodiscard]] const NamedRow& named(std::uint64_t row) const {
    return named_[place_of(row)];
  }
  [[nodiscard]] NamedRow shown(std::uint64_t row) const {
    NamedRow row_shown = named(row);
    row_shown.text = front_of(row_shown.text, kShownText);
    return row_shown;
  }
  [[nodiscard]] Json saved(std::uint64_t row) const {
    return saved_json(named(row),
                      keeps_raw_ ? raw_[place_of(row)] : std::string());
  }

 private:
  [[nodiscard]] std::size_t place_of(std::uint64_t row) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(rows_, row) -
                                    rows_.begin());
  }

  const DatasetView& view_;
  bool keeps_raw_;
  std::vector<std::uint64_t> rows_;
  std::vector<NamedRow> named_;
  std::vector<std::string> raw_;
};

template <typename T>
std::span<const T> first_of(const std::vector<T>& list, std::size_t most) {
  return std::span(list).first(std::min(list.size(), most));
}

class DatasetComparison {
 public:
  DatasetComparison(const DatasetView& before, const DatasetView& after,
                    const DatasetDiffOptions& options, Progress& progress,
                    const Cancellation& cancellation)
      : before_(before),
        after_(after),
        options_(options),
        progress_(progress),
        cancellation_(cancellation),
        threads_(options.threads == 0
                     ? std::max(1U, std::thread::hardware_concurrency())
                     : options.threads) {}

  DatasetDiff run() {
    progress_.begin("compare rows", std::nullopt);
    match_ = match_rows(before_, after_);
    RowPairs pairs = pair_rows(before_, after_, match_);
    for (const RowPair& pair : pairs.pairs) {
      (pair.is_relabelled() ? relabelled_ : changed_).push_back(pair);
    }
    added_ = std::move(pairs.added);
    removed_ = std::move(pairs.removed);
    count(pairs.is_similar_skipped);
    count_labels();
    count_shards();
    name_rows();
    count_ngrams();
    progress_.end(fmt::format(
        "{} rows added, {} removed, {} changed, {} "
        "relabelled",
        result_.added, result_.removed, result_.changed, result_.relabelled));
    if (cancellation_.requested()) {
      throw Error(Errc::io, "stopped before the rows were compared");
    }
    return std::move(result_);
  }

 private:
  void count(bool is_similar_skipped) {
    result_.fields = after_.fields;
    result_.rows_before = before_.table.rows();
    result_.rows_after = after_.table.rows();
    result_.unchanged = match_.unchanged;
    result_.moved = match_.moved;
    result_.changed = changed_.size();
    result_.relabelled = relabelled_.size();
    const std::uint64_t paired = changed_.size() + relabelled_.size();
    result_.added = match_.added - paired;
    result_.removed = match_.removed - paired;
    result_.added_copies = match_.added_copies;
    if (!match_.is_listed) {
      result_.notes.push_back(fmt::format(
          "more than {} rows differ on a side: the rows beyond are counted as "
          "added or removed, and not paired",
          kMaxListedRows));
    }
    if (is_similar_skipped) {
      result_.notes.push_back(fmt::format(
          "more than {} rows differ: rows were paired by key, text and place, "
          "not by similar text",
          kMaxSimilar));
    }
    const bool differs = match_.added > 0 || match_.removed > 0;
    if (differs && (!before_.has_bytes() || !after_.has_bytes())) {
      result_.notes.push_back(
          "a baseline has digests, not texts: rows that are gone are named by "
          "shard and number only");
    }
    for (const DatasetView* view : {&before_, &after_}) {
      for (const DatasetShard& shard : view->shards) {
        if (shard.is_whole) continue;
        result_.notes.push_back(
            fmt::format("{}: not read to its end; rows behind that place are "
                        "not compared",
                        printable(shard.path)));
      }
    }
  }

  void count_labels() {
    std::map<std::string, LabelChange> labels;
    for (std::size_t i = 0; i < before_.labels.size(); ++i) {
      labels[before_.labels[i]].before += before_.label_rows[i];
    }
    for (std::size_t i = 0; i < after_.labels.size(); ++i) {
      labels[after_.labels[i]].after += after_.label_rows[i];
    }
    for (auto& [label, change] : labels) {
      change.label = label;
      result_.labels.push_back(change);
    }
  }

  void count_shards() {
    std::map<std::string_view, std::size_t> by_path;
    std::map<std::string_view, std::size_t> by_old_path;
    for (FileChange& file : diff_files(before_.files, after_.files)) {
      ShardChange change;
      change.file = std::move(file);
      result_.shards.push_back(std::move(change));
    }
    for (std::size_t i = 0; i < result_.shards.size(); ++i) {
      ShardChange& change = result_.shards[i];
      const FileChange& file = change.file;
      const std::string& old_path =
          file.old_path.empty() ? file.path : file.old_path;
      const DatasetShard* const now =
          file.after ? after_.find_shard(file.path) : nullptr;
      const DatasetShard* const then =
          file.before ? before_.find_shard(old_path) : nullptr;
      if (now != nullptr) by_path[now->path] = i;
      if (then != nullptr) by_old_path[then->path] = i;
      const DatasetShard* const either = now != nullptr ? now : then;
      if (either == nullptr) continue;
      change.format = either->layout.format;
      change.packing = either->packing;
      change.is_whole = (now == nullptr || now->is_whole) &&
                        (then == nullptr || then->is_whole);
      if (now != nullptr) change.rows_after = now->rows;
      if (then != nullptr) change.rows_before = then->rows;
      if (now == nullptr || then == nullptr) continue;
      const auto kept = [](const DatasetView& view, const DatasetShard& shard,
                           const std::vector<std::uint64_t>& counts) {
        return counts[static_cast<std::size_t>(&shard - view.shards.data())];
      };
      change.is_rewritten =
          file.status == FileStatus::changed && now->rows > 0 &&
          now->is_whole && then->is_whole &&
          kept(after_, *now, match_.kept_after) == now->rows &&
          kept(before_, *then, match_.kept_before) == then->rows;
    }
    const auto at = [](auto& index, const DatasetView& view,
                       std::uint64_t row) {
      return index.find(view.shards[view.shard_of(row)].path)->second;
    };
    for (const std::uint64_t row : added_) {
      ++result_.shards[at(by_path, after_, row)].added;
    }
    for (const std::uint64_t row : removed_) {
      ++result_.shards[at(by_old_path, before_, row)].removed;
    }
    for (const RowPair& pair : changed_) {
      ++result_.shards[at(by_path, after_, pair.after)].changed;
    }
    for (const RowPair& pair : relabelled_) {
      ++result_.shards[at(by_path, after_, pair.after)].relabelled;
    }
  }

  void name_rows() {
    const bool saves = static_cast<bool>(options_.save);
    const std::size_t most = saves ? kMaxSavedRows : kMaxExamples;
    RowTexts olds(before_, saves);
    RowTexts news(after_, saves);
    for (const std::uint64_t row : first_of(added_, most)) news.want(row);
    for (const std::uint64_t row : first_of(removed_, most)) olds.want(row);
    for (const auto* list : {&changed_, &relabelled_}) {
      for (const RowPair& pair : first_of(*list, most)) {
        olds.want(pair.before);
        news.want(pair.after);
      }
    }
    olds.read(threads_, cancellation_);
    news.read(threads_, cancellation_);
    for (const std::uint64_t row : first_of(added_, kMaxExamples)) {
      result_.added_rows.push_back(news.shown(row));
    }
    for (const std::uint64_t row : first_of(removed_, kMaxExamples)) {
      result_.removed_rows.push_back(olds.shown(row));
    }
    const auto name_pairs = [&](const std::vector<RowPair>& pairs,
                                std::vector<NamedPair>& out) {
      for (const RowPair& pair : first_of(pairs, kMaxExamples)) {
        NamedPair named{pair, olds.named(pair.before), news.named(pair.after)};
        show_difference(named.before.text, named.after.text);
        out.push_back(std::move(named));
      }
    };
    name_pairs(changed_, result_.changed_rows);
    name_pairs(relabelled_, result_.relabelled_rows);
    if (saves) save(olds, news);
  }

  void save(const RowTexts& olds, const RowTexts& news) {
    std::string text;
    const auto write = [&](const char* name, std::size_t all) {
      options_.save(name, as_bytes(text));
      text.clear();
      if (all > kMaxSavedRows) {
        result_.notes.push_back(fmt::format("{} holds the first {} of {} rows",
                                            name, kMaxSavedRows, all));
      }
    };
    for (const std::uint64_t row : first_of(added_, kMaxSavedRows)) {
      text += dump_line(news.saved(row)) + "\n";
    }
    write("rows-added.jsonl", added_.size());
    for (const std::uint64_t row : first_of(removed_, kMaxSavedRows)) {
      text += dump_line(olds.saved(row)) + "\n";
    }
    write("rows-removed.jsonl", removed_.size());
    const auto save_pairs = [&](const std::vector<RowPair>& pairs,
                                const char* name) {
      for (const RowPair& pair : first_of(pairs, kMaxSavedRows)) {
        text += dump_line({{"by", to_string(pair.by)},
                           {"before", olds.saved(pair.before)},
                           {"after", news.saved(pair.after)}}) +
                "\n";
      }
      write(name, pairs.size());
    };
    save_pairs(changed_, "rows-changed.jsonl");
    save_pairs(relabelled_, "rows-relabelled.jsonl");
  }

  /// Rows whose n-grams are asked for, with their group; ascending.
  struct Foreground {
    std::vector<std::uint64_t> rows;
    std::vector<RowGroup> groups;
  };

  [[nodiscard]] Foreground foreground() const {
    std::vector<std::pair<std::uint64_t, RowGroup>> all;
    for (const std::uint64_t row : added_) {
      all.emplace_back(row, RowGroup::fresh);
    }
    for (const RowPair& pair : changed_) {
      all.emplace_back(pair.after, RowGroup::fresh);
    }
    for (const RowPair& pair : relabelled_) {
      all.emplace_back(pair.after, RowGroup::relabelled);
    }
    std::ranges::sort(all);
    const std::uint64_t step = step_for(all.size());
    Foreground chosen;
    for (const auto& [row, group] : all) {
      if (!is_counted(row, step)) continue;
      chosen.rows.push_back(row);
      chosen.groups.push_back(group);
    }
    return chosen;
  }

  static std::uint64_t step_for(std::uint64_t rows) {
    return rows / kMaxCountedRows + 1;
  }
  /// Every step-th row, spread evenly, the same in every pass.
  static bool is_counted(std::uint64_t row, std::uint64_t step) {
    return step <= 1 || extend_phrase(0, row) % step == 0;
  }

  [[nodiscard]] std::vector<std::string> labels_to_count() const {
    std::vector<const LabelChange*> order;
    for (const LabelChange& label : result_.labels) order.push_back(&label);
    std::ranges::stable_sort(
        order, [](const LabelChange* a, const LabelChange* b) {
          return a->before + a->after > b->before + b->after;
        });
    std::vector<std::string> labels;
    for (const LabelChange* label : order) {
      if (labels.size() < kCountedLabels) labels.push_back(label->label);
    }
    return labels;
  }

  void count_ngrams() {
    const Foreground chosen = foreground();
    if (chosen.rows.empty() || !after_.has_bytes()) return;
    if (chosen.rows.size() <
        added_.size() + changed_.size() + relabelled_.size()) {
      result_.notes.push_back(fmt::format(
          "n-grams are counted in {} of the rows that differ, spread evenly",
          chosen.rows.size()));
    }
    NgramInput input;
    input.foreground_rows = chosen.rows.size();
    input.labels = labels_to_count();
    input.foreground = [&](const CountRow& count) { each_of(chosen, count); };
    if (before_.has_bytes()) {
      result_.reference = "the rows before";
      input.reference_rows = before_.table.rows();
      input.reference = [this](const CountRow& count) {
        each_reference(before_, {}, count);
      };
    } else {
      result_.reference = "the unchanged rows of the new side";
      input.reference_rows = after_.table.rows();
      std::vector<std::uint64_t> skipped = added_;
      for (const auto* list : {&changed_, &relabelled_}) {
        for (const RowPair& pair : *list) skipped.push_back(pair.after);
      }
      std::ranges::sort(skipped);
      input.reference = [this, skipped](const CountRow& count) {
        each_reference(after_, skipped, count);
      };
    }
    if (input.reference_rows > kMaxCountedRows) {
      result_.notes.push_back(fmt::format(
          "n-grams are compared with one of {} rows of the reference, spread "
          "evenly",
          step_for(input.reference_rows)));
    }
    result_.ngrams = find_ngrams(input);
    name_examples();
  }

  void each_of(const Foreground& chosen, const CountRow& count) {
    if (kept_.empty() && !is_kept_full_) keep(chosen);
    if (is_kept_full_) {
      read_wanted(
          after_, chosen.rows, threads_, cancellation_,
          [&](std::size_t place, const DataRow& data) {
            const std::string text = row_text(data, after_.fields);
            const std::string label = row_label(data, after_.fields);
            count({chosen.rows[place], text, label, chosen.groups[place]});
          });
      return;
    }
    constexpr std::size_t kChunk = 4096;
    in_parallel(
        (kept_.size() + kChunk - 1) / kChunk, threads_, [&](std::size_t chunk) {
          const std::size_t end = std::min(kept_.size(), (chunk + 1) * kChunk);
          for (std::size_t i = chunk * kChunk; i < end; ++i) {
            count({chosen.rows[i], kept_[i].text, kept_[i].label,
                   chosen.groups[i]});
          }
        });
  }

  /// Reads the texts of the foreground once, if they are not too many.
  void keep(const Foreground& chosen) {
    kept_.resize(chosen.rows.size());
    std::mutex mutex;
    std::uint64_t bytes = 0;
    read_wanted(after_, chosen.rows, threads_, cancellation_,
                [&](std::size_t place, const DataRow& data) {
                  KeptText one{row_text(data, after_.fields),
                               row_label(data, after_.fields)};
                  const std::lock_guard lock(mutex);
                  bytes += one.text.size();
                  if (bytes > kKeptTexts) {
                    is_kept_full_ = true;
                  } else {
                    kept_[place] = std::move(one);
                  }
                });
    if (is_kept_full_) kept_ = {};
  }

  void each_reference(const DatasetView& view,
                      const std::vector<std::uint64_t>& skipped,
                      const CountRow& count) {
    const std::uint64_t step = step_for(view.table.rows());
    in_parallel(view.shards.size(), threads_, [&](std::size_t i) {
      const DatasetShard& shard = view.shards[i];
      if (shard.rows == 0) return;
      read_again(view, shard, [&](std::uint64_t row, const DataRow& data) {
        if (cancellation_.requested()) return false;
        if (!is_counted(row, step) ||
            std::ranges::binary_search(skipped, row)) {
          return true;
        }
        const std::string text = row_text(data, view.fields);
        const std::string label = row_label(data, view.fields);
        count({row, text, label, RowGroup::reference});
        return true;
      });
    });
  }

  /// Turns the rows of examples into names.
  void name_examples() {
    RowTexts texts(after_, false);
    std::set<std::uint64_t> rows;
    for (NgramReport* report :
         {&result_.ngrams.fresh, &result_.ngrams.relabelled}) {
      for (const Ngram& ngram : report->ngrams) {
        rows.insert(ngram.examples.begin(), ngram.examples.end());
      }
    }
    std::map<std::uint64_t, std::uint64_t> places;
    for (const std::uint64_t row : rows) {
      texts.want(row);
      places.emplace(row, places.size());
    }
    texts.read(threads_, cancellation_);
    for (const std::uint64_t row : rows) {
      result_.ngram_examples.push_back(texts.shown(row));
    }
    for (NgramReport* report :
         {&result_.ngrams.fresh, &result_.ngrams.relabelled}) {
      for (Ngram& ngram : report->ngrams) {
        for (std::uint64_t& row : ngram.examples) row = places[row];
      }
    }
  }

  struct KeptText {
    std::string text;
    std::string label;
  };

  const DatasetView& before_;
  const DatasetView& after_;
  const DatasetDiffOptions& options_;
  Progress& progress_;
  const Cancellation& cancellation_;
  unsigned threads_;
  RowMatch match_;
  std::vector<std::uint64_t> added_;
  std::vector<std::uint64_t> removed_;
  std::vector<RowPair> changed_;
  std::vector<RowPair> relabelled_;
  std::vector<KeptText> kept_;
  bool is_kept_full_ = false;
  DatasetDiff result_;
};

}  // namespace

DatasetDiff diff_datasets(const DatasetView& before, const DatasetView& after,
                          const DatasetDiffOptions& options, Progress& progress,
                          const Cancellation& cancellation) {
  return DatasetComparison(before, after, options, progress, cancellation)
      .run();
}

}  // namespace impound
