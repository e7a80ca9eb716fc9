// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/served_tie.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// llama.cpp unmaps the header of a file that it serves from its mapping (its
/// vocabulary, some per cent of a small model); less than this is not "mapped".
constexpr std::uint64_t kMappedTenths = 9;

/// Memory without a file that a runtime and its caches take anyway; from here
/// on, and from the size of the weights on, it may hold a copy of them.
constexpr std::uint64_t kCopyBytes = limits::kGiB;

constexpr std::size_t kMostInSentence = 3;

bool is_mapped(const NamedWeights& weights) {
  return weights.mapped_bytes != 0 &&
         weights.mapped_bytes >= weights.size / 10 * kMappedTenths;
}

std::uint64_t weights_bytes(const ServedModel& model) {
  std::uint64_t sum = 0;
  for (const NamedWeights& one : model.weights) sum += one.size;
  return sum;
}

bool may_hold_copy(const ServedModel& model) {
  return model.fileless_bytes >= std::max(weights_bytes(model), kCopyBytes);
}

std::string join(const std::vector<std::string>& parts,
                 std::string_view between) {
  std::string text;
  for (std::size_t i = 0; i < parts.size() && i < kMostInSentence; ++i) {
    text += (i == 0 ? "" : std::string(between)) + parts[i];
  }
  if (parts.size() > kMostInSentence) {
    text += fmt::format(" and {} more", parts.size() - kMostInSentence);
  }
  return text;
}

std::string pids_text(const std::vector<Pid>& pids) {
  std::vector<std::string> names;
  for (const Pid pid : pids) names.push_back(std::to_string(pid));
  return (pids.size() == 1 ? "process " : "processes ") + join(names, ", ");
}

std::string held_words(const ServedFile& file) {
  const bool is_mapped = file.is_mapped_private || file.is_mapped_shared;
  if (file.is_open && is_mapped) return "open and mapped";
  return is_mapped ? "mapped" : "open";
}

std::string in_words(const ServedFile& file) {
  const std::string_view what =
      file.relation == FileRelation::deleted
          ? ", which has no name any more (its path is another file now, or "
            "nothing)"
          : "";
  return fmt::format(
      "{}{}: device {}, inode {}, {} by {}{}", printable(file.path), what,
      device_text(file.identity.first), file.identity.second, held_words(file),
      pids_text(file.pids),
      file.seen_in.empty() ? "" : " when " + file.seen_in + " was taken");
}

std::string sentence_of_untied(const ServedModel& model) {
  std::vector<std::string> reasons;
  if (model.weights.empty()) {
    reasons.push_back("no weights were recognised below " +
                      printable(model.model_path.native()));
  }
  if (!model.accelerators.empty()) {
    reasons.push_back(join(model.accelerators, ", ") +
                      " is held, and what lies on an accelerator was not "
                      "compared");
  }
  for (const NamedWeights& weights : model.weights) {
    const std::string path = printable(weights.path.native());
    if (weights.mapped_bytes == 0 && weights.size != 0) {
      reasons.push_back("no process maps " + path +
                        ", so that what is computed with is a copy in memory "
                        "that belongs to no file, or something else");
    } else if (!is_mapped(weights)) {
      reasons.push_back(fmt::format("only {} of the {} of {} are mapped",
                                    human_bytes(weights.mapped_bytes),
                                    human_bytes(weights.size), path));
    }
  }
  if (may_hold_copy(model)) {
    reasons.push_back(
        fmt::format("{} of memory belong to no file, which is "
                    "enough for a copy of the weights",
                    human_bytes(model.fileless_bytes)));
  }
  return fmt::format(
      "What is computed with by {} could not be tied to the "
      "files that the descriptor names: {}.",
      pids_text(model.pids), join(reasons, "; "));
}

std::string sentence_of_others(const ServedModel& model) {
  std::vector<std::string> others;
  for (const ServedFile& file : model.files) {
    if (model.is_other(file)) others.push_back(in_words(file));
  }
  return fmt::format(
      "Weights are held that are no file below {}, which the "
      "descriptor names: {}.",
      printable(model.model_path.native()), join(others, "; "));
}

std::string sentence_of_changed(const ServedModel& model) {
  std::vector<std::string> changed;
  for (const ServedFile& file : model.files) {
    if (!file.is_weights || file.changed_bytes == 0) continue;
    changed.push_back(fmt::format("{} of {} by {}",
                                  human_bytes(file.changed_bytes),
                                  printable(file.path), pids_text(file.pids)));
  }
  return fmt::format(
      "The mapping of weights was written to in memory only: "
      "{}. What is computed with is not what the file holds.",
      join(changed, "; "));
}

std::string sentence_of_tied(const ServedModel& model) {
  std::set<Pid> mapping;  // who maps them: a supervisor need not
  for (const ServedFile& file : model.files) {
    if (file.is_weights && file.mapped_bytes != 0) {
      mapping.insert(file.pids.begin(), file.pids.end());
    }
  }
  return fmt::format(
      "Every weights file that the descriptor names ({}, {}) is mapped by {}, "
      "device and inode are the same, and no other is held; at most {} of "
      "memory belong to no file and were not compared.",
      model.weights.size() == 1 ? "1 file"
                                : fmt::format("{} files", model.weights.size()),
      human_bytes(weights_bytes(model)),
      pids_text({mapping.begin(), mapping.end()}),
      human_bytes(model.fileless_bytes));
}
}  // namespace

