// SPDX-License-Identifier: Apache-2.0
#include "core/compare/tensor_diff.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.hpp"

namespace impound {
namespace {

TensorStatus compare_content(const ViewTensor& before,
                             const ViewTensor& after) {
  if (before.dtype != after.dtype) return TensorStatus::retyped;
  if (before.shape != after.shape) return TensorStatus::reshaped;
  switch (same_bytes(before, after)) {
    case SameBytes::yes:
      return TensorStatus::identical;
    case SameBytes::no:
      return TensorStatus::changed;
    case SameBytes::unknown:
      break;
  }
  return TensorStatus::unreadable;
}

/// Two tensors that are held against each other, or one that has no twin.
struct Pair {
  const ViewTensor* before = nullptr;
  const ViewTensor* after = nullptr;
  TensorStatus status = TensorStatus::identical;
  bool is_mapped = false;  ///< by the names of other formats
  std::optional<TensorReorder> reorder = {};
  bool is_tied = false;

  [[nodiscard]] const std::string& name() const {
    return after != nullptr ? after->name : before->name;
  }
};

Pair pair_of(const ViewTensor* before, const ViewTensor* after) {
  return {.before = before,
          .after = after,
          .status = before == nullptr  ? TensorStatus::added
                    : after == nullptr ? TensorStatus::removed
                                       : compare_content(*before, *after)};
}

using Tensors = std::vector<const ViewTensor*>;

/// By name, those of one name in their order.
Tensors by_name(const ModelView& view) {
  Tensors sorted;
  sorted.reserve(view.tensors.size());
  for (const ViewTensor& tensor : view.tensors) sorted.push_back(&tensor);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ViewTensor* a, const ViewTensor* b) {
                     return a->name < b->name;
                   });
  return sorted;
}

/// Pairs the bearers of one name: those in the same file first, then those
/// with the same bytes, then in order.
void pair_up(Tensors before, Tensors after, std::vector<Pair>& out) {
  const auto take = [&](auto matches) {
    std::erase_if(before, [&](const ViewTensor* one) {
      const auto twin = std::find_if(
          after.begin(), after.end(),
          [&](const ViewTensor* two) { return matches(*one, *two); });
      if (twin == after.end()) return false;
      out.push_back(pair_of(one, *twin));
      after.erase(twin);
      return true;
    });
  };
  if (before.size() > 1 || after.size() > 1) {
    take([](const ViewTensor& a, const ViewTensor& b) {
      return a.file == b.file;
    });
    take([](const ViewTensor& a, const ViewTensor& b) {
      return compare_content(a, b) == TensorStatus::identical;
    });
  }
  take([](const ViewTensor&, const ViewTensor&) { return true; });
  for (const ViewTensor* one : before) out.push_back(pair_of(one, nullptr));
  for (const ViewTensor* two : after) out.push_back(pair_of(nullptr, two));
}

/// Status of two tensors whose numbers may stand in different orders.
TensorStatus compare_mapped(const TensorMatch& match) {
  if (match.before->dtype != match.after->dtype) return TensorStatus::retyped;
  if (match.reorder) return TensorStatus::unreadable;
  return compare_content(*match.before, *match.after);
}

/// Joins what was removed and what was added where formats name it differently.
void join_mapped(const ModelView& before, const ModelView& after,
                 std::vector<Pair>& pairs, const Tensors& removed,
                 const Tensors& added) {
  if (removed.empty() && added.empty()) return;
  std::set<std::pair<std::string, std::string>> gone;  // name and file
  std::vector<Pair> joined;
  for (const TensorMatch& match : match_names(before, after, removed, added)) {
    Pair pair = pair_of(match.before, match.after);
    pair.is_mapped = true;
    pair.status = compare_mapped(match);
    pair.reorder = match.reorder;
    pair.is_tied = match.is_tied;
    gone.emplace(match.before->name, match.before->file);
    gone.emplace(match.after->name, match.after->file);
    joined.push_back(pair);
  }
  std::erase_if(pairs, [&](const Pair& pair) {
    if (pair.before != nullptr && pair.after != nullptr) return false;
    const ViewTensor& only =
        pair.before != nullptr ? *pair.before : *pair.after;
    return gone.contains({only.name, only.file});
  });
  pairs.insert(pairs.end(), joined.begin(), joined.end());
}

