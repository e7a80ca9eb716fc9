// SPDX-License-Identifier: Apache-2.0
#include "core/view/model_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/model_items.hpp"
#include "core/formats/safetensors/safetensors.hpp"
#include "core/formats/safetensors/safetensors_index.hpp"
#include "core/view/view_work.hpp"

namespace impound {
namespace {

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{}
                                         : path.substr(0, slash);
}

/// "…/snapshots/<revision>" or "…/snapshots/<revision>/…".
std::string revision_in(std::string_view locator) {
  constexpr std::string_view kMark = "/snapshots/";
  const std::size_t at = locator.rfind(kMark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = locator.substr(at + kMark.size());
  return std::string(rest.substr(0, rest.find('/')));
}

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
                     .format = {},
                     .not_viewed = {},
                     .tree_index = i});
  }
  return files;
}

/// What a shard holds, for check_shards().
Safetensors listing(const FoundTensors& weights) {
  Safetensors list;
  for (const ViewTensor& tensor : weights.tensors) {
    list.tensors.push_back({.name = tensor.name,
                            .dtype = tensor.dtype,
                            .shape = tensor.shape,
                            .offset = tensor.offset,
                            .size = tensor.size});
  }
  return list;
}

/// Names that stand in two files, counted for each pair of files: a folder may
/// hold a whole model in two formats.
void check_doubles(ModelView& view) {
  struct Doubles {
    std::string first;
    std::uint64_t offset = 0;
    std::size_t same = 0;
    std::size_t other = 0;
  };
  std::map<std::pair<std::string, std::string>, Doubles> pairs;
  for (std::size_t i = 1; i < view.tensors.size(); ++i) {
    const ViewTensor& one = view.tensors[i - 1];
    const ViewTensor& two = view.tensors[i];
    if (one.name != two.name || one.file == two.file) continue;
    const bool is_same = same_bytes(one, two) == SameBytes::yes &&
                         one.dtype == two.dtype && one.shape == two.shape;
    Doubles& doubles = pairs[{one.file, two.file}];
    ++(is_same ? doubles.same : doubles.other);
    if (doubles.first.empty() || (!is_same && doubles.other == 1)) {
      doubles.first = two.name;
      doubles.offset = two.offset;
    }
  }
  for (const auto& [files, doubles] : pairs) {
    const std::size_t count = doubles.same + doubles.other;
    view.problems.push_back(
        {files.second,
         {"tensor-in-two-files",
          doubles.other > 0 ? Severity::medium : Severity::low, doubles.offset,
          fmt::format("{}{} also stand{} in {}, {}: loaders disagree on which "
                      "one counts",
                      printable(doubles.first),
                      count > 1 ? fmt::format(" and {} more", count - 1) : "",
                      count > 1 ? "" : "s", printable(files.first),
                      doubles.other == 0 ? std::string("with the same numbers")
                                         : fmt::format("{} with other numbers",
                                                       doubles.other))}});
  }
}

/// What the weights of each file hold, where an index says what they should.
std::vector<Safetensors> listings_of(const std::vector<FileContent>& content) {
  std::vector<Safetensors> listings(content.size());
  const bool has_index = std::ranges::any_of(
      content, [](const FileContent& file) { return file.index.has_value(); });
  for (std::size_t i = 0; has_index && i < content.size(); ++i) {
    if (content[i].weights) listings[i] = listing(*content[i].weights);
  }
  return listings;
}

