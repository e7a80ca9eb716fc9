// SPDX-License-Identifier: Apache-2.0
#include "core/formats/tensorflow/tf_graph.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxKinds = 20'000;
constexpr std::size_t kMaxUses = 2'000;
constexpr std::size_t kMaxKept = 500'000;  // nodes of one graph
constexpr int kMaxHops = 24;
constexpr int kMaxVisits = 512;  // nodes looked at for one operator

constexpr auto kFileRead =
    std::to_array<std::string_view>({"ReadFile",
                                     "WholeFileReader",
                                     "WholeFileReaderV2",
                                     "FixedLengthRecordReader",
                                     "FixedLengthRecordReaderV2",
                                     "TextLineReader",
                                     "TextLineReaderV2",
                                     "TFRecordReader",
                                     "TFRecordReaderV2",
                                     "LMDBReader",
                                     "ReaderRead",
                                     "ReaderReadV2",
                                     "ReaderReadUpTo",
                                     "ReaderReadUpToV2",
                                     "TextLineDataset",
                                     "TFRecordDataset",
                                     "TFRecordDatasetV2",
                                     "FixedLengthRecordDataset",
                                     "FixedLengthRecordDatasetV2",
                                     "LMDBDataset",
                                     "SqlDataset",
                                     "CSVDataset",
                                     "CSVDatasetV2",
                                     "MatchingFiles",
                                     "MatchingFilesDataset",
                                     "LoadDataset",
                                     "DatasetFromGraph",
                                     "SnapshotDataset",
                                     "SnapshotDatasetV2",
                                     "ImmutableConst"});

constexpr auto kFileWrite = std::to_array<std::string_view>(
    {"WriteFile", "WriteSummary", "CreateSummaryFileWriter",
     "CreateSummaryDbWriter", "WriteGraphSummary", "WriteRawProtoSummary",
     "WriteScalarSummary", "WriteAudioSummary", "WriteImageSummary",
     "WriteHistogramSummary", "ImportEvent", "DatasetToTFRecord", "SaveDataset",
     "SaveDatasetV2"});

constexpr auto kCheckpoint = std::to_array<std::string_view>(
    {"Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice",
     "MergeV2Checkpoints", "LoadAndRemapMatrix"});

constexpr auto kTableFile = std::to_array<std::string_view>(
    {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"});

constexpr auto kPython = std::to_array<std::string_view>(
    {"PyFunc", "PyFuncStateless", "EagerPyFunc", "PyCall", "GeneratorDataset"});

constexpr auto kProcess = std::to_array<std::string_view>(
    {"ShellExecute", "ExecuteOp", "SystemConfig", "RemoteCall", "RpcCall",
     "RpcClient", "RpcServer"});

constexpr auto kPrint = std::to_array<std::string_view>({"PrintV2"});

constexpr auto kDebug = std::to_array<std::string_view>(
    {"DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount",
     "DebugNumericSummary", "DebugNumericSummaryV2"});

/// Operators that hand a text on, changed or not.
constexpr auto kCarriers =
    std::to_array<std::string_view>({"Const",
                                     "Identity",
                                     "IdentityN",
                                     "PlaceholderWithDefault",
                                     "StringJoin",
                                     "ShardedFilename",
                                     "Pack",
                                     "Reshape",
                                     "ExpandDims",
                                     "Squeeze",
                                     "Select",
                                     "SelectV2",
                                     "Merge",
                                     "Switch",
                                     "ConcatV2",
                                     "Fill",
                                     "AsString",
                                     "StringStrip",
                                     "StringLower",
                                     "Substr",
                                     "DecodeBase64",
                                     "Snapshot",
                                     "ReduceJoin",
                                     "RegexReplace",
                                     "StaticRegexReplace",
                                     "Slice",
                                     "StridedSlice",
                                     "GatherV2",
                                     "FIFOQueueV2",
                                     "QueueEnqueueV2",
                                     "QueueEnqueueManyV2",
                                     "EnsureShape",
                                     "StopGradient"});

bool in(std::string_view op, std::span<const std::string_view> list) {
  return std::ranges::find(list, op) != list.end();
}

/// "^a" is control and carries nothing; "a:out:0" is an output of a.
std::string_view source_of(std::string_view input) {
  if (input.starts_with('^')) return {};
  return input.substr(0, input.find(':'));
}

}  // namespace

TfReach tf_reach(std::string_view op) noexcept {
  if (in(op, kFileRead)) return TfReach::file_read;
  if (in(op, kFileWrite)) return TfReach::file_write;
  if (in(op, kCheckpoint)) return TfReach::checkpoint;
  if (in(op, kTableFile)) return TfReach::table_file;
  if (in(op, kPython)) return TfReach::python;
  if (in(op, kProcess)) return TfReach::process;
  if (in(op, kPrint)) return TfReach::print;
  if (in(op, kDebug)) return TfReach::debug;
  if (op.find('>') != std::string_view::npos) return TfReach::custom;
  return TfReach::none;
}

void TfGraphs::begin(std::string where) {
  where_ = std::move(where);
  carriers_.clear();
  reaching_.clear();
}

void TfGraphs::begin_function(const std::string& name) {
  if (model_.function_names.size() < kMaxKept) {
    model_.function_names.insert(name);
  }
  begin("function " + printable(name));
}

void TfGraphs::add(TfNode node) {
  ++model_.nodes;
  const auto known = model_.operators.find(node.op);
  if (known != model_.operators.end()) {
    ++known->second;
  } else if (model_.operators.size() < kMaxKinds) {
    model_.operators[node.op] = 1;
  }
  if (tf_reach(node.op) != TfReach::none) {
    if (reaching_.size() + model_.uses.size() < kMaxUses) {
      reaching_.push_back(std::move(node));
    } else {
      model_.complete = false;
    }
    return;
  }
  if (!in(node.op, kCarriers)) return;
  if (node.op == "Const" && node.texts.empty()) return;
  if (carriers_.size() >= kMaxKept) {
    model_.complete = false;
    return;
  }
  std::string name = node.name;
  carriers_.emplace(std::move(name), std::move(node));
}

void TfGraphs::gather(const std::string& input, int depth,
                      std::vector<std::string>& texts, int& budget) const {
  if (depth > kMaxHops || --budget < 0 || texts.size() >= kMaxTexts) return;
  const auto found = carriers_.find(source_of(input));
  if (found == carriers_.end()) return;
  const TfNode& node = found->second;
  if (node.op == "Const") {
    for (const std::string& text : node.texts) {
      if (std::ranges::find(texts, text) == texts.end()) texts.push_back(text);
    }
    return;
  }
  for (const std::string& next : node.inputs) {
    gather(next, depth + 1, texts, budget);
  }
}

void TfGraphs::end() {
  for (TfNode& node : reaching_) {
    TfUse use;
    use.reach = tf_reach(node.op);
    use.texts = std::move(node.texts);
    int budget = kMaxVisits;
    // Of a save or restore only the first input is a path, the others are
    // names of tensors.
    const bool only_first = use.reach == TfReach::checkpoint;
    std::size_t inputs = 0;
    for (const std::string& input : node.inputs) {
      if (only_first && ++inputs > 1) break;
      gather(input, 0, use.texts, budget);
    }
    use.op = std::move(node.op);
    use.node = std::move(node.name);
    use.where = where_;
    use.offset = node.offset;
    model_.uses.push_back(std::move(use));
  }
  reaching_.clear();
  carriers_.clear();
}

}  // namespace impound