/// Every tensor of both sides, sorted by name.
std::vector<Pair> pair_tensors(const ModelView& before,
                               const ModelView& after) {
  const Tensors old = by_name(before);
  const Tensors now = by_name(after);
  std::vector<Pair> pairs;
  pairs.reserve(std::max(old.size(), now.size()));
  Tensors removed;
  Tensors added;
  // Both sides in step: the bearers of the least name of the two.
  auto a = old.begin();
  auto b = now.begin();
  while (a != old.end() || b != now.end()) {
    const bool is_old =
        b == now.end() || (a != old.end() && (*a)->name < (*b)->name);
    const std::string& name = is_old ? (*a)->name : (*b)->name;
    const auto is_other = [&](const ViewTensor* one) {
      return one->name != name;
    };
    const auto a_end = std::find_if(a, old.end(), is_other);
    const auto b_end = std::find_if(b, now.end(), is_other);
    if (b == b_end) removed.insert(removed.end(), a, a_end);
    if (a == a_end) added.insert(added.end(), b, b_end);
    pair_up({a, a_end}, {b, b_end}, pairs);
    a = a_end;
    b = b_end;
  }
  join_mapped(before, after, pairs, removed, added);
  std::stable_sort(
      pairs.begin(), pairs.end(),
      [](const Pair& x, const Pair& y) { return x.name() < y.name(); });
  return pairs;
}

/// The change that a pair is, with its tensors from `tensor_of`.
template <typename TensorOf>
TensorChange change_of(const Pair& pair, TensorOf tensor_of) {
  TensorChange change;
  change.name = pair.name();
  if (pair.is_mapped) change.old_name = pair.before->name;
  change.status = pair.status;
  change.reorder = pair.reorder;
  change.is_tied = pair.is_tied;
  if (pair.before != nullptr) change.before = tensor_of(pair.before);
  if (pair.after != nullptr) change.after = tensor_of(pair.after);
  return change;
}

using Texts = std::map<std::string, const ViewMetadata*>;

/// By key, of one file or of all where `file` is empty.
Texts texts_of(const ModelView& view, std::string_view file) {
  Texts texts;
  for (const ViewMetadata& entry : view.metadata) {
    if (file.empty() || entry.file == file) texts.emplace(entry.key, &entry);
  }
  return texts;
}

MetadataChange text_change(const ViewMetadata* before,
                           const ViewMetadata* after) {
  MetadataChange change;
  change.file = after != nullptr ? after->file : before->file;
  change.key = after != nullptr ? after->key : before->key;
  if (before != nullptr) {
    change.before = before->value;
    change.type_before = before->type;
  }
  if (after != nullptr) {
    change.after = after->value;
    change.type_after = after->type;
  }
  return change;
}

void diff_texts(const Texts& before, const Texts& after,
                std::vector<MetadataChange>& out) {
  for (const auto& [key, old] : before) {
    const auto now = after.find(key);
    if (now == after.end()) {
      out.push_back(text_change(old, nullptr));
    } else if (now->second->value != old->value ||
               now->second->type != old->type) {
      out.push_back(text_change(old, now->second));
    }
  }
  for (const auto& [key, now] : after) {
    if (!before.contains(key)) out.push_back(text_change(nullptr, now));
  }
}

}  // namespace

std::string_view to_string(TensorStatus status) noexcept {
  switch (status) {
    case TensorStatus::identical:
      return "identical";
    case TensorStatus::changed:
      return "changed";
    case TensorStatus::reshaped:
      return "reshaped";
    case TensorStatus::retyped:
      return "retyped";
    case TensorStatus::added:
      return "added";
    case TensorStatus::removed:
      return "removed";
    case TensorStatus::unreadable:
      return "unreadable";
    case TensorStatus::not_compared:
      return "not_compared";
  }
  return "unreadable";
}

