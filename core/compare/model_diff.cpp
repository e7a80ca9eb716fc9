// SPDX-License-Identifier: Apache-2.0
#include "core/compare/model_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/base/text.hpp"
#include "core/compare/meaning/text_changes.hpp"

namespace impound {
namespace {

DiffSide side_of(const ModelView& view) {
  DiffSide side;
  side.kind = view.kind;
  side.locator = view.locator;
  side.revision = view.revision;
  side.problems = view.problems;
  std::set<std::string_view> with_tensors;
  for (const ViewTensor& tensor : view.tensors) {
    with_tensors.insert(tensor.file);
  }
  for (const ViewFile& file : view.files) {
    if (file.kind != FileKind::regular || !file.failure.empty()) continue;
    // A baseline of before formats were recorded knows less, and says so.
    const bool is_unrecorded =
        !file.format && !with_tensors.contains(file.path);
    if (file.not_viewed.empty() && !is_unrecorded) continue;
    side.not_viewed.push_back(
        {.path = file.path,
         .format = file.format.value_or(Format::unknown),
         .why = is_unrecorded
                    ? "the baseline does not record what kind of file it is"
                    : file.not_viewed});
  }
  return side;
}

Json side_json(const DiffSide& side) {
  Json json = {{"kind", side.kind}, {"locator", lossless_utf8(side.locator)}};
  if (!side.revision.empty()) json["revision"] = side.revision;
  Json problems = Json::array();
  for (const ViewProblem& each : side.problems) {
    problems.push_back({{"file", lossless_utf8(each.file)},
                        {"rule", each.problem.rule},
                        {"severity", to_string(each.problem.severity)},
                        {"offset", each.problem.offset},
                        {"message", lossless_utf8(each.problem.message)}});
  }
  json["problems"] = std::move(problems);
  Json not_viewed = Json::array();
  for (const DiffSide::NotViewed& each : side.not_viewed) {
    not_viewed.push_back({{"path", lossless_utf8(each.path)},
                          {"format", to_string(each.format)},
                          {"why", lossless_utf8(each.why)}});
  }
  json["not_viewed"] = std::move(not_viewed);
  return json;
}

/// "12 identical, 1 changed": in the order of the enum.
template <typename Changes>
std::string count_text(const Changes& changes) {
  std::map<decltype(changes.front().status), std::size_t> counts;
  for (const auto& change : changes) ++counts[change.status];
  std::string text;
  for (const auto& [status, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count,
                        to_string(status));
  }
  return text.empty() ? "none" : text;
}

std::string file_detail(const FileChange& change) {
  if (change.status == FileStatus::renamed) {
    return "was " + printable(change.old_path);
  }
  std::string text;
  if (change.before && change.after) {
    text = change.before->size == change.after->size
               ? human_bytes(change.after->size)
               : fmt::format("{} → {}", human_bytes(change.before->size),
                             human_bytes(change.after->size));
  } else {
    text = human_bytes((change.after ? *change.after : *change.before).size);
  }
  if (!change.old_path.empty()) text += ", was " + printable(change.old_path);
  if (!change.why.empty()) text += "; " + change.why;
  if (change.mode_changed()) {
    text += fmt::format(", mode {:04o} → {:04o}", change.before->mode,
                        change.after->mode);
  }
  return text;
}

std::string tensor_detail(const TensorChange& change) {
  const auto describe = [](const ViewTensor& tensor) {
    return fmt::format("{} {}", to_string(tensor.dtype),
                       shape_text(tensor.shape));
  };
  std::string text;
  if (change.before && change.after &&
      (change.before->dtype != change.after->dtype ||
       change.before->shape != change.after->shape)) {
    text = fmt::format("{} → {}", describe(*change.before),
                       describe(*change.after));
  } else {
    text = describe(change.after ? *change.after : *change.before);
  }
  if (!change.old_name.empty()) text += ", was " + printable(change.old_name);
  if (change.part_of) text += ", part of " + printable(*change.part_of);
  return text;
}

/// The numbers that led to the label.
std::string because_text(const TensorChange& change) {
  if (!change.stats.is_object()) return {};
  const auto found = change.stats.find("because");
  return found != change.stats.end() && found->is_string()
             ? printable(found->get_ref<const std::string&>())
             : std::string();
}

/// Tensors that were only converted, many in the same way, are one row: the one
/// that was not stands out.
std::string conversion_of(const TensorChange& change) {
  const bool is_conversion = change.label == TensorLabel::cast ||
                             change.label == TensorLabel::quantised;
  if (!is_conversion || !change.before || !change.after) return {};
  return fmt::format("{} → {}", to_string(change.before->dtype),
                     to_string(change.after->dtype));
}

/// A metadata text on one line, cut.
std::string shown_text(const std::optional<std::string>& text,
                       const std::string& type) {
  if (!text) return "(none)";
  // Numbers of GGUF are JSON already.
  if (!type.empty() && type != "string" && text->size() < 80) {
    return printable(*text);
  }
  constexpr std::size_t kMost = 120;
  if (text->size() <= kMost) return fmt::format("\"{}\"", printable(*text));
  return fmt::format("\"{}…\" ({} bytes)", printable(text->substr(0, kMost)),
                     text->size());
}

/// "3 → 4 elements, 1 differs, the first at 2: "a" → "b"".
std::string array_text(const Json& content) {
  std::string text =
      fmt::format("{} → {} elements", dump_line(content["count_before"]),
                  dump_line(content["count_after"]));
  if (content.contains("first_different")) {
    text += fmt::format(", {} differ{}, the first at {}: {} → {}",
                        dump_line(content["different"]),
                        content["different"] == 1 ? "s" : "",
                        dump_line(content["first_different"]),
                        printable(dump_line(content["before"])),
                        printable(dump_line(content["after"])));
  }
  return text;
}

std::string metadata_row(const MetadataChange& change) {
  std::string text =
      fmt::format("  {}: {}: ", printable(change.file), printable(change.key));
  if (change.before && change.after &&
      change.type_before != change.type_after && !change.type_before.empty() &&
      !change.type_after.empty()) {
    text += fmt::format("{} → {}, ", change.type_before, change.type_after);
  }
  if (change.content.is_object() && change.content.contains("count_before")) {
    text += array_text(change.content);
  } else if (change.content.is_object()) {
    text += !change.before ? "added" : !change.after ? "removed" : "changed";
  } else {
    text +=
        fmt::format("{} → {}", shown_text(change.before, change.type_before),
                    shown_text(change.after, change.type_after));
  }
  return text + "\n" + content_text(change.content);
}

/// Keys of a file that the other side's format does not have are counted, not
/// listed.
std::string metadata_text(const std::vector<MetadataChange>& changes) {
  constexpr std::size_t kMostForeign = 3;
  std::map<std::string, std::size_t> foreign;
  std::set<std::string> compared;
  const auto is_foreign = [](const MetadataChange& change) {
    return change.before.has_value() != change.after.has_value() &&
           change.content.is_null();
  };
  for (const MetadataChange& change : changes) {
    if (is_foreign(change)) {
      ++foreign[change.file];
    } else if (change.before && change.after && change.content.is_null()) {
      compared.insert(change.file);
    }
  }
  std::string text;
  for (const auto& [file, count] : foreign) {
    if (count <= kMostForeign || compared.contains(file)) continue;
    text += fmt::format(
        "  {}: {} keys that the other side does not have; "
        "--json lists them\n",
        printable(file), count);
  }
  for (const MetadataChange& change : changes) {
    if (is_foreign(change) && foreign[change.file] > kMostForeign &&
        !compared.contains(change.file)) {
      continue;
    }
    text += metadata_row(change);
  }
  return text;
}

/// Why a side may have the file after all: the file, or a folder above it,
/// could not be read. Null if its absence was measured.
const TreeLack* lack_of(const ModelView& side, const std::string& file) {
  if (side.tree == nullptr) return nullptr;
  for (const TreeLack& lack : side.tree->lacks()) {
    if (lack.path.empty()) return &lack;
    for (std::size_t end = 0; end != file.npos;) {
      end = file.find('/', end + 1);
      if (lack.path.ends_with("/" + file.substr(0, end))) return &lack;
    }
  }
  return nullptr;
}

/// "Removed" and "added" are said of what was looked for and is not there. Of
/// what could not be read nothing is known.
void tell_unread_from_absent(const ModelView& before, const ModelView& after,
                             ModelDiff& diff) {
  for (FileChange& change : diff.files) {
    const bool is_removed = change.status == FileStatus::removed;
    if (!is_removed && change.status != FileStatus::added) continue;
    const TreeLack* const lack =
        lack_of(is_removed ? after : before, change.path);
    if (lack == nullptr) continue;
    change.status = FileStatus::unreadable;
    change.why = lack->why;
  }
  for (TensorChange& change : diff.tensors) {
    const bool is_removed = change.status == TensorStatus::removed;
    if (!is_removed && change.status != TensorStatus::added) continue;
    const auto& tensor = is_removed ? change.before : change.after;
    if (lack_of(is_removed ? after : before, tensor->file) != nullptr) {
      change.status = TensorStatus::unreadable;
    }
  }
}

/// What is said of the sides themselves.
ModelDiff begin_diff(const ModelView& before, const ModelView& after) {
  ModelDiff diff;
  diff.before = side_of(before);
  diff.after = side_of(after);
  return diff;
}

/// A side without a file (a link, a folder) has nothing to be recognised by.
bool is_part(const ModelView& one, const ModelView& other) {
  return one.is_one_file && one.kind != "baseline" && !other.is_one_file &&
         one.files.size() == 1;
}

/// Of two wholes, what is left to say: `diff` has their tensors, which the
/// views may have lost to it.
ModelDiff diff_whole(const ModelView& before, const ModelView& after,
                     ModelDiff diff) {
  diff.files = diff_files(before, after);
  tell_unread_from_absent(before, after, diff);
  diff.metadata = diff_metadata(before, after);
  return diff;
}

/// Which side of a comparison is the model that the other is one file of.
enum class Model : std::uint8_t { before, after };

/// The files of `one` that correspond to the one file, as if the model had no
/// others. Everything that was found out about the model stays: names are
/// mapped by its configuration.
ModelView only_aligned(const ModelView& model, const Alignment& alignment) {
  const auto is_aligned = [&](const std::string& file) {
    return std::binary_search(alignment.files.begin(), alignment.files.end(),
                              file);
  };
  ModelView part = model;
  std::erase_if(part.tensors, [&](const ViewTensor& tensor) {
    return !is_aligned(tensor.file);
  });
  std::erase_if(part.metadata, [&](const ViewMetadata& text) {
    return !is_aligned(text.file);
  });
  std::erase_if(part.problems, [&](const ViewProblem& each) {
    return !each.file.empty() && !is_aligned(each.file);
  });
  return part;
}

/// The one tensor of a file under the name that the model has for it: an array
/// is named after its file.
ModelView renamed_like(const ModelView& one, const ModelView& model) {
  ModelView same = one;
  if (one.tensors.size() == 1 && model.tensors.size() == 1) {
    same.tensors.front().name = model.tensors.front().name;
  }
  return same;
}

// Why a file was not compared with another one.
constexpr const char* kByTensors =
    "one file corresponds to several here: compared tensor by tensor";
constexpr const char* kOtherFile = "the one file does not correspond to it";

/// One file of a side: it has no counterpart, or none that it was compared
/// with.
FileChange lone_file(const ViewFile& file, bool is_before, FileStatus status,
                     const char* why) {
  FileChange change;
  change.path = file.path;
  change.status = status;
  change.why = why;
  (is_before ? change.before : change.after) = file;
  return change;
}

TensorChange lone_tensor(const ViewTensor& tensor, bool is_before) {
  TensorChange change;
  change.name = tensor.name;
  change.status = TensorStatus::not_compared;
  (is_before ? change.before : change.after) = tensor;
  return change;
}

/// The files of a part: the one against the one that it corresponds to, where
/// that is one; and all others of the model, not compared.
std::vector<FileChange> part_files(const ModelView& model, const ViewFile& one,
                                   const Alignment& alignment, Model side) {
  const bool model_is_before = side == Model::before;
  const std::set<std::string_view> aligned(alignment.files.begin(),
                                           alignment.files.end());
  std::vector<FileChange> files;
  if (aligned.size() == 1) {
    const ViewFile& theirs = *model.find_file(alignment.files.front());
    files.push_back(model_is_before ? compare_files(theirs, one)
                                    : compare_files(one, theirs));
  } else if (aligned.empty()) {
    files.push_back(lone_file(
        one, !model_is_before,
        model_is_before ? FileStatus::added : FileStatus::removed, ""));
  } else {
    files.push_back(
        lone_file(one, !model_is_before, FileStatus::not_compared, kByTensors));
  }
  for (const ViewFile& file : model.files) {
    const bool is_aligned = aligned.contains(file.path);
    if (is_aligned && aligned.size() == 1) continue;
    files.push_back(lone_file(file, model_is_before, FileStatus::not_compared,
                              is_aligned ? kByTensors : kOtherFile));
  }
  std::stable_sort(
      files.begin(), files.end(),
      [](const FileChange& a, const FileChange& b) { return a.path < b.path; });
  return files;
}

/// The one file of `one` against what corresponds to it; everything else of the
/// model was not compared.
ModelDiff diff_part(const ModelView& model, const ModelView& one, Model side) {
  const Alignment alignment = align_one_file(model, one);
  const std::set<std::string_view> aligned(alignment.files.begin(),
                                           alignment.files.end());
  const ModelView part = only_aligned(model, alignment);
  const ModelView named =
      alignment.how == AlignedBy::tensor_shapes ? renamed_like(one, part) : one;
  const bool model_is_before = side == Model::before;
  const ModelView& before = model_is_before ? part : named;
  const ModelView& after = model_is_before ? named : part;
  ModelDiff diff;
  diff.scope = DiffScope::part;
  diff.aligned_by = alignment.how;
  diff.one_file_is_after = model_is_before;
  diff.before = side_of(before);
  diff.after = side_of(after);
  std::erase_if((model_is_before ? diff.before : diff.after).not_viewed,
                [&](const DiffSide::NotViewed& each) {
                  return !aligned.contains(each.path);
                });
  diff.files = part_files(model, one.files.front(), alignment, side);
  diff.tensors = diff_tensors(before, after);
  for (const ViewTensor& tensor : model.tensors) {
    if (aligned.contains(tensor.file)) continue;
    diff.tensors.push_back(lone_tensor(tensor, model_is_before));
  }
  std::stable_sort(diff.tensors.begin(), diff.tensors.end(),
                   [](const TensorChange& a, const TensorChange& b) {
                     return a.name < b.name;
                   });
  if (!aligned.empty()) diff.metadata = diff_metadata(before, after);
  return diff;
}

/// "The two sides are identical.", or how much of them was compared.
std::string verdict_words(const ModelDiff& diff) {
  if (diff.scope == DiffScope::whole) {
    return diff.identical() ? "The two sides are identical.\n" : "";
  }
  const std::string counts = diff.compared().words();
  if (diff.aligned_by == AlignedBy::nothing) {
    return fmt::format(
        "compared {}: nothing on the other side corresponds to this file\n",
        counts);
  }
  return fmt::format(
      "compared {}, recognised by {}; the rest was not compared\n{}", counts,
      to_string(diff.aligned_by),
      diff.identical() ? "What was compared is identical.\n" : "");
}

/// Files of which only the digest was compared; what is so on both sides for
/// the same reason stands there once.
std::string not_viewed_text(const DiffSide& before, const DiffSide& after) {
  constexpr std::size_t kMost = 100;
  using Row = std::tuple<std::string, Format, std::string>;
  std::map<Row, int> rows;  // bit 0: before, bit 1: after
  const auto add = [&](const DiffSide& side, int bit) {
    for (const DiffSide::NotViewed& each : side.not_viewed) {
      rows[{each.path, each.format, each.why}] |= bit;
    }
  };
  add(before, 1);
  add(after, 2);
  if (rows.empty()) return {};
  std::vector<std::vector<std::string>> table;
  for (const auto& [row, sides] : rows) {
    if (table.size() == kMost) break;
    const auto& [path, format, why] = row;
    table.push_back({"  " + printable(path), std::string(to_string(format)),
                     sides == 3   ? "both"
                     : sides == 1 ? "before"
                                  : "after",
                     printable(why)});
  }
  std::string text = "\nCompared by digest only\n" + format_table(table);
  if (rows.size() > kMost) {
    text +=
        fmt::format("  and {} more; --json lists them\n", rows.size() - kMost);
  }
  return text;
}

void append_problems(const DiffSide& side, std::string& text) {
  for (const ViewProblem& each : side.problems) {
    text += fmt::format("  {} {}: {}\n", to_string(each.problem.severity),
                        printable(each.file.empty() ? side.locator : each.file),
                        printable(each.problem.message));
  }
}

}  // namespace

std::string_view to_string(DiffScope scope) noexcept {
  return scope == DiffScope::whole ? "whole" : "part";
}

std::string ComparedCounts::words() const {
  return fmt::format("{} of {} file{}, {} of {} tensor{}", files, files_total,
                     files_total == 1 ? "" : "s", tensors, tensors_total,
                     tensors_total == 1 ? "" : "s");
}

Json ComparedCounts::to_json() const {
  return {{"files", files},
          {"files_total", files_total},
          {"tensors", tensors},
          {"tensors_total", tensors_total},
          {"words", words()}};
}

Json ModelNumbers::to_json() const {
  Json json = {{"tensors_changed", tensors_changed},
               {"tensors_added", tensors_added},
               {"tensors_removed", tensors_removed},
               {"tensors_identical", tensors_identical},
               {"elements_changed", elements_changed},
               {"rank", rank}};
  if (relative_change) json["relative_change"] = *relative_change;
  if (direction_agreement) {
    json["direction_agreement"] = *direction_agreement;
  }
  return json;
}

bool ModelDiff::identical() const {
  std::size_t compared_files = 0;
  for (const FileChange& change : files) {
    if (change.status == FileStatus::not_compared) continue;
    if (change.status != FileStatus::identical) return false;
    ++compared_files;
  }
  // Of a part, nothing compared is nothing known.
  if (scope == DiffScope::part && compared_files == 0) return false;
  return tensors_identical() && metadata.empty();
}

bool ModelDiff::tensors_identical() const {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const TensorChange& change) {
                       return change.status == TensorStatus::identical ||
                              change.status == TensorStatus::not_compared;
                     });
}

