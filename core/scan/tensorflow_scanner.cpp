// SPDX-License-Identifier: Apache-2.0
/// TensorFlow graphs: operators that leave the model, and the constant paths
/// that they are given.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/base/text.hpp"
#include "core/formats/tensorflow/savedmodel.hpp"
#include "core/scan/scanners.hpp"
#include "core/scan/tensorflow_ops.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxEvidence = 4096;

/// A path that no writer of portable models produces.
bool is_foreign_path(std::string_view path) {
  if (path.starts_with('/') || path.starts_with('\\') ||
      path.starts_with('~')) {
    return true;
  }
  if (path.size() > 2 && path[1] == ':' &&
      std::isalpha(static_cast<unsigned char>(path[0])) != 0) {
    return true;
  }
  if (path.find("://") != std::string_view::npos) return true;
  std::string plain(path);
  std::ranges::replace(plain, '\\', '/');
  const auto parts = split(plain, '/');
  return std::ranges::find(parts, "..") != parts.end();
}

bool has_foreign_path(const TfUse& use) {
  return std::ranges::any_of(use.texts, is_foreign_path);
}

bool mentions(const TfUse& use, std::string_view scheme) {
  return std::ranges::any_of(use.texts, [&](const std::string& text) {
    return text.starts_with(scheme);
  });
}

std::string evidence_of(const TfUse& use) {
  std::string text = printable(use.op) + "(";
  for (std::size_t i = 0; i < use.texts.size(); ++i) {
    text += (i == 0 ? "'" : ", '") + printable(use.texts[i]) + "'";
    if (text.size() > kMaxEvidence) break;
  }
  return text.substr(0, kMaxEvidence) + ")";
}

/// The rule a use breaks, or "" if it is ordinary.
struct Judgement {
  std::string_view rule;
  Severity severity = Severity::high;
  std::string_view what;
};

Judgement judge(const TfUse& use) {
  const bool is_foreign = has_foreign_path(use);
  switch (use.reach) {
    case TfReach::none:
      return {};
    case TfReach::file_read:
      return {"savedmodel-file-read", Severity::high, "reads files"};
    case TfReach::file_write:
      return {"savedmodel-file-write",
              is_foreign ? Severity::critical : Severity::high, "writes files"};
    case TfReach::checkpoint:
      if (!is_foreign) return {};
      return {"savedmodel-checkpoint-path", Severity::high,
              "saves to or restores from a fixed place"};
    case TfReach::table_file:
      if (!is_foreign) return {};
      return {"savedmodel-table-path", Severity::high,
              "reads a table from a fixed place"};
    case TfReach::python:
      return {"savedmodel-python", Severity::high, "calls Python"};
    case TfReach::process:
      return {"savedmodel-process", Severity::critical,
              "reaches for other processes"};
    case TfReach::print:
      if (!mentions(use, "file://")) return {};
      return {"savedmodel-print-file", Severity::high, "prints into a file"};
    case TfReach::debug:
      if (!mentions(use, "file://") && !mentions(use, "grpc://")) return {};
      return {"savedmodel-debug-address", Severity::high,
              "sends what passes through it away"};
    case TfReach::custom:
      return {"savedmodel-custom-operator", Severity::medium,
              "is no operator of TensorFlow"};
  }
  return {};
}

/// Operators that nobody vouched for. One kind is one finding.
void report_unknown(ScanContext& context, const TfModel& model) {
  constexpr std::size_t kMost = 50;
  std::size_t listed = 0;
  for (const auto& [op, count] : model.operators) {
    if (only_computes(op) || tf_reach(op) != TfReach::none ||
        model.function_names.contains(op)) {
      continue;
    }
    if (++listed > kMost) return;
    context.report(
        "savedmodel-unknown-operator", Severity::medium, 0,
        fmt::format("{} is not on the list of operators that only compute",
                    printable(op)),
        fmt::format("{} ({} times)", printable(op), count));
  }
}

}  // namespace

void scan_tensorflow(ScanContext& context, const Subject& subject) {
  const TfModel model = read_tensorflow(
      subject.source, recognise_tensorflow_file(subject.source));
  context.add_problems(model.problems);
  for (const TfUse& use : model.uses) {
    const Judgement found = judge(use);
    if (found.rule.empty()) continue;
    context.report(found.rule, found.severity, use.offset,
                   fmt::format("{} '{}' in {} {}", printable(use.op),
                               printable(use.node), use.where, found.what),
                   evidence_of(use));
  }
  report_unknown(context, model);
  for (const std::string& asset : model.assets) {
    if (!is_foreign_path(asset)) continue;
    context.report("savedmodel-asset-path", Severity::high, 0,
                   "an asset lies outside of the model folder",
                   printable(asset));
  }
  for (const std::string& key : model.init_ops) {
    context.report("savedmodel-init-op", Severity::info, 0,
                   "something runs when the model is loaded", printable(key));
  }
  if (!model.complete) {
    context.unread(0, "the TensorFlow graph is not read to its end");
  }
}

}  // namespace impound
