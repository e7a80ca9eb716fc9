// SPDX-License-Identifier: Apache-2.0
#include "core/engine/baseline_check.hpp"

#include <fmt/format.h>

#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/engine/baselines.hpp"
#include "core/engine/data_sides.hpp"
#include "core/evidence/served_files.hpp"
#include "core/formats/weights_file.hpp"

namespace impound {
namespace {

std::size_t weights_in(const Baseline& baseline) {
  std::set<std::string> files;
  for (const ViewTensor& tensor : baseline.view.tensors) {
    files.insert(tensor.file);
  }
  for (const ViewFile& file : baseline.view.files) {
    if (is_weights_name(file.path)) files.insert(file.path);
  }
  return files.size();
}

std::size_t weights_in(const Tree& tree) {
  std::size_t count = 0;
  for (const TreeFile& file : tree.files()) {
    if (file.kind != FileKind::regular) continue;
    try {
      if (holds_weights(*tree.open(file))) ++count;
    } catch (const Error&) {
      continue;  // it can be no baseline then
    }
  }
  return count;
}

std::string kind_of_files(const Tree& tree) {
  const auto files =
      std::ranges::count(tree.files(), FileKind::regular, &TreeFile::kind);
  if (tree.kind() == "file")
    return "a file that is neither a baseline "
           "document nor weights";
  return fmt::format("{} of {} files, none of which holds weights",
                     tree.kind() == "exhibit" ? "an exhibit" : "a folder",
                     files);
}

void describe(const ModelSide& side, BaselineCheck& check) {
  if (side.baseline) {
    const Baseline& baseline = *side.baseline;
    check.kind =
        is_dataset(baseline) ? BaselineKind::dataset : BaselineKind::model;
    check.provenance = provenance_of(baseline);
    check.signature = baseline.signature;
    if (baseline.signature == BaselineSignature::valid) {
      check.key_fingerprint = baseline.key_fingerprint;
    }
    check.sha256 = baseline.sha256.hex();
    check.weights = weights_in(baseline);
    return;
  }
  check.weights = weights_in(*side.tree);
  if (check.weights != 0) {
    check.kind = BaselineKind::model_files;
  } else {
    check.what = kind_of_files(*side.tree);
  }
}

}  // namespace

std::string_view to_string(BaselineKind kind) noexcept {
  switch (kind) {
    case BaselineKind::model:
      return "model";
    case BaselineKind::dataset:
      return "dataset";
    case BaselineKind::model_files:
      return "model files";
    case BaselineKind::none:
      return "none";
  }
  return "none";
}

bool BaselineCheck::is_usable() const {
  const bool is_wanted =
      kind == BaselineKind::model || kind == BaselineKind::model_files ||
      (kind == BaselineKind::dataset && use == BaselineUse::whatever_differs);
  return is_wanted && signature != BaselineSignature::invalid;
}

std::string BaselineCheck::sentence() const {
  const std::string name = printable(path.native());
  switch (kind) {
    case BaselineKind::model:
      if (weights == 0) {
        return fmt::format(
            "{} is a baseline of a model without any weights: "
            "nothing can be compared with it; {}",
            name, provenance);
      }
      return fmt::format("{} is a baseline of a model, {} weights file{}; {}",
                         name, weights, weights == 1 ? "" : "s", provenance);
    case BaselineKind::dataset:
      return fmt::format(
          "{} is a baseline of a dataset{}; {}", name,
          use == BaselineUse::model ? ", expected one of a model" : "",
          provenance);
    case BaselineKind::model_files:
      return fmt::format(
          "{} is a model itself ({} weights file{}), no "
          "baseline document: nobody signed it",
          name, weights, weights == 1 ? "" : "s");
    case BaselineKind::none:
      return fmt::format("{} is no baseline: {}", name, what);
  }
  return {};
}

Json BaselineCheck::to_json() const {
  Json json;
  json["path"] = lossless_utf8(path.native());
  json["kind"] = to_string(kind);
  json["sentence"] = lossless_utf8(sentence());
  json["signature"] = to_string(signature);
  json["key"] = key_fingerprint;
  json["sha256"] = sha256;
  json["weights"] = weights;
  return json;
}

void BaselineCheck::require_usable() const {
  if (is_usable()) return;
  throw Error(signature == BaselineSignature::invalid ? Errc::integrity
                                                      : Errc::bad_input,
              sentence());
}

BaselineCheck check_baseline(const ModelSide& side) {
  BaselineCheck check;
  check.path = side.name;
  describe(side, check);
  return check;
}

BaselineCheck check_baseline(const fs::path& path) {
  BaselineCheck check;
  check.path = path;
  try {
    describe(open_model_side(path.native(), nullptr), check);
  } catch (const Error& error) {
    check.what = error.what();
  }
  return check;
}

}  // namespace impound