ComparedCounts ModelDiff::compared() const {
  ComparedCounts counts;
  // Of a part, what there is to compare is the model: not what the one file has
  // beyond it.
  const auto is_counted = [&](const auto& change) {
    return scope == DiffScope::whole ||
           (one_file_is_after ? change.before : change.after).has_value();
  };
  for (const FileChange& change : files) {
    if (!is_counted(change)) continue;
    const bool is_compared = change.status != FileStatus::not_compared &&
                             change.status != FileStatus::unreadable;
    counts.files += is_compared ? 1U : 0U;
    ++counts.files_total;
  }
  for (const TensorChange& change : tensors) {
    if (!is_counted(change)) continue;
    const bool is_compared = change.status != TensorStatus::not_compared &&
                             change.status != TensorStatus::unreadable;
    counts.tensors += is_compared ? 1U : 0U;
    ++counts.tensors_total;
  }
  return counts;
}

bool ModelDiff::is_complete() const {
  const auto is_left_out = [](const auto& change) {
    using Status = std::decay_t<decltype(change.status)>;
    return change.status == Status::not_compared;
  };
  // Tensors of a file that others were joined to are compared by themselves.
  const ComparedCounts counts = compared();
  return counts.tensors == counts.tensors_total &&
         std::ranges::none_of(tensors, is_left_out) &&
         std::ranges::none_of(files, [&](const FileChange& change) {
           return is_left_out(change) && change.why != kByTensors;
         });
}

