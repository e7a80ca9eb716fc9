// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/repeated_sha256.hpp"
#include "core/dataset/dataset_fields.hpp"
#include "core/dataset/text_tokens.hpp"

namespace impound {
namespace {

constexpr std::size_t kFlushRows = 16384;
/// Head of a packed file, enough for its magic.
constexpr std::uint64_t kMagicBytes = 32;

/// Hashes a source while it is read from front to back.
class HashingSource final : public ByteSource {
 public:
  HashingSource(const ByteSource& source,
                const std::function<void(std::uint64_t)>& step)
      : source_(source), step_(step) {}

  [[nodiscard]] std::uint64_t size() const override { return source_.size(); }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    source_.read(offset, out);
    if (offset > at_ || offset + out.size() <= at_) return;
    const auto known = static_cast<std::size_t>(at_ - offset);
    hash_.update(ByteView(out).subspan(known));
    step_(out.size() - known);
    at_ = offset + out.size();
  }

  /// Reads what nobody read, and ends.
  [[nodiscard]] Digest finish() const {
    Bytes block(std::size_t{1} << 20U);
    while (at_ < size()) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(block.size(), size() - at_));
      read(at_, std::span(block).first(count));
    }
    return hash_.finish();
  }

 private:
  const ByteSource& source_;
  const std::function<void(std::uint64_t)>& step_;
  mutable Sha256 hash_;
  mutable std::uint64_t at_ = 0;
};

std::uint64_t short_digest(const Digest& digest) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) {
    value = (value << 8U) | std::to_integer<std::uint64_t>(digest.bytes[i]);
  }
  return value == 0 ? 1 : value;
}

/// Labels of all shards, numbered as they come.
class LabelNumbers {
 public:
  std::uint32_t number_of(const std::string& label) {
    const std::lock_guard lock(mutex_);
    const auto found = numbers_.find(label);
    if (found != numbers_.end()) return found->second;
    if (labels_.size() >= kMaxLabels) {
      is_full_ = true;
      return kNoLabel;
    }
    const auto number = static_cast<std::uint32_t>(labels_.size());
    labels_.push_back(label);
    numbers_.emplace(label, number);
    return number;
  }

  [[nodiscard]] bool is_full() const { return is_full_; }
  [[nodiscard]] std::vector<std::string> take() { return std::move(labels_); }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> labels_;
  bool is_full_ = false;
};

/// Turns the rows of one shard into records.
class RecordMaker final : public RowVisitor {
 public:
  RecordMaker(const DatasetFields& fields, LabelNumbers& labels,
              RowSpool& spool, const Cancellation& cancellation)
      : fields_(fields),
        labels_(labels),
        spool_(spool),
        cancellation_(cancellation) {}

  void piece(std::string_view bytes) override {
    if (!long_row_) long_row_.emplace();
    long_row_->update(as_bytes(bytes));
  }

  bool row(const DataRow& row) override {
    RowRecord record;
    if (long_row_) {
      set_row(record, long_row_->finish());
      long_row_.reset();
    } else {
      canonical_.clear();
      row.append_canonical(canonical_);
      set_row(record, hash_.of(canonical_));
    }
    const std::string text = row_text(row, fields_);
    if (!text.empty()) {
      record.text = short_digest(hash_.of(text));
      tokens_.split(text);
      record.sketch = tokens_.sketch();
    }
    if (!fields_.key.empty()) {
      std::string key;
      if (row.append_field(fields_.key, key) && !key.empty()) {
        record.key = short_digest(hash_.of(key));
      }
    }
    const std::string label = row_label(row, fields_);
    if (!label.empty()) record.label = number_of(label);
    const std::size_t at = block_.size();
    block_.resize(at + kRowRecordSize);
    encode_row(record, std::span(block_).subspan(at));
    if (block_.size() >= kFlushRows * kRowRecordSize) flush();
    return !cancellation_.requested();
  }

  [[nodiscard]] std::vector<RowExtent> finish() {
    flush();
    return std::move(extents_);
  }
  [[nodiscard]] const std::unordered_map<std::uint32_t, std::uint64_t>&
  label_rows() const {
    return label_rows_;
  }

 private:
  static void set_row(RowRecord& record, const Digest& digest) {
    std::copy_n(digest.bytes.begin(), record.row.size(), record.row.begin());
  }

  std::uint32_t number_of(const std::string& label) {
    auto found = known_.find(label);
    if (found == known_.end()) {
      const std::uint32_t number = labels_.number_of(label);
      if (number == kNoLabel) return kNoLabel;
      found = known_.emplace(label, number).first;
    }
    ++label_rows_[found->second];
    return found->second;
  }

