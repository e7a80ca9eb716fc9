// SPDX-License-Identifier: Apache-2.0
#include "core/compare/model_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/compare/content_digest.hpp"
#include "core/formats/safetensors.hpp"
#include "core/formats/safetensors_index.hpp"

namespace impound {
namespace {

constexpr std::string_view kIndexSuffix = ".safetensors.index.json";

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{}
                                         : path.substr(0, slash);
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// "…/snapshots/<revision>" or "…/snapshots/<revision>/…".
std::string revision_in(std::string_view locator) {
  constexpr std::string_view kMark = "/snapshots/";
  const std::size_t at = locator.rfind(kMark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = locator.substr(at + kMark.size());
  return std::string(rest.substr(0, rest.find('/')));
}

/// What one file contributes; filled by one worker, read after all joined.
struct FileContent {
  std::optional<Safetensors> weights;
  std::optional<ContentDigests> digests;
  std::optional<ShardIndex> index;
  std::string failure;
};

/// Shared by the workers of one view.
class Work {
 public:
  Work(const Tree& tree, const std::vector<ViewFile>& files, unsigned threads,
       Progress& progress, const Cancellation& cancellation)
      : tree_(tree),
        files_(files),
        content_(files.size()),
        threads_(threads),
        progress_(progress),
        cancellation_(cancellation) {
    order_.resize(files.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // Large files first: the last one to end decides how long it takes.
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) {
                       return files[a].size > files[b].size;
                     });
    for (const ViewFile& file : files) {
      if (file.kind == FileKind::regular) total_ += file.size;
    }
  }

  [[nodiscard]] std::vector<FileContent> run() {
    progress_.begin("hash", total_);
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 1; i < threads_; ++i) {
        workers.emplace_back([this] { work(); });
      }
      work();
    }
    if (cancellation_.requested()) {
      progress_.end("stopped");
      throw Error(Errc::io, fmt::format("{}: stopped before every file was "
                                        "read; there is nothing to compare",
                                        tree_.locator()));
    }
    progress_.end(fmt::format("{} files", files_.size()));
    return std::move(content_);
  }

 private:
  void work() {
    for (;;) {
      std::size_t index = 0;
      {
        const std::lock_guard lock(mutex_);
        if (next_ == order_.size() || cancellation_.requested()) return;
        index = order_[next_++];
      }
      if (files_[index].kind != FileKind::regular) continue;
      try {
        read(index);
      } catch (const std::exception& error) {
        content_[index].failure = error.what();
        content_[index].digests.reset();
      }
    }
  }

  void read(std::size_t index) {
    const ViewFile& file = files_[index];
    FileContent& content = content_[index];
    const std::unique_ptr<ByteSource> source =
        tree_.open(tree_.files()[file.tree_index]);
    const Bytes head = source->head(0, 64);
    if (looks_like_safetensors(head, source->size()) ||
        file.path.ends_with(".safetensors")) {
      content.weights = read_safetensors(*source, base_name(file.path));
    } else if (file.path.ends_with(kIndexSuffix) &&
               source->size() <= limits::kMaxJsonDocument) {
      const Bytes text = source->head(0, source->size());
      content.index = parse_shard_index(as_text(text), base_name(file.path));
    }
    static const std::vector<TensorInfo> kNone;
    const auto& tensors = content.weights ? content.weights->tensors : kNone;
    // A file that is more than one core's share would be the last to end.
    const bool is_alone = threads_ > 1 && file.size > total_ / threads_;
    content.digests = digest_content(*source, tensors,
                                     is_alone ? HashLanes::two : HashLanes::one,
                                     [&](std::uint64_t bytes) {
                                       const std::lock_guard lock(mutex_);
                                       done_ += bytes;
                                       progress_.advance(done_, file.path);
                                       return !cancellation_.requested();
                                     });
  }

  const Tree& tree_;
  const std::vector<ViewFile>& files_;
  std::vector<FileContent> content_;
  unsigned threads_;
  Progress& progress_;
  const Cancellation& cancellation_;
  std::vector<std::size_t> order_;
  std::uint64_t total_ = 0;
  std::mutex mutex_;  // next_, done_, progress_
  std::size_t next_ = 0;
  std::uint64_t done_ = 0;
};

std::vector<ViewFile> files_below(const Tree& tree, std::string_view folder) {
  std::vector<ViewFile> files;
  const std::string prefix = folder.empty() ? "" : std::string(folder) + "/";
  for (std::size_t i = 0; i < tree.files().size(); ++i) {
    const TreeFile& file = tree.files()[i];
    if (!file.name.starts_with(prefix) || file.kind == FileKind::directory) {
      continue;
    }
    files.push_back({.path = file.name.substr(prefix.size()),
                     .kind = file.kind,
                     .size = file.size,
                     .mode = file.mode,
                     .link_target = file.link_target,
                     .found_as = file.found_as,
                     .sha256 = std::nullopt,
                     .failure = {},
                     .tree_index = i});
  }
  return files;
}

