// SPDX-License-Identifier: Apache-2.0
/// ONNX: data that lies in other files, and operators that only a foreign
/// library can run.

#include "core/formats/onnx/onnx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/text.hpp"
#include "core/scan/metadata_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxReported = 200;

/// The tensors that one other file holds.
struct ExternalFile {
  std::string first_tensor;
  std::size_t tensors = 0;
  std::uint64_t end = 0;  ///< bytes the file must have
  bool overflows = false;
};

/// The location as a name of the tree: without "." and empty parts.
std::string plain_name(std::string_view location) {
  std::string name;
  for (const std::string& part : split(location, '/')) {
    if (part.empty() || part == ".") continue;
    if (!name.empty()) name += '/';
    name += part;
  }
  return name;
}

std::map<std::string, ExternalFile> external_files(const OnnxModel& model) {
  std::map<std::string, ExternalFile> files;
  for (const OnnxTensor& tensor : model.tensors) {
    if (!tensor.external || tensor.external->location.empty()) continue;
    // A path that leaves the folder is a finding already; it is not followed.
    if (check_external_location(tensor.external->location, 0)) continue;
    ExternalFile& file = files[plain_name(tensor.external->location)];
    if (file.tensors++ == 0) file.first_tensor = tensor.info.name;
    const std::uint64_t begin = tensor.external->offset.value_or(0);
    const std::uint64_t size =
        tensor.external->length.value_or(tensor.expected.value_or(0));
    if (size > UINT64_MAX - begin) {
      file.overflows = true;
    } else {
      file.end = std::max(file.end, begin + size);
    }
  }
  return files;
}

void report_external(ScanContext& context, const std::string& name,
                     const ExternalFile& external) {
  const std::string shown = printable(name);
  const TreeFile* file = context.sibling(name);
  if (file == nullptr) {
    context.report(
        "onnx-external-missing", Severity::medium, 0,
        fmt::format("{} tensors, '{}' first, lie in {}, which is not there",
                    external.tensors, printable(external.first_tensor), shown));
    return;
  }
  if (file->kind == FileKind::symlink) {
    context.report(
        "onnx-external-link", Severity::high, 0,
        fmt::format("{} is a link to {}", shown, printable(file->link_target)));
    return;
  }
  if (file->kind != FileKind::regular) {
    context.report("onnx-external-link", Severity::high, 0,
                   fmt::format("{} is no regular file", shown));
    return;
  }
  if (file->links > 1) {
    context.report(
        "onnx-external-alias", Severity::medium, 0,
        fmt::format("{} has {} names on its disk: it may be a file of "
                    "somebody else",
                    shown, file->links));
  }
  if (external.overflows || external.end > file->size) {
    context.report(
        "onnx-external", Severity::high, 0,
        external.overflows
            ? fmt::format("offset and length of a tensor in {} overflow", shown)
            : fmt::format("tensors take {} up to byte {}, but it has {}", shown,
                          external.end, file->size));
  }
}

void report_operators(ScanContext& context, const OnnxModel& model) {
  for (const OnnxCustomOp& op : model.custom_ops) {
    const std::string uses = fmt::format(
        "{}::{}, {} times, first in node '{}'", printable(op.domain),
        printable(op.op_type), op.count, printable(op.first_node));
    if (op.is_python) {
      context.report("onnx-python-operator", Severity::high, op.offset,
                     "an operator that runs Python", uses);
    } else {
      context.report(
          "onnx-custom-domain", Severity::medium, op.offset,
          fmt::format("operators of the domain {}", printable(op.domain)),
          uses);
    }
  }
}

}  // namespace

void scan_onnx(ScanContext& context, const Subject& subject) {
  const OnnxModel model = read_onnx(subject.source);
  context.add_problems(model.problems);
  report_operators(context, model);
  std::size_t reported = 0;
  for (const auto& [name, file] : external_files(model)) {
    if (++reported > kMaxReported) {
      context.unread(0, "tensors lie in more than 200 other files");
      break;
    }
    report_external(context, name, file);
  }
  for (const auto& [key, value] : model.metadata) {
    report_metadata_text(context, "metadata_props." + printable(key), 0, value);
  }
  if (!model.complete) {
    context.unread(0, "the ONNX graph is not read to its end");
  }
}

}  // namespace impound
