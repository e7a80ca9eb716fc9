// SPDX-License-Identifier: Apache-2.0
#include "core/scan/torchscript_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/formats/python_source.hpp"
#include "core/formats/torch/torchscript.hpp"

namespace impound {
namespace {

/// Operators that open a file by name.
constexpr std::array<std::string_view, 12> kFiles{
    "torch.save",          "torch.load",
    "torch.from_file",     "ops.aten.save",
    "ops.aten.load",       "ops.aten.from_file",
    "ops.image.read_file", "ops.image.write_file",
    "ops.prim.save",       "torch._save_parameter",
    "ops.aten.to_file",    "torch.set_data_file"};

/// Namespaces of PyTorch and its own companions: they only compute, but for the
/// operators above.
constexpr std::array<std::string_view, 12> kOwn{
    "aten",      "prim",       "quantized",      "quantized_decomposed",
    "prepacked", "sparse",     "torchvision",    "image",
    "mkldnn",    "_quantized", "static_runtime", "nested"};
constexpr std::array<std::string_view, 6> kOwnClasses{
    "quantized", "sparse", "xnnpack", "rnn", "mkldnn", "metal"};

bool in(std::string_view name, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string_view first_part(std::string_view name) {
  return name.substr(0, name.find('.'));
}

void report_use(ScanContext& context, const std::string& member,
                const TorchScriptUse& use) {
  constexpr std::string_view kClass = "__torch__.torch.classes.";
  const std::string_view name = use.name;
  const auto say = [&](std::string_view rule, Severity severity,
                       std::string_view what) {
    context.report(
        rule, severity, {member, use.offset},
        fmt::format("line {}: {} {}", use.line, printable(name), what),
        printable(use.text));
  };
  if (in(name, kFiles) || (name.starts_with("ops.torchaudio.") &&
                           (name.find("load") != std::string_view::npos ||
                            name.find("save") != std::string_view::npos))) {
    say("torchscript-file", Severity::critical,
        "opens a file when the model is run");
  } else if (name.starts_with('^')) {
    say("torchscript-python", Severity::high, "calls back into Python");
  } else if (name.starts_with(kClass)) {
    if (!in(first_part(name.substr(kClass.size())), kOwnClasses)) {
      say("torchscript-foreign", Severity::medium,
          "is a class of a foreign native library");
    }
  } else if (name.starts_with("ops.") &&
             !in(first_part(name.substr(4)), kOwn) &&
             !name.starts_with("ops.torchaudio.")) {
    say("torchscript-foreign", Severity::medium,
        "is an operator of a foreign native library");
  }
}

/// Calls `act` with the text of every member that `wanted` picks.
template <typename Wanted, typename Act>
void each_text(ScanContext& context, const ByteSource& source,
               const ZipArchive& archive, std::uint64_t most, Wanted wanted,
               Act act) {
  for (const ZipMember& member : archive.members) {
    if (context.cancelled()) return;
    if (member.is_folder || !wanted(member.name)) continue;
    const ZipContent content =
        open_zip_member(source, member, std::min(most, context.budget()));
    if (content.source == nullptr) continue;  // said by the zip scanner
    if (content.source->size() > most) {
      context.unread(
          member.data_offset,
          fmt::format("{} is longer than is read", printable(member.name)));
    }
    const Bytes text = content.source->head(0, most);
    act(printable(member.name), as_text(text));
  }
}

}  // namespace

void report_torchscript(ScanContext& context, const ByteSource& source,
                        const ZipArchive& archive, const std::string& root) {
  const std::string folder = root + "/code/";
  each_text(
      context, source, archive, kMaxTorchScript,
      [&](const std::string& name) {
        return name.starts_with(folder) && name.ends_with(".py");
      },
      [&](const std::string& name, std::string_view text) {
        for (const TorchScriptUse& use : read_torchscript(text)) {
          report_use(context, name, use);
        }
      });
}

bool is_torch_package(const ZipArchive& archive) {
  return std::any_of(archive.members.begin(), archive.members.end(),
                     [](const ZipMember& member) {
                       return member.name.ends_with("/.data/extern_modules");
                     });
}

void report_torch_package(ScanContext& context, const ByteSource& source,
                          const ZipArchive& archive) {
  std::size_t sources = 0;
  each_text(
      context, source, archive, PythonSource::kMaxBytes,
      [](const std::string& name) { return name.ends_with(".py"); },
      [&](const std::string& name, std::string_view text) {
        ++sources;
        for (const PythonCall& call : read_python_source(text).calls) {
          if (call.reach == PythonCall::Reach::unpack) continue;
          context.report(
              call.at_import ? "code-import-effect" : "code-dangerous",
              call.at_import ? Severity::critical : Severity::high,
              {name, call.offset},
              fmt::format("line {}: {}{}", call.line, printable(call.name),
                          call.at_import ? " as soon as it is imported" : ""),
              printable(call.text));
        }
      });
  context.report(
      "torch-package", Severity::medium, 0,
      fmt::format("carries {} Python sources that PackageImporter runs",
                  sources));
}

}  // namespace impound
