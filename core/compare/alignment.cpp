// SPDX-License-Identifier: Apache-2.0
#include "core/compare/alignment.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "core/base/text.hpp"
#include "core/evidence/model_items.hpp"
#include "core/view/name_map.hpp"

namespace impound {
namespace {

bool has_tensors(const ModelView& model, std::string_view file) {
  return std::any_of(
      model.tensors.begin(), model.tensors.end(),
      [&](const ViewTensor& tensor) { return tensor.file == file; });
}

/// The name that a file had when it was found: "/proc/7/fd/3 ->
/// /srv/m/config.json (deleted)" → "config.json".
std::string_view name_when_found(const ViewFile& file) {
  constexpr std::string_view kArrow = " -> ";
  constexpr std::string_view kDeleted = " (deleted)";
  std::string_view found = file.found_as;
  const std::size_t arrow = found.find(kArrow);
  if (arrow == std::string_view::npos) return {};
  found.remove_prefix(arrow + kArrow.size());
  if (found.ends_with(kDeleted)) found.remove_suffix(kDeleted.size());
  return base_name(found);
}

/// How much of the one file a file of the model holds.
struct Cover {
  std::set<std::size_t> tensors;  ///< indexes into the one file's
  std::size_t same_bytes = 0;
};

/// By file of the model, which tensors of `one` it has a namesake of.
std::map<std::string, Cover> covers_of(const ModelView& model,
                                       const ModelView& one) {
  std::map<std::string_view, std::size_t> number;  // the first of a name
  for (std::size_t i = 0; i < one.tensors.size(); ++i) {
    number.emplace(one.tensors[i].name, i);
  }
  std::map<std::string, Cover> covers;
  const auto add = [&](const ViewTensor& theirs, std::size_t ours) {
    Cover& cover = covers[theirs.file];
    cover.tensors.insert(ours);
    if (same_bytes(one.tensors[ours], theirs) == SameBytes::yes) {
      ++cover.same_bytes;
    }
  };
  std::set<std::string_view> theirs;
  std::vector<const ViewTensor*> left_theirs;
  for (const ViewTensor& tensor : model.tensors) {
    theirs.insert(tensor.name);
    if (const auto ours = number.find(tensor.name); ours != number.end()) {
      add(tensor, ours->second);
    } else {
      left_theirs.push_back(&tensor);
    }
  }
  std::vector<const ViewTensor*> left_ours;
  for (const ViewTensor& tensor : one.tensors) {
    if (!theirs.contains(tensor.name)) left_ours.push_back(&tensor);
  }
  for (const TensorMatch& match :
       match_names(model, one, left_theirs, left_ours)) {
    if (const auto ours = number.find(match.after->name);
        ours != number.end()) {
      add(*match.before, ours->second);
    }
  }
  return covers;
}

/// The fewest files that hold its tensors, the one that holds most first. Where
/// two hold as many (a model that lies there in two formats), the one with the
/// same bytes in them.
std::vector<std::string> files_by_names(const ModelView& model,
                                        const ModelView& one) {
  std::map<std::string, Cover> covers = covers_of(model, one);
  std::set<std::size_t> open;
  for (const auto& [file, cover] : covers) {
    open.insert(cover.tensors.begin(), cover.tensors.end());
  }
  const std::string_view name = base_name(one.files.front().path);
  std::vector<std::string> files;
  while (!open.empty()) {
    const auto worth = [&](const auto& entry) {
      const auto fresh = static_cast<std::size_t>(std::count_if(
          entry.second.tensors.begin(), entry.second.tensors.end(),
          [&](std::size_t tensor) { return open.contains(tensor); }));
      return std::tuple(fresh, entry.second.same_bytes,
                        base_name(entry.first) == name);
    };
    const auto best = std::max_element(
        covers.begin(), covers.end(),
        [&](const auto& a, const auto& b) { return worth(a) < worth(b); });
    files.push_back(best->first);
    for (const std::size_t tensor : best->second.tensors) open.erase(tensor);
    covers.erase(best);
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Types and shapes, in any order.
std::multiset<std::string> shapes_of(const ModelView& view,
                                     std::string_view file) {
  std::multiset<std::string> shapes;
  for (const ViewTensor& tensor : view.tensors) {
    if (tensor.file != file) continue;
    shapes.insert(std::string(to_string(tensor.dtype)) +
                  shape_text(tensor.shape));
  }
  return shapes;
}

std::vector<std::string> file_by_shapes(const ModelView& model,
                                        const ModelView& one) {
  const auto wanted = shapes_of(one, one.files.front().path);
  std::vector<std::string> found;
  for (const ViewFile& file : model.files) {
    if (has_tensors(model, file.path) && shapes_of(model, file.path) == wanted)
      found.push_back(file.path);
  }
  if (found.size() != 1) found.clear();
  return found;
}

std::vector<std::string> file_by_bytes(const ModelView& model,
                                       const ViewFile& one) {
  std::vector<std::string> found;
  // Empty files are all alike and say nothing.
  if (one.size == 0) return found;
  for (const ViewFile& file : model.files) {
    if (same_bytes(file, one) == SameBytes::yes) found.push_back(file.path);
  }
  if (found.size() > 1) {
    const auto namesake =
        std::find_if(found.begin(), found.end(), [&](const std::string& path) {
          return path == one.path || base_name(path) == name_when_found(one);
        });
    found = {namesake == found.end() ? found.front() : *namesake};
  }
  return found;
}

std::vector<std::string> file_by_record(const ModelView& model,
                                        const ModelView& one) {
  const ViewFile& file = one.files.front();
  const std::string_view was = name_when_found(file);
  const bool is_model_item = one.folder == kModelFolder;
  const bool one_has_tensors = has_tensors(one, file.path);
  std::vector<std::string> found;
  for (const ViewFile& each : model.files) {
    const bool is_it = is_model_item
                           ? each.path == file.path
                           : !was.empty() && base_name(each.path) == was;
    if (!is_it) continue;
    if (one_has_tensors && has_tensors(model, each.path)) continue;
    found.push_back(each.path);
  }
  if (found.size() != 1) found.clear();
  return found;
}

}  // namespace

std::string_view to_string(AlignedBy how) noexcept {
  switch (how) {
    case AlignedBy::nothing:
      return "nothing";
    case AlignedBy::bytes:
      return "the same bytes";
    case AlignedBy::tensor_names:
      return "the names of its tensors";
    case AlignedBy::tensor_shapes:
      return "the types and shapes of its tensors";
    case AlignedBy::only_file:
      return "being the only file";
    case AlignedBy::recorded_path:
      return "the path that its record gives";
  }
  return "nothing";
}

Alignment align_one_file(const ModelView& model, const ModelView& one) {
  const auto aligned = [](AlignedBy how, std::vector<std::string> files) {
    return Alignment{.how = how, .files = std::move(files)};
  };
  const ViewFile& file = one.files.front();
  if (auto files = file_by_bytes(model, file); !files.empty()) {
    return aligned(AlignedBy::bytes, std::move(files));
  }
  if (!one.tensors.empty()) {
    if (auto files = files_by_names(model, one); !files.empty()) {
      return aligned(AlignedBy::tensor_names, std::move(files));
    }
    if (auto files = file_by_shapes(model, one); !files.empty()) {
      return aligned(AlignedBy::tensor_shapes, std::move(files));
    }
  }
  const auto has_the_same_kind = [&] {
    if (model.files.size() != 1) return false;
    const std::optional<Format>& format = model.files.front().format;
    // A baseline of before formats were recorded: tensors, or none.
    return format ? format == file.format
                  : model.tensors.empty() == one.tensors.empty();
  };
  if (has_the_same_kind()) {
    return aligned(AlignedBy::only_file, {model.files.front().path});
  }
  if (auto files = file_by_record(model, one); !files.empty()) {
    return aligned(AlignedBy::recorded_path, std::move(files));
  }
  return {};
}

}  // namespace impound