/// Rules that hold between files: shard indexes, names that stand twice.
void check_together(const std::vector<FileContent>& content,
                    const std::vector<Safetensors>& listings, ModelView& view) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (!content[i].index) continue;
    const std::string_view folder = folder_of(view.files[i].path);
    const bool is_safetensors =
        view.files[i].path.ends_with(".safetensors.index.json");
    std::vector<const Safetensors*> listed;
    std::vector<std::string> names;
    for (std::size_t j = 0; j < content.size(); ++j) {
      if (!content[j].weights || folder_of(view.files[j].path) != folder ||
          (content[j].weights->format == "safetensors") != is_safetensors) {
        continue;
      }
      names.emplace_back(base_name(view.files[j].path));
      listed.push_back(&listings[j]);
    }
    std::vector<Shard> shards;
    for (std::size_t j = 0; j < listed.size(); ++j) {
      shards.push_back({names[j], listed[j]});
    }
    for (const Problem& problem : content[i].index->problems) {
      view.problems.push_back({view.files[i].path, problem});
    }
    for (Problem& problem : check_shards(*content[i].index, shards)) {
      view.problems.push_back({view.files[i].path, std::move(problem)});
    }
  }
  check_doubles(view);
}

}  // namespace

ViewTensor ViewTensor::in_place(TensorInfo info) {
  ViewTensor tensor;
  tensor.name = std::move(info.name);
  tensor.dtype = info.dtype;
  tensor.shape = std::move(info.shape);
  tensor.offset = info.offset;
  tensor.size = info.size;
  return tensor;
}

const ViewMetadata* ModelView::find_metadata(std::string_view key) const {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(),
                   [&](const ViewMetadata& text) { return text.key == key; });
  return found == metadata.end() ? nullptr : &*found;
}

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
  view.is_one_file = tree.is_one_file();
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
  std::vector<FileContent> content =
      read_files(tree, view.files, options, threads, progress, cancellation);

  const std::vector<Safetensors> listings = listings_of(content);
  for (std::size_t i = 0; i < content.size(); ++i) {
    ViewFile& file = view.files[i];
    FileContent& read = content[i];
    file.failure = read.failure;
    if (file.kind == FileKind::regular && file.failure.empty()) {
      file.format = read.format;
      file.not_viewed = read.not_viewed;
    }
    if (!file.failure.empty()) {
      view.problems.push_back(
          {file.path, {"unreadable", Severity::high, 0, file.failure}});
    }
    file.folded = read.folded;
    file.unhashed = read.unhashed;
    if (!file.unhashed.empty()) {
      view.problems.push_back(
          {file.path, {"holes-not-hashed", Severity::low, 0, file.unhashed}});
    }
    if (read.sha256) {
      file.sha256 = read.sha256;
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
    for (ViewMetadata& text : read.weights->metadata) {
      text.file = file.path;
      view.metadata.push_back(std::move(text));
    }
    // Of a model in one file they are as they are.
    std::vector<ViewTensor>& tensors = read.weights->tensors;
    if (view.tensors.empty()) {
      view.tensors = std::move(tensors);
    } else {
      std::ranges::move(tensors, std::back_inserter(view.tensors));
    }
    tensors = {};
  }
  std::stable_sort(view.tensors.begin(), view.tensors.end(),
                   [](const ViewTensor& a, const ViewTensor& b) {
                     return std::tie(a.name, a.file) < std::tie(b.name, b.file);
                   });
  std::stable_sort(view.metadata.begin(), view.metadata.end(),
                   [](const ViewMetadata& a, const ViewMetadata& b) {
                     return std::tie(a.file, a.key) < std::tie(b.file, b.key);
                   });
  check_together(content, listings, view);
  return view;
}

bool has_many_holes(const Tree& tree, const std::string& folder) {
  const std::vector<std::uint64_t> holes =
      holes_of(tree, files_below(tree, folder));
  return std::accumulate(holes.begin(), holes.end(), std::uint64_t{0}) >
         kMaxHashedHoles;
}

std::string model_folder(const Tree& tree) {
  const std::string prefix = std::string(kModelFolder) + "/";
  const bool has_model = std::any_of(
      tree.files().begin(), tree.files().end(), [&](const TreeFile& file) {
        return file.collector == kModelCollector &&
               file.name.starts_with(prefix);
      });
  return has_model ? std::string(kModelFolder) : std::string();
}

}  // namespace impound