std::string_view to_string(FileRelation relation) noexcept {
  switch (relation) {
    case FileRelation::named:
      return "named";
    case FileRelation::deleted:
      return "deleted";
    case FileRelation::elsewhere:
      return "elsewhere";
  }
  return "elsewhere";
}

std::optional<FileRelation> file_relation_from(std::string_view name) noexcept {
  for (const FileRelation one :
       {FileRelation::named, FileRelation::deleted, FileRelation::elsewhere}) {
    if (name == to_string(one)) return one;
  }
  return std::nullopt;
}

std::string_view to_string(ServedTie tie) noexcept {
  switch (tie) {
    case ServedTie::other_file:
      return "other_file";
    case ServedTie::modified_mapping:
      return "modified_mapping";
    case ServedTie::unknown:
      return "unknown";
    case ServedTie::untied:
      return "untied";
    case ServedTie::tied:
      return "tied";
  }
  return "unknown";
}

Json ServedFile::to_json() const {
  Json json;
  json["path"] = lossless_utf8(path);
  json["relation"] = to_string(relation);
  json["weights"] = is_weights;
  json["device"] = device_text(identity.first);
  json["inode"] = identity.second;
  json["size"] = size;
  json["pids"] = pids;
  json["held"] = held_words(*this);
  json["mapped_bytes"] = mapped_bytes;
  json["changed_bytes"] = changed_bytes;
  if (is_found_by_path) json["found_by_path"] = true;
  if (!seen_in.empty()) json["seen_in"] = seen_in;
  return json;
}

Json ServedFile::to_notes() const {
  return {{"path", lossless_utf8(path)},
          {"relation", to_string(relation)},
          {"weights", is_weights},
          {"pids", pids},
          {"held", held_words(*this)},
          {"open", is_open},
          {"mapped_private", is_mapped_private},
          {"mapped_shared", is_mapped_shared}};
}

std::optional<ServedFile> ServedFile::from_notes(const Json& notes) {
  const auto served = notes.find("served");
  const auto identity = identity_from_notes(notes);
  if (served == notes.end() || !served->is_object() || !identity) {
    return std::nullopt;
  }
  const auto relation = file_relation_from(text_or(*served, "relation", ""));
  if (!relation) return std::nullopt;
  ServedFile file;
  file.path = from_lossless_utf8(text_or(*served, "path", ""));
  file.identity = *identity;
  file.relation = *relation;
  const auto is_set = [&](const char* key) {
    const auto value = served->find(key);
    return value != served->end() && *value == Json(true);
  };
  file.is_weights = is_set("weights");
  file.is_open = is_set("open");
  file.is_mapped_private = is_set("mapped_private");
  file.is_mapped_shared = is_set("mapped_shared");
  if (const auto pids = served->find("pids");
      pids != served->end() && pids->is_array()) {
    for (const Json& pid : *pids) {
      if (pid.is_number_integer()) file.pids.push_back(pid.get<Pid>());
    }
  }
  return file;
}

bool ServedModel::is_other(const ServedFile& file) const {
  if (!file.is_weights || model_path.empty()) return false;
  // Without a list of what the descriptor names, a file with a name may be one
  // of it; one without a name is none in any case.
  return file.relation == FileRelation::deleted ||
         (file.relation == FileRelation::elsewhere && are_names_known);
}

ServedTie ServedModel::tie() const {
  if (std::ranges::any_of(
          files, [&](const ServedFile& file) { return is_other(file); })) {
    return ServedTie::other_file;
  }
  if (std::ranges::any_of(files, [](const ServedFile& file) {
        return file.is_weights && file.changed_bytes != 0;
      })) {
    return ServedTie::modified_mapping;
  }
  if (!unknowns.empty()) return ServedTie::unknown;
  if (weights.empty() || !accelerators.empty() || may_hold_copy(*this) ||
      !std::ranges::all_of(weights, is_mapped)) {
    return ServedTie::untied;
  }
  return ServedTie::tied;
}

std::string ServedModel::sentence() const {
  switch (tie()) {
    case ServedTie::other_file:
      return sentence_of_others(*this);
    case ServedTie::modified_mapping:
      return sentence_of_changed(*this);
    case ServedTie::unknown:
      return "What is served is unknown: " + join(unknowns, "; ") + ".";
    case ServedTie::untied:
      return sentence_of_untied(*this);
    case ServedTie::tied:
      return sentence_of_tied(*this);
  }
  return {};
}

Json ServedModel::to_json() const {
  Json json;
  json["tie"] = to_string(tie());
  json["sentence"] = lossless_utf8(sentence());
  json["located_by"] = located_by;
  json["pids"] = pids;
  json["model_path"] = lossless_utf8(model_path.native());
  json["weights"] = Json::array();
  for (const NamedWeights& one : weights) {
    json["weights"].push_back({{"path", lossless_utf8(one.path.native())},
                               {"device", device_text(one.identity.first)},
                               {"inode", one.identity.second},
                               {"size", one.size},
                               {"mapped_bytes", one.mapped_bytes}});
  }
  json["files"] = Json::array();
  for (const ServedFile& one : files) {
    json["files"].push_back(one.to_json());
    json["files"].back()["other"] = is_other(one);
  }
  json["accelerators"] = accelerators;
  json["fileless_bytes"] = fileless_bytes;
  json["unknowns"] = unknowns;
  return json;
}

}  // namespace impound
