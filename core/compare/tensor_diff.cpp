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
  if (!before.sha256 || !after.sha256) return TensorStatus::unreadable;
  return *before.sha256 == *after.sha256 ? TensorStatus::identical
                                         : TensorStatus::changed;
}

/// Tensors of one name: one in a sound model, several where shards disagree.
using ByName = std::map<std::string_view, std::vector<const ViewTensor*>>;

ByName by_name(const ModelView& view) {
  ByName map;
  for (const ViewTensor& tensor : view.tensors) {
    map[tensor.name].push_back(&tensor);
  }
  return map;
}

TensorChange change_of(const ViewTensor* before, const ViewTensor* after) {
  TensorChange change;
  change.name = after != nullptr ? after->name : before->name;
  if (before != nullptr) change.before = *before;
  if (after != nullptr) change.after = *after;
  change.status = before == nullptr  ? TensorStatus::added
                  : after == nullptr ? TensorStatus::removed
                                     : compare_content(*before, *after);
  return change;
}

/// Pairs the bearers of one name: those in the same file first, then those
/// with the same bytes, then in order.
void pair_up(std::vector<const ViewTensor*> before,
             std::vector<const ViewTensor*> after,
             std::vector<TensorChange>& out) {
  const auto take = [&](auto matches) {
    std::erase_if(before, [&](const ViewTensor* one) {
      const auto twin = std::find_if(
          after.begin(), after.end(),
          [&](const ViewTensor* two) { return matches(*one, *two); });
      if (twin == after.end()) return false;
      out.push_back(change_of(one, *twin));
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
  for (const ViewTensor* one : before) out.push_back(change_of(one, nullptr));
  for (const ViewTensor* two : after) out.push_back(change_of(nullptr, two));
}

/// Status of two tensors whose numbers may stand in different orders.
TensorStatus compare_mapped(const TensorMatch& match) {
  if (match.before->dtype != match.after->dtype) return TensorStatus::retyped;
  if (match.reorder) return TensorStatus::unreadable;
  return compare_content(*match.before, *match.after);
}

/// Joins what was removed and what was added where formats name it differently.
void join_mapped(const ModelView& before, const ModelView& after,
                 std::vector<TensorChange>& changes,
                 const std::vector<const ViewTensor*>& removed,
                 const std::vector<const ViewTensor*>& added) {
  if (removed.empty() && added.empty()) return;
  std::set<std::pair<std::string, std::string>> gone;  // name and file
  std::vector<TensorChange> joined;
  for (const TensorMatch& match : match_names(before, after, removed, added)) {
    TensorChange change = change_of(match.before, match.after);
    change.old_name = match.before->name;
    change.status = compare_mapped(match);
    change.reorder = match.reorder;
    change.is_tied = match.is_tied;
    gone.emplace(match.before->name, match.before->file);
    gone.emplace(match.after->name, match.after->file);
    joined.push_back(std::move(change));
  }
  std::erase_if(changes, [&](const TensorChange& change) {
    if (change.before && change.after) return false;
    const ViewTensor& only = change.before ? *change.before : *change.after;
    return gone.contains({only.name, only.file});
  });
  std::move(joined.begin(), joined.end(), std::back_inserter(changes));
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
  if (before && after) {
    if (before->dtype != after->dtype) {
      json["dtype_before"] = to_string(before->dtype);
    }
    if (before->shape != after->shape) json["shape_before"] = before->shape;
  }
  if (before && before->sha256) json["sha256_before"] = before->sha256->hex();
  if (after && after->sha256) json["sha256_after"] = after->sha256->hex();
  if (!label.empty()) json["label"] = label;
  if (!stats.is_null()) json["stats"] = stats;
  return json;
}

std::vector<TensorChange> diff_tensors(const ModelView& before,
                                       const ModelView& after) {
  const ByName old = by_name(before);
  const ByName now = by_name(after);
  std::vector<TensorChange> changes;
  for (const auto& [name, bearers] : old) {
    const auto twin = now.find(name);
    pair_up(bearers,
            twin == now.end() ? std::vector<const ViewTensor*>{} : twin->second,
            changes);
  }
  for (const auto& [name, bearers] : now) {
    if (!old.contains(name)) pair_up({}, bearers, changes);
  }
  std::vector<const ViewTensor*> removed;
  std::vector<const ViewTensor*> added;
  for (const auto& [name, bearers] : old) {
    if (now.contains(name)) continue;
    removed.insert(removed.end(), bearers.begin(), bearers.end());
  }
  for (const auto& [name, bearers] : now) {
    if (old.contains(name)) continue;
    added.insert(added.end(), bearers.begin(), bearers.end());
  }
  join_mapped(before, after, changes, removed, added);
  std::stable_sort(changes.begin(), changes.end(),
                   [](const TensorChange& a, const TensorChange& b) {
                     return a.name < b.name;
                   });
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