Json TensorChange::to_json() const {
  const ViewTensor& shown = after ? *after : *before;
  Json json = {{"name", lossless_utf8(name)},
               {"status", to_string(status)},
               {"dtype", to_string(shown.dtype)},
               {"shape", shown.shape},
               {"file", lossless_utf8(shown.file)}};
  if (!old_name.empty()) json["from"] = lossless_utf8(old_name);
  if (reorder) json["order"] = reorder->words();
  if (is_tied) json["tied"] = true;
  if (part_of) json["part_of"] = lossless_utf8(*part_of);
  if (before && after) {
    if (before->dtype != after->dtype) {
      json["dtype_before"] = to_string(before->dtype);
    }
    if (before->shape != after->shape) json["shape_before"] = before->shape;
  }
  if (before && before->sha256) json["sha256_before"] = before->sha256->hex();
  if (after && after->sha256) json["sha256_after"] = after->sha256->hex();
  if (before && before->folded) {
    json["folded_sha256_before"] = before->folded->hex();
  }
  if (after && after->folded) {
    json["folded_sha256_after"] = after->folded->hex();
  }
  if (label != TensorLabel::none) json["label"] = to_string(label);
  if (!stats.is_null()) json["stats"] = stats;
  return json;
}

std::vector<TensorChange> diff_tensors(const ModelView& before,
                                       const ModelView& after) {
  const std::vector<Pair> pairs = pair_tensors(before, after);
  std::vector<TensorChange> changes;
  changes.reserve(pairs.size());
  for (const Pair& pair : pairs) {
    changes.push_back(
        change_of(pair, [](const ViewTensor* one) { return *one; }));
  }
  return changes;
}

std::vector<TensorChange> take_tensors_diff(ModelView& before,
                                            ModelView& after) {
  const std::vector<Pair> pairs = pair_tensors(before, after);
  std::vector<TensorChange> changes(pairs.size());
  // An embedding that an output matrix is held against has a twin of its own as
  // well: it is copied before it is moved.
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i].is_tied) continue;
    changes[i] =
        change_of(pairs[i], [](const ViewTensor* one) { return *one; });
  }
  // A pair only looks at its tensors; these are of views that may be changed.
  const auto moved = [](const ViewTensor* one) {
    return std::move(const_cast<ViewTensor&>(*one));
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!pairs[i].is_tied) changes[i] = change_of(pairs[i], moved);
  }
  for (ModelView* view : {&before, &after}) {
    view->tensors.clear();
    view->tensors.shrink_to_fit();
  }
  return changes;
}

Json MetadataChange::to_json() const {
  Json json = {{"file", lossless_utf8(file)},
               {"key", lossless_utf8(key)},
               {"status", !before  ? "added"
                          : !after ? "removed"
                                   : "changed"}};
  if (before) json["before"] = lossless_utf8(*before);
  if (after) json["after"] = lossless_utf8(*after);
  if (!type_before.empty()) json["type_before"] = type_before;
  if (!type_after.empty()) json["type_after"] = type_after;
  if (!content.is_null()) json["content"] = content;
  return json;
}

std::vector<MetadataChange> diff_metadata(const ModelView& before,
                                          const ModelView& after) {
  std::set<std::string> old_files;
  std::set<std::string> new_files;
  for (const ViewMetadata& entry : before.metadata)
    old_files.insert(entry.file);
  for (const ViewMetadata& entry : after.metadata) new_files.insert(entry.file);
  const auto has = [](const ModelView& view, const std::string& file) {
    return view.find_file(file) != nullptr;
  };
  const bool same_layout =
      std::all_of(old_files.begin(), old_files.end(),
                  [&](const std::string& f) { return has(after, f); }) &&
      std::all_of(new_files.begin(), new_files.end(),
                  [&](const std::string& f) { return has(before, f); });
  std::vector<MetadataChange> changes;
  if (!same_layout) {
    diff_texts(texts_of(before, ""), texts_of(after, ""), changes);
    return changes;
  }
  old_files.merge(new_files);
  for (const std::string& file : old_files) {
    diff_texts(texts_of(before, file), texts_of(after, file), changes);
  }
  return changes;
}

}  // namespace impound