  void flush() {
    if (block_.empty()) return;
    extents_.push_back({spool_.append(block_), block_.size() / kRowRecordSize});
    block_.clear();
  }

  const DatasetFields& fields_;
  LabelNumbers& labels_;
  RowSpool& spool_;
  const Cancellation& cancellation_;
  RepeatedSha256 hash_;
  std::optional<Sha256> long_row_;
  TextTokens tokens_;
  std::string canonical_;
  std::unordered_map<std::string, std::uint32_t> known_;
  std::unordered_map<std::uint32_t, std::uint64_t> label_rows_;
  Bytes block_;
  std::vector<RowExtent> extents_;
};

/// Takes the first rows of a shard for the sample.
class SampleTaker final : public RowVisitor {
 public:
  explicit SampleTaker(FieldSample& sample) : sample_(sample) {}
  void piece(std::string_view /*bytes*/) override {}
  bool row(const DataRow& row) override {
    if (!row.is_broken) sample_.add(row);
    return row.number < kSampleRows;
  }

 private:
  FieldSample& sample_;
};

ModelView files_of(const Tree& tree, const std::string& folder) {
  ModelView view;
  view.kind = tree.kind();
  view.locator = tree.locator();
  view.folder = folder;
  view.is_one_file = tree.is_one_file();
  view.tree = &tree;
  const std::string prefix = folder.empty() ? "" : folder + "/";
  for (std::size_t i = 0; i < tree.files().size(); ++i) {
    const TreeFile& file = tree.files()[i];
    if (!file.name.starts_with(prefix) || file.kind == FileKind::directory) {
      continue;
    }
    ViewFile one;
    one.path = file.name.substr(prefix.size());
    one.kind = file.kind;
    one.size = file.size;
    one.mode = file.mode;
    one.link_target = file.link_target;
    one.found_as = file.found_as;
    one.tree_index = i;
    view.files.push_back(std::move(one));
  }
  for (const std::string& problem : tree.problems()) {
    view.problems.push_back(
        {"", {"tree-incomplete", Severity::medium, 0, problem}});
  }
  return view;
}

/// How one file begins: its packing and, unpacked, its rows.
struct Beginning {
  Packing packing = Packing::none;
  RowLayout layout;
  std::string problem;  ///< why it cannot even be unpacked so far
};

Beginning beginning_of(const ByteSource& source, const StreamOpener* opener) {
  Beginning start;
  start.packing = packing_of(source.head(0, kMagicBytes));
  const auto stream = open_stream(source, start.packing, opener, {});
  Bytes head(kRowHead);
  std::size_t have = 0;
  while (have < head.size()) {
    const std::size_t count = stream->read(std::span(head).subspan(have));
    if (count == 0) break;
    have += count;
  }
  start.layout = detect_layout(as_text(ByteView(head).first(have)));
  start.problem = stream->problem();
  return start;
}

class DatasetWork {
 public:
  DatasetWork(DatasetView& view, const DatasetOptions& options,
              Progress& progress, const Cancellation& cancellation)
      : view_(view),
        options_(options),
        progress_(progress),
        cancellation_(cancellation),
        spool_(std::make_unique<RowSpool>()) {}

  void run(unsigned threads) {
    std::uint64_t total = 0;
    for (const ViewFile& file : view_.files.files) {
      if (file.kind == FileKind::regular) total += file.size;
    }
    find_shards();
    find_fields();
    progress_.begin("read rows", total);
    extents_.resize(view_.shards.size());
    in_parallel(view_.shards.size(), threads,
                [this](std::size_t i) { read(i); });
    if (cancellation_.requested()) {
      progress_.end("stopped");
      throw Error(Errc::io, fmt::format("{}: stopped before every shard was "
                                        "read; there is nothing to compare",
                                        view_.files.locator));
    }
    join();
    progress_.end(fmt::format("{} rows in {} shards", view_.table.rows(),
                              view_.shards.size()));
  }

 private:
  void find_shards() {
    for (const ViewFile& file : view_.files.files) {
      if (file.kind != FileKind::regular) continue;
      DatasetShard shard;
      shard.path = file.path;
      shard.size = file.size;
      try {
        const auto source = view_.files.open(file.path);
        const Beginning start = beginning_of(*source, options_.opener);
        shard.packing = start.packing;
        if (!is_beside_data(file.path, start.layout.format)) {
          shard.layout = start.layout;
        }
        const auto known = options_.layouts.find(file.path);
        if (known != options_.layouts.end()) shard.layout = known->second;
        if (shard.layout.format == RowFormat::other && !start.problem.empty()) {
          shard.is_whole = false;
          shard.problems.push_back(
              {"shard-cut", Severity::high, 0,
               "its rows cannot be read: " + start.problem});
        }
      } catch (const Error&) {
        // Reading it whole fails too, and says so then.
        shard.is_whole = false;
      }
      view_.shards.push_back(std::move(shard));
    }
  }

