// SPDX-License-Identifier: Apache-2.0
#include "core/compare/model_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.hpp"
#include "core/compare/text_changes.hpp"

namespace impound {
namespace {

DiffSide side_of(const ModelView& view) {
  return {view.kind, view.locator, view.revision, view.problems};
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
  const bool is_conversion =
      change.label == "cast" || change.label == "quantised";
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

void append_problems(const DiffSide& side, std::string& text) {
  for (const ViewProblem& each : side.problems) {
    text += fmt::format("  {} {}: {}\n", to_string(each.problem.severity),
                        printable(each.file.empty() ? side.locator : each.file),
                        printable(each.problem.message));
  }
}

}  // namespace

bool ModelDiff::identical() const {
  return std::all_of(files.begin(), files.end(),
                     [](const FileChange& change) {
                       return change.status == FileStatus::identical;
                     }) &&
         tensors_identical() && metadata.empty();
}

bool ModelDiff::tensors_identical() const {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const TensorChange& change) {
                       return change.status == TensorStatus::identical;
                     });
}

Json ModelDiff::to_json() const {
  Json json = {{"identical", identical()},
               {"tensors_identical", tensors_identical()},
               {"before", side_json(before)},
               {"after", side_json(after)}};
  Json file_list = Json::array();
  for (const FileChange& change : files) file_list.push_back(change.to_json());
  Json tensor_list = Json::array();
  for (const TensorChange& change : tensors) {
    tensor_list.push_back(change.to_json());
  }
  Json metadata_list = Json::array();
  for (const MetadataChange& change : metadata) {
    metadata_list.push_back(change.to_json());
  }
  json["files"] = std::move(file_list);
  json["tensors"] = std::move(tensor_list);
  json["metadata"] = std::move(metadata_list);
  if (!label.empty()) {
    json["model"] = {{"label", label}, {"sentence", sentence}};
  }
  return json;
}

std::string ModelDiff::to_text() const {
  std::string text = fmt::format("before   {} ({})\nafter    {} ({})\n",
                                 printable(before.locator), before.kind,
                                 printable(after.locator), after.kind);
  text += fmt::format("files    {}\ntensors  {}\n", count_text(files),
                      count_text(tensors));
  if (identical()) text += "The two sides are identical.\n";
  if (!sentence.empty()) {
    text += fmt::format("verdict  {}: {}\n", label, sentence);
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
  std::map<std::pair<std::string, std::string>, Alike> alike;
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
                    kind.second, kind.first,
                    fmt::format("relative change up to {:.3g}; --json lists "
                                "them",
                                group.relative)});
  }
  for (const TensorChange& change : tensors) {
    if (change.status == TensorStatus::identical) continue;
    const auto group = alike.find({change.label, conversion_of(change)});
    if (group != alike.end() && group->second.count > kMostAlike) continue;
    rows.push_back({"  " + std::string(to_string(change.status)),
                    printable(change.name), tensor_detail(change), change.label,
                    because_text(change)});
  }
  if (!rows.empty()) text += "\nTensors\n" + format_table(rows);
  const bool has_baseline =
      before.kind == "baseline" || after.kind == "baseline";
  if (!rows.empty() && has_baseline) {
    text += "Numbers need the bytes of both sides; a baseline has digests.\n";
  }

  if (!metadata.empty()) text += "\nMetadata\n" + metadata_text(metadata);
  if (!before.problems.empty() || !after.problems.empty()) {
    text += "\nOddities in the files themselves\n";
    append_problems(before, text);
    append_problems(after, text);
  }
  return text;
}

ModelDiff diff_models(const ModelView& before, const ModelView& after) {
  return {.before = side_of(before),
          .after = side_of(after),
          .files = diff_files(before, after),
          .tensors = diff_tensors(before, after),
          .metadata = diff_metadata(before, after),
          .label = {},
          .sentence = {}};
}

ModelDiff check_against(const Baseline& baseline, const Tree& tree,
                        const ViewOptions& options, Progress& progress,
                        const Cancellation& cancellation) {
  return diff_models(baseline.view,
                     view_tree(tree, options, progress, cancellation));
}

}  // namespace impound