Json ModelDiff::to_json() const {
  Json json = to_json_without_tensors();
  Json& list = json["tensors"];
  for (const TensorChange& change : tensors) list.push_back(change.to_json());
  return json;
}

Json ModelDiff::to_json_without_tensors() const {
  Json json = {{"identical", identical()},
               {"tensors_identical", tensors_identical()},
               {"before", side_json(before)},
               {"after", side_json(after)}};
  Json file_list = Json::array();
  for (const FileChange& change : files) file_list.push_back(change.to_json());
  Json metadata_list = Json::array();
  for (const MetadataChange& change : metadata) {
    metadata_list.push_back(change.to_json());
  }
  json["files"] = std::move(file_list);
  json["tensors"] = Json::array();
  json["metadata"] = std::move(metadata_list);
  json["scope"] = to_string(scope);
  json["compared"] = compared().to_json();
  if (scope == DiffScope::part) json["aligned_by"] = to_string(aligned_by);
  if (label != ModelLabel::none) {
    json["model"] = {{"label", to_string(label)},
                     {"sentence", sentence},
                     {"numbers", numbers.to_json()}};
  }
  return json;
}

std::string ModelDiff::to_text() const {
  std::string text = fmt::format("before   {} ({})\nafter    {} ({})\n",
                                 printable(before.locator), before.kind,
                                 printable(after.locator), after.kind);
  text += fmt::format("files    {}\ntensors  {}\n", count_text(files),
                      count_text(tensors));
  text += verdict_words(*this);
  if (!sentence.empty()) {
    text += fmt::format("verdict  {}: {}\n", to_string(label), sentence);
  }

  std::vector<std::vector<std::string>> rows;
  for (const FileChange& change : files) {
    if (change.status == FileStatus::identical && !change.mode_changed()) {
      continue;
    }
    rows.push_back({"  " + std::string(to_string(change.status)),
                    printable(change.path), file_detail(change)});
  }
  if (!rows.empty()) text += "\nFiles\n" + format_table(rows);
  for (const FileChange& change : files) {
    const std::string content = content_text(change.content);
    if (content.empty()) continue;
    text += fmt::format("\n  {}\n{}", printable(change.path), content);
  }

  rows.clear();
  constexpr std::size_t kMostAlike = 4;
  struct Alike {
    std::size_t count = 0;
    double relative = 0;
  };
  std::map<std::pair<TensorLabel, std::string>, Alike> alike;
  for (const TensorChange& change : tensors) {
    const std::string conversion = conversion_of(change);
    if (conversion.empty()) continue;
    Alike& group = alike[{change.label, conversion}];
    ++group.count;
    const auto relative = change.stats.find("rel");
    if (relative != change.stats.end() && relative->is_number()) {
      group.relative = std::max(group.relative, relative->get<double>());
    }
  }
  for (const auto& [kind, group] : alike) {
    if (group.count <= kMostAlike) continue;
    rows.push_back({"  retyped", fmt::format("({} tensors)", group.count),
                    kind.second, std::string(to_string(kind.first)),
                    fmt::format("relative change up to {:.3g}; --json lists "
                                "them",
                                group.relative)});
  }
  for (const TensorChange& change : tensors) {
    if (change.status == TensorStatus::identical ||
        change.status == TensorStatus::not_compared) {
      continue;
    }
    const auto group = alike.find({change.label, conversion_of(change)});
    if (group != alike.end() && group->second.count > kMostAlike) continue;
    rows.push_back({"  " + std::string(to_string(change.status)),
                    printable(change.name), tensor_detail(change),
                    std::string(to_string(change.label)),
                    because_text(change)});
  }
  if (!rows.empty()) text += "\nTensors\n" + format_table(rows);
  const bool has_baseline =
      before.kind == "baseline" || after.kind == "baseline";
  if (!rows.empty() && has_baseline) {
    text += "Numbers need the bytes of both sides; a baseline has digests.\n";
  }

  if (!metadata.empty()) text += "\nMetadata\n" + metadata_text(metadata);
  text += not_viewed_text(before, after);
  if (!before.problems.empty() || !after.problems.empty()) {
    text += "\nOddities in the files themselves\n";
    append_problems(before, text);
    append_problems(after, text);
  }
  return text;
}

ModelDiff diff_models(const ModelView& before, const ModelView& after) {
  if (is_part(after, before)) return diff_part(before, after, Model::before);
  if (is_part(before, after)) return diff_part(after, before, Model::after);
  ModelDiff diff = begin_diff(before, after);
  diff.tensors = diff_tensors(before, after);
  return diff_whole(before, after, std::move(diff));
}

ModelDiff take_diff(ModelView& before, ModelView& after) {
  if (is_part(after, before) || is_part(before, after)) {
    return diff_models(before, after);
  }
  ModelDiff diff = begin_diff(before, after);
  diff.tensors = take_tensors_diff(before, after);
  return diff_whole(before, after, std::move(diff));
}

ModelDiff check_against(const Baseline& baseline, const Tree& tree,
                        const ViewOptions& options, Progress& progress,
                        const Cancellation& cancellation) {
  return diff_models(baseline.view,
                     view_tree(tree, options, progress, cancellation));
}

}  // namespace impound