  void find_fields() {
    view_.fields = options_.fields;
    if (options_.is_exact) return;
    std::vector<const DatasetShard*> with_rows;
    for (const DatasetShard& shard : view_.shards) {
      if (shard.layout.format != RowFormat::other) with_rows.push_back(&shard);
    }
    FieldSample sample;
    const std::size_t count = std::min(kSampleShards, with_rows.size());
    for (std::size_t i = 0; i < count; ++i) {
      const DatasetShard& shard = *with_rows[i * with_rows.size() / count];
      try {
        const auto source = view_.files.open(shard.path);
        const auto stream = open_stream(*source, shard.packing, options_.opener,
                                        options_.expansion);
        SampleTaker taker(sample);
        static_cast<void>(read_rows(*stream, shard.layout, taker));
      } catch (const Error&) {
        continue;  // reading it whole fails too, and is recorded
      }
    }
    view_.fields = sample.decide(options_.fields);
  }

  void read(std::size_t index) {
    if (cancellation_.requested()) return;
    DatasetShard& shard = view_.shards[index];
    const std::function<void(std::uint64_t)> step = [&](std::uint64_t bytes) {
      const std::lock_guard lock(mutex_);
      done_ += bytes;
      progress_.advance(done_, shard.path);
    };
    try {
      const auto plain = view_.files.open(shard.path);
      const HashingSource source(*plain, step);
      const auto stream = open_stream(source, shard.packing, options_.opener,
                                      options_.expansion);
      RecordMaker maker(view_.fields, labels_, *spool_, cancellation_);
      // Of other files only the digest is asked for; unpacking would say
      // nothing more.
      if (shard.layout.format != RowFormat::other) {
        RowsOutcome outcome = read_rows(*stream, shard.layout, maker);
        shard.rows = outcome.rows;
        shard.bytes = outcome.bytes;
        shard.is_whole = outcome.is_whole;
        shard.problems = std::move(outcome.problems);
      }
      extents_[index] = maker.finish();
      if (!cancellation_.requested()) shard.sha256 = source.finish();
      const std::lock_guard lock(mutex_);
      for (const auto& [label, rows] : maker.label_rows()) {
        if (view_.label_rows.size() <= label) {
          view_.label_rows.resize(label + 1);
        }
        view_.label_rows[label] += rows;
      }
    } catch (const Error& error) {
      shard.is_whole = false;
      shard.rows = 0;
      extents_[index].clear();
      const std::lock_guard lock(mutex_);
      failures_[shard.path] = error.what();
    }
  }

  void join() {
    std::vector<RowExtent> parts;
    std::uint64_t first = 0;
    for (std::size_t i = 0; i < view_.shards.size(); ++i) {
      view_.shards[i].first_row = first;
      first += view_.shards[i].rows;
      parts.insert(parts.end(), extents_[i].begin(), extents_[i].end());
    }
    view_.table = RowTable(std::move(spool_), parts);
    view_.labels = labels_.take();
    view_.label_rows.resize(view_.labels.size());
    if (labels_.is_full()) {
      view_.files.problems.push_back(
          {"",
           {"labels-too-many", Severity::medium, 0,
            fmt::format("field {} has more than {} values: rows with others "
                        "count as rows without a label",
                        printable(view_.fields.label), kMaxLabels)}});
    }
    for (ViewFile& file : view_.files.files) {
      const DatasetShard* const shard = view_.find_shard(file.path);
      if (shard == nullptr) continue;
      file.sha256 = shard->sha256;
      const auto failed = failures_.find(file.path);
      if (failed != failures_.end()) {
        file.failure = failed->second;
        view_.files.problems.push_back(
            {file.path, {"unreadable", Severity::high, 0, file.failure}});
      }
      for (const Problem& problem : shard->problems) {
        view_.files.problems.push_back({file.path, problem});
      }
      const auto& known = view_.files.tree->files()[file.tree_index].sha256;
      if (known && file.sha256 && *known != *file.sha256) {
        view_.files.problems.push_back(
            {file.path,
             {"exhibit-digest", Severity::critical, 0,
              fmt::format("the exhibit's manifest says {}, its bytes have {}",
                          known->hex(), file.sha256->hex())}});
      }
    }
  }

  DatasetView& view_;
  const DatasetOptions& options_;
  Progress& progress_;
  const Cancellation& cancellation_;
  std::unique_ptr<RowSpool> spool_;
  LabelNumbers labels_;
  std::vector<std::vector<RowExtent>> extents_;  // one list a shard
  std::map<std::string, std::string> failures_;
  std::mutex mutex_;  // progress_, done_, label_rows, failures_
  std::uint64_t done_ = 0;
};

