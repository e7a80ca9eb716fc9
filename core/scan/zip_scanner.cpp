// SPDX-License-Identifier: Apache-2.0
/// Zip files: every member by its content, whatever its name; and torch zips,
/// whose parts must fit together.

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "core/base/text.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"
#include "core/scan/torchscript_report.hpp"

namespace impound {
namespace {

/// Stored members up to this size have their CRC checked: pickles and texts.
/// That of weights is a part of reading every byte.
constexpr std::uint64_t kMaxSmallMember = std::uint64_t{64} << 20U;

/// A storage of a torch file is numbers; of those that begin as no format does,
/// a scan of the code alone reads no more than this.
constexpr std::uint64_t kStorageHead = 512;

/// Members up to this size that are no storages are read at once.
constexpr std::uint64_t kMaxHeld = std::uint64_t{16} << 20U;

/// Whether the first bytes are those of anything that is scanned.
bool begins_as_a_format(const ByteSource& storage) {
  const Bytes head = storage.head(0, kStorageHead);
  const SpanSource source(head);
  return !recognise({.source = source, .head = head, .name = ""}).empty();
}

void scan_zip_member(ScanContext& context, const Subject& subject,
                     const ZipMember& member, bool is_torch_storage) {
  const bool reads_all =
      context.options().depth == ScanOptions::Depth::every_byte;
  // A storage of a torch file is numbers: its bytes are searched with the file,
  // but it may still be a zip or a pickle, which its head tells.
  if (member.method != 0 && context.budget() == 0) {
    // Said when it was used up: what is stored as it is costs nothing more.
    static_cast<void>(context.spend(member.size + 1));
    return;
  }
  ZipContent content =
      open_zip_member(subject.source, member, context.budget());
  Problems problems = std::move(content.problems);
  const bool is_cut = std::ranges::any_of(problems, [](const Problem& problem) {
    return problem.rule == "archive-expansion";
  });
  if (content.source != nullptr && content.is_stored && member.in_directory &&
      (reads_all || (member.size <= kMaxSmallMember && !is_torch_storage))) {
    const std::uint32_t crc = zip_crc32(*content.source);
    if (crc != member.crc32) {
      problems.push_back(
          {.rule = "zip-crc",
           .severity = Severity::medium,
           .offset = member.data_offset,
           .message = fmt::format("CRC {:08x} announced, {:08x} found",
                                  member.crc32, crc)});
    }
  }
  for (Problem& problem : problems) {
    problem.message = printable(member.name) + ": " + problem.message;
  }
  context.add_problems(problems);
  if (content.source == nullptr) {
    context.unread(
        member.data_offset,
        fmt::format("{} cannot be unpacked{}", printable(member.name),
                    member.claims_encryption() ? ": it is encrypted" : ""));
    return;
  }
  if (is_torch_storage && !reads_all && content.is_stored &&
      !begins_as_a_format(*content.source)) {
    return;
  }
  if (!is_torch_storage) hold_in_memory(content, kMaxHeld);
  if (!content.is_stored && !context.spend(content.source->size())) return;
  context.scan_member(
      member.name, member.data_offset, *content.source,
      content.is_stored ? MemberBytes::in_file : MemberBytes::unpacked);
  // What was unpacked of it is scanned; that there is more is said.
  if (is_cut) static_cast<void>(context.spend(context.budget() + 1));
}

}  // namespace

namespace {

/// No reader of zips looks into the comment; whoever put something there does.
void scan_zip_comment(ScanContext& context, const ByteSource& source,
                      const std::string& comment) {
  if (comment.empty()) return;
  constexpr std::uint64_t kMostBehind = std::uint64_t{128} << 10U;
  const std::uint64_t from =
      source.size() - std::min(source.size(), kMostBehind);
  const Bytes tail = source.head(from, kMostBehind);
  const std::size_t found = as_text(tail).rfind(comment);
  const std::uint64_t offset =
      found == std::string_view::npos ? from : from + found;
  const SpanSource inside(as_bytes(comment));
  context.scan_member("comment", offset, inside, MemberBytes::in_file);
  const Subject subject{
      .source = inside, .head = as_bytes(comment), .name = "comment"};
  if (!why_format(Format::pickle, subject).empty()) return;
  scan_pickle_rest(context, inside, offset);
}

}  // namespace

void scan_zip(ScanContext& context, const Subject& subject) {
  const ZipArchive& archive = archive_of(subject);
  context.add_problems(archive.problems);
  scan_zip_comment(context, subject.source, archive.comment);
  const std::optional<std::string> torch = torch_zip_root(archive);
  const std::string storages = torch ? *torch + "/data/" : std::string();
  if (is_torch_package(archive)) {
    report_torch_package(context, subject.source, archive);
  }
  std::vector<std::string_view> names;
  for (const ZipMember& member : archive.members) names.push_back(member.name);
  context.list_members(names);
  std::set<std::uint64_t> seen;
  std::uint64_t stored = 0;
  for (const ZipMember& member : archive.members) {
    if (context.cancelled()) return;
    if (member.is_folder && member.size == 0) continue;
    // Two names for the same bytes are one content.
    if (member.has_header && !seen.insert(member.data_offset).second) continue;
    // Members that lie in one another are work, as what is unpacked.
    if (member.method == 0) {
      stored += std::min(member.size, subject.source.size());
      if (stored > 2 * subject.source.size() &&
          !context.spend(std::min(member.size, subject.source.size()))) {
        return;
      }
    }
    scan_zip_member(context, subject, member,
                    torch && member.name.starts_with(storages));
  }
}

void scan_torch_zip(ScanContext& context, const Subject& subject) {
  const ZipArchive& archive = archive_of(subject);
  const TorchFile file =
      read_torch_zip(subject.source, archive, scanning_options());
  context.add_problems(file.problems);
  if (file.is_torchscript) {
    std::size_t sources = 0;
    for (const ZipMember& member : archive.members) {
      if (member.name.starts_with(file.root + "/code/") &&
          member.name.ends_with(".py")) {
        ++sources;
      }
    }
    ScanFinding finding;
    finding.rule = "torchscript-code";
    finding.severity = Severity::info;
    finding.message = fmt::format(
        "carries {} TorchScript sources, run by torch's own interpreter",
        sources);
    context.add(std::move(finding));
    context.judge(Verdict::allow_listed);
    report_torchscript(context, subject.source, archive, file.root);
  }
}

}  // namespace impound
