// SPDX-License-Identifier: Apache-2.0
/// Keras: the configuration that says which objects a loader constructs, in
/// config.json, in an attribute of an HDF5 file, or beside a SavedModel.

#include "core/formats/hdf5/keras.hpp"

#include <fmt/format.h>

#include <array>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/formats/hdf5/hdf5.hpp"
#include "core/formats/hdf5/keras_metadata.hpp"
#include "core/scan/pickle_lists.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

void report_config(ScanContext& context, const std::string& where,
                   std::uint64_t offset, const Json& json) {
  for (const KerasFinding& each : walk_keras_config(json).findings) {
    ScanFinding finding;
    finding.rule = each.problem.rule;
    finding.severity = each.problem.severity;
    if (!each.module.empty() && judge_global(each.module, each.name).verdict ==
                                    GlobalClass::dangerous) {
      finding.severity = Severity::critical;
    }
    finding.offset = offset;
    finding.member = where;
    if (!where.empty() && !each.path.empty()) finding.member += '.';
    finding.member += each.path;
    finding.message = each.problem.message;
    finding.evidence = each.evidence;
    context.add(std::move(finding));
  }
}

/// Where the configuration cannot be read as one: words that betray it.
void search_words(ScanContext& context, const ByteSource& source) {
  static constexpr auto kWords = std::to_array<std::string_view>(
      {"\"class_name\": \"Lambda\"", "\"class_name\":\"Lambda\"", "__lambda__",
       "TorchModuleWrapper", "enable_unsafe_deserialization"});
  constexpr std::uint64_t kBlock = 4 * limits::kMiB;
  constexpr std::uint64_t kOverlap = 64;
  std::array<bool, kWords.size()> seen{};
  for (std::uint64_t at = 0; at < source.size(); at += kBlock) {
    if (context.cancelled()) return;
    const Bytes block = source.head(at, kBlock + kOverlap);
    for (std::size_t i = 0; i < kWords.size(); ++i) {
      const std::size_t found = as_text(block).find(kWords[i]);
      if (seen[i] || found == std::string_view::npos) continue;
      seen[i] = true;
      ScanFinding finding;
      finding.rule = "keras-heuristic";
      finding.severity = Severity::high;
      finding.offset = at + found;
      finding.message =
          "heuristic: a word of a Keras configuration that runs "
          "code, in a file whose configuration was not read";
      finding.evidence = std::string(kWords[i]);
      context.add(std::move(finding));
    }
  }
}

/// @return false if the text is no JSON.
bool report_attribute(ScanContext& context, const std::string& name,
                      const Hdf5Text& text) {
  try {
    report_config(context, name, text.offset,
                  parse_config_json(text.value, "the attribute " + name));
    return true;
  } catch (const Error& error) {
    context.unread(text.offset, error.what());
    return false;
  }
}

/// PyTables keeps whatever is no number or text as a pickle, in attributes and
/// arrays anywhere in the file.
void report_pytables(ScanContext& context, const ByteSource& source,
                     const Hdf5File& file) {
  constexpr std::string_view kMark = "PYTABLES_FORMAT_VERSION";
  const Bytes head = source.head(0, limits::kMiB);
  if (!file.attributes.contains(std::string(kMark)) &&
      as_text(head).find(kMark) == std::string_view::npos) {
    return;
  }
  const PickleStream stream = find_pickles(source, scanning_options(), 0);
  for (const PickleRun& run : stream.runs) {
    if (context.cancelled()) return;
    context.report("hdf5-pickle", Severity::low, run.begin,
                   "a pickle that PyTables loads");
    report_pickle_run(context, source, run);
  }
  for (const Problem& problem : stream.problems) {
    context.unread(problem.offset, problem.message);
  }
}

void report_externals(ScanContext& context, const Hdf5File& file) {
  for (const Hdf5External& each : file.externals) {
    ScanFinding finding;
    finding.rule = "hdf5-external";
    finding.severity = Severity::high;
    finding.offset = each.offset;
    finding.message =
        fmt::format("{} {}", printable(each.path),
                    each.is_link ? "is a link into another file"
                                 : "takes its data from another file");
    finding.evidence = printable(each.target);
    context.add(std::move(finding));
  }
}

}  // namespace

void scan_keras_config(ScanContext& context, const Subject& subject) {
  const Bytes text = subject.source.head(0, subject.source.size());
  report_config(context, "", 0, parse_config_json(as_text(text), subject.name));
}

void scan_hdf5(ScanContext& context, const Subject& subject) {
  const Hdf5File file = read_hdf5(subject.source);
  context.add_problems(file.problems);
  report_externals(context, file);
  report_pytables(context, subject.source, file);
  bool is_read = false;
  // What else Keras stores there is read too: losses and metrics are objects.
  for (const auto& [name, text] : file.attributes) {
    if (name != "model_config" && name != "training_config") continue;
    const bool is_json = report_attribute(context, name, text);
    is_read = is_read || (name == "model_config" && is_json);
  }
  if (!is_read) search_words(context, subject.source);
  if (!file.attributes_read || !file.groups_read) {
    context.unread(file.superblock,
                   "HDF5 attributes or groups that this reader does not walk");
  }
}

void scan_keras_metadata(ScanContext& context, const Subject& subject) {
  const KerasMetadata file = read_keras_metadata(subject.source);
  context.add_problems(file.problems);
  bool is_read = file.complete;
  for (const KerasObject& each : file.objects) {
    if (context.cancelled()) return;
    is_read = report_attribute(context, printable(each.path),
                               {each.metadata, each.offset}) &&
              is_read;
  }
  if (is_read) return;
  search_words(context, subject.source);
  context.unread(0, "the metadata of Keras is not read to its end");
}

}  // namespace impound