class AgainVisitor final : public RowVisitor {
 public:
  AgainVisitor(const DatasetShard& shard, const RowAgain& visit)
      : shard_(shard), visit_(visit) {}
  void piece(std::string_view /*bytes*/) override {}
  bool row(const DataRow& row) override {
    // More rows than before: somebody writes to the shard.
    if (row.number > shard_.rows) return false;
    return visit_(shard_.first_row + row.number - 1, row);
  }

 private:
  const DatasetShard& shard_;
  const RowAgain& visit_;
};

bool is_weights(std::string_view name, const ByteSource& source) {
  for (const std::string_view end :
       {".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx", ".h5",
        ".keras", ".npz", ".npy", ".pkl", ".joblib", ".model", ".pb"}) {
    if (name.ends_with(end)) return true;
  }
  const Bytes head = source.head(0, kFormatHead);
  const FormatSubject subject{.source = source, .head = head, .name = name};
  // Rows are packed, too: containers say nothing.
  const auto is_any = [&subject](FormatRole role) {
    return std::ranges::any_of(formats_of(role), [&](Format format) {
      return !why_format(format, subject).empty();
    });
  };
  return is_any(FormatRole::weights) || is_any(FormatRole::objects);
}

bool is_model_text(std::string_view name) {
  name = base_name(name);
  return name == "config.json" || name == "tokenizer.json" ||
         name == "tokenizer_config.json" || name == "generation_config.json" ||
         name == "adapter_config.json" || name == "Modelfile" ||
         name.ends_with(".index.json");
}

}  // namespace

void in_parallel(std::size_t count, unsigned threads,
                 const std::function<void(std::size_t)>& act) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        act(i);
      } catch (const std::exception&) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 1; i < threads && i < count; ++i) {
      workers.emplace_back(work);
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

const DatasetShard* DatasetView::find_shard(std::string_view path) const {
  const auto found =
      std::lower_bound(shards.begin(), shards.end(), path,
                       [](const DatasetShard& shard, std::string_view p) {
                         return shard.path < p;
                       });
  return found != shards.end() && found->path == path ? &*found : nullptr;
}

std::size_t DatasetView::shard_of(std::uint64_t row) const {
  const auto next =
      std::upper_bound(shards.begin(), shards.end(), row,
                       [](std::uint64_t r, const DatasetShard& shard) {
                         return r < shard.first_row;
                       });
  // Shards without rows begin where the next one does.
  return static_cast<std::size_t>(next - shards.begin()) - 1;
}

DatasetView view_dataset(const Tree& tree, const DatasetOptions& options,
                         Progress& progress, const Cancellation& cancellation) {
  DatasetView view;
  view.files = files_of(tree, options.folder);
  view.opener = options.opener;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  DatasetWork(view, options, progress, cancellation)
      .run(options.threads == 0 ? cores : options.threads);
  return view;
}

void read_again(const DatasetView& view, const DatasetShard& shard,
                const RowAgain& visit) {
  const auto source = view.files.open(shard.path);
  const auto stream = open_stream(*source, shard.packing, view.opener, {});
  AgainVisitor visitor(shard, visit);
  static_cast<void>(read_rows(*stream, shard.layout, visitor));
}

TreeContent look_at(const Tree& tree, const DatasetOptions& options) {
  const ModelView files = files_of(tree, options.folder);
  bool has_rows = false;
  bool has_other_text = false;
  for (const ViewFile& file : files.files) {
    if (file.kind != FileKind::regular) continue;
    if (is_model_text(file.path)) return TreeContent::model;
    Beginning start;
    try {
      const auto source = files.open(file.path);
      if (is_weights(file.path, *source)) {
        return TreeContent::model;
      }
      start = beginning_of(*source, options.opener);
    } catch (const Error&) {
      continue;  // whatever it is, the comparison will say that it is unread
    }
    if (is_beside_data(file.path, start.layout.format)) continue;
    switch (start.layout.format) {
      case RowFormat::jsonl:
      case RowFormat::json:
      case RowFormat::csv:
        has_rows = true;
        break;
      case RowFormat::text:
        // A folder of templates or code is text too; one text file alone may be
        // anything.
        if ((start.packing == Packing::none && !file.path.ends_with(".txt")) ||
            tree.is_one_file()) {
          has_other_text = true;
        } else {
          has_rows = true;
        }
        break;
      case RowFormat::other:
        break;
    }
  }
  return has_rows && !has_other_text ? TreeContent::dataset
                                     : TreeContent::neither;
}

}  // namespace impound
