// SPDX-License-Identifier: Apache-2.0
/// PyTorch checkpoints that are not zips: five pickles in a row, and tar.

#include <fmt/format.h>

#include <algorithm>

#include "core/formats/torch/torch.hpp"
#include "core/formats/torch/torch_tar.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

void scan_torch_legacy(ScanContext& context, const Subject& subject) {
  const TorchFile file = read_torch_legacy(subject.source, scanning_options());
  for (const PickleRun& run : file.runs) {
    report_pickle_run(context, subject.source, run);
  }
  context.add_problems(file.problems);
  const std::uint64_t size = subject.source.size();
  if (file.end >= size) return;
  // Behind the storages nothing should stand. Where the structure could not be
  // followed to its end, this is where further pickles are looked for.
  const SubSource rest(subject.source, file.end, size - file.end);
  if (file.problems.empty()) {
    ScanFinding finding;
    finding.rule = "torch-trailing";
    finding.severity = Severity::medium;
    finding.offset = file.end;
    finding.message =
        fmt::format("{} bytes behind the last storage", size - file.end);
    context.add(std::move(finding));
  }
  scan_pickle_rest(context, rest, file.end);
}

namespace {

/// Where the zeros behind the last member of a tar end.
std::uint64_t behind_zeros(const ByteSource& source, std::uint64_t from) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20U;
  while (from < source.size()) {
    const Bytes piece = source.head(from, kPiece);
    const auto other =
        std::find_if(piece.begin(), piece.end(),
                     [](std::byte byte) { return byte != std::byte{0}; });
    if (other != piece.end()) {
      return from + static_cast<std::uint64_t>(other - piece.begin());
    }
    from += piece.size();
  }
  return from;
}

/// Readers of tar stop at two blocks of zeros; what stands behind them is for
/// somebody who knows of it.
void scan_behind_tar(ScanContext& context, const ByteSource& source,
                     std::uint64_t end) {
  const std::uint64_t begin = behind_zeros(source, end);
  const std::uint64_t size = source.size();
  if (begin >= size) return;
  ScanFinding finding;
  finding.rule = "archive-trailing";
  finding.severity = Severity::medium;
  finding.offset = begin;
  finding.message =
      fmt::format("{} bytes behind the last member", size - begin);
  context.add(std::move(finding));
  const SubSource rest(source, begin, size - begin);
  scan_pickle_rest(context, rest, begin);
  context.scan_member("behind the last member", begin, rest,
                      MemberBytes::in_file);
}

}  // namespace

void scan_tar(ScanContext& context, const Subject& subject) {
  const TarArchive archive = read_tar(subject.source);
  context.add_problems(archive.problems);
  const bool is_torch = is_torch_tar(archive);
  std::vector<std::string_view> names;
  for (const TarFileMember& member : archive.members) {
    names.push_back(member.name);
  }
  context.list_members(names);
  for (const TarFileMember& member : archive.members) {
    if (context.cancelled()) return;
    if (!member.is_file()) continue;
    // Its pickles lie between raw numbers: scan_torch_tar follows them.
    if (is_torch && (member.name.ends_with("storages") ||
                     member.name.ends_with("tensors"))) {
      continue;
    }
    const SubSource content(subject.source, member.offset, member.size);
    context.scan_member(member.name, member.offset, content,
                        MemberBytes::in_file);
  }
  scan_behind_tar(context, subject.source, archive.end);
}

void scan_torch_tar(ScanContext& context, const Subject& subject) {
  const TarArchive archive = read_tar(subject.source);
  for (const TorchTarMember& member :
       read_torch_tar(subject.source, archive, scanning_options())) {
    if (member.name.ends_with("pickle")) continue;  // scanned as a member
    const SubSource content(subject.source, member.offset, member.size);
    for (const PickleRun& run : member.runs) {
      report_pickle_run(context, content, run);
    }
    context.add_problems(member.problems);
    if (member.end < member.size) {
      const SubSource rest(content, member.end, member.size - member.end);
      scan_pickle_rest(context, rest, member.end);
    }
  }
}

}  // namespace impound