/// Rules that hold between files: shard indexes, names that stand twice.
void check_together(const std::vector<FileContent>& content, ModelView& view) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (!content[i].index) continue;
    const std::string_view folder = folder_of(view.files[i].path);
    std::vector<Shard> shards;
    for (std::size_t j = 0; j < content.size(); ++j) {
      if (content[j].weights && folder_of(view.files[j].path) == folder) {
        shards.push_back(
            {std::string(base_name(view.files[j].path)), &*content[j].weights});
      }
    }
    for (const Problem& problem : content[i].index->problems) {
      view.problems.push_back({view.files[i].path, problem});
    }
    for (Problem& problem : check_shards(*content[i].index, shards)) {
      view.problems.push_back({view.files[i].path, std::move(problem)});
    }
  }
  for (std::size_t i = 1; i < view.tensors.size(); ++i) {
    const ViewTensor& one = view.tensors[i - 1];
    const ViewTensor& two = view.tensors[i];
    if (one.name == two.name && one.file != two.file) {
      view.problems.push_back(
          {two.file,
           {"tensor-in-two-files", Severity::medium, two.offset,
            fmt::format("{} also stands in {}: loaders disagree on which one "
                        "counts",
                        two.name, one.file)}});
    }
  }
}

}  // namespace

const ViewFile* ModelView::find_file(std::string_view path) const {
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const ViewFile& file, std::string_view p) { return file.path < p; });
  return found != files.end() && found->path == path ? &*found : nullptr;
}

std::unique_ptr<ByteSource> ModelView::open(std::string_view path) const {
  const ViewFile* file = find_file(path);
  if (tree == nullptr || file == nullptr) {
    throw Error(
        Errc::bad_input,
        fmt::format("{}: the bytes of {} are not at hand", locator, path));
  }
  return tree->open(tree->files()[file->tree_index]);
}

ModelView view_tree(const Tree& tree, const ViewOptions& options,
                    Progress& progress, const Cancellation& cancellation) {
  ModelView view;
  view.kind = tree.kind();
  view.locator = tree.locator();
  if (view.kind == "hf-snapshot") view.revision = revision_in(view.locator);
  view.folder = options.folder;
  view.tree = &tree;
  view.files = files_below(tree, options.folder);
  for (const std::string& problem : tree.problems()) {
    view.problems.push_back(
        {"", {"tree-incomplete", Severity::medium, 0, problem}});
  }

  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned threads = options.threads == 0 ? cores : options.threads;
  Work work(tree, view.files, threads, progress, cancellation);
  const std::vector<FileContent> content = work.run();

  for (std::size_t i = 0; i < content.size(); ++i) {
    ViewFile& file = view.files[i];
    const FileContent& read = content[i];
    file.failure = read.failure;
    if (!file.failure.empty()) {
      view.problems.push_back(
          {file.path, {"unreadable", Severity::high, 0, file.failure}});
    }
    if (read.digests) {
      file.sha256 = read.digests->file;
      const std::optional<Digest>& known = tree.files()[file.tree_index].sha256;
      if (known && *known != *file.sha256) {
        view.problems.push_back(
            {file.path,
             {"exhibit-digest", Severity::critical, 0,
              fmt::format("the exhibit's manifest says {}, its bytes have {}",
                          known->hex(), file.sha256->hex())}});
      }
    }
    if (!read.weights) continue;
    for (const Problem& problem : read.weights->problems) {
      view.problems.push_back({file.path, problem});
    }
    for (const auto& [key, value] : read.weights->metadata) {
      view.metadata.push_back({file.path, key, value});
    }
    for (std::size_t t = 0; t < read.weights->tensors.size(); ++t) {
      const TensorInfo& tensor = read.weights->tensors[t];
      view.tensors.push_back(
          {.name = tensor.name,
           .file = file.path,
           .dtype = tensor.dtype,
           .shape = tensor.shape,
           .offset = tensor.offset,
           .size = tensor.size,
           .sha256 = read.digests ? read.digests->tensors[t] : std::nullopt});
    }
  }
  std::stable_sort(view.tensors.begin(), view.tensors.end(),
                   [](const ViewTensor& a, const ViewTensor& b) {
                     return std::tie(a.name, a.file) < std::tie(b.name, b.file);
                   });
  std::stable_sort(view.metadata.begin(), view.metadata.end(),
                   [](const ViewMetadata& a, const ViewMetadata& b) {
                     return std::tie(a.file, a.key) < std::tie(b.file, b.key);
                   });
  check_together(content, view);
  return view;
}

std::string model_folder(const Tree& tree) {
  std::map<std::ptrdiff_t, std::set<std::string>> by_depth;
  for (const TreeFile& file : tree.files()) {
    if (file.kind != FileKind::regular) continue;
    const std::string_view name = base_name(file.name);
    const bool marks = name == "config.json" || name.ends_with(kIndexSuffix) ||
                       name.ends_with(".safetensors") ||
                       name.ends_with(".gguf") || name == "pytorch_model.bin" ||
                       name == "adapter_config.json";
    if (!marks) continue;
    by_depth[std::count(file.name.begin(), file.name.end(), '/')].insert(
        std::string(folder_of(file.name)));
  }
  if (by_depth.empty() || by_depth.begin()->second.size() != 1) return {};
  return *by_depth.begin()->second.begin();
}

}  // namespace impound
