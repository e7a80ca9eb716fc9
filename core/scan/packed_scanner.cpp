// SPDX-License-Identifier: Apache-2.0
/// Files packed as a whole, and archives that need a library of the storage
/// room.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"
#include "core/formats/packed/zip_inflate.hpp"
#include "core/scan/promise.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

/// Three bytes are not much: numbers and other files begin so by chance. What
/// yields next to nothing, and nothing that is a file, is not packed; a name
/// that promises gzip, or a model, is held to it.
bool is_no_gzip_at_all(const Subject& subject, const InflateSource& content) {
  constexpr std::uint64_t kByChance = 64;
  static constexpr std::array<std::string_view, 4> kNames = {".gz", ".tgz",
                                                             ".gzip", ".z"};
  const InflateOutcome& outcome = content.outcome();
  if (outcome.has_ended || outcome.is_over_limit ||
      outcome.unpacked >= kByChance) {
    return false;
  }
  const std::string name = to_lower_ascii(subject.name);
  if (promises_model(name) ||
      std::ranges::any_of(kNames, [&](std::string_view suffix) {
        return name.ends_with(suffix);
      })) {
    return false;
  }
  const Bytes head = content.head(0, kByChance);
  const SpanSource inside(head);
  return recognise({.source = inside, .head = head, .name = ""}).empty();
}

/// x.pkl.gz promises an x.pkl, and a packed x.joblib is unpickled as it is.
std::string unpacked_name(std::string_view name) {
  for (const std::string_view ending : {".gz", ".gzip", ".z", ".zlib"}) {
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  }
  return promises_model(name) ? "unpacked/" + std::string(name) : "unpacked";
}

void scan_deflated(ScanContext& context, const Subject& subject,
                   DeflateWrapping wrapping, std::string_view name) {
  const InflateSource content(subject.source, 0, subject.source.size(),
                              wrapping, context.budget());
  const InflateOutcome& outcome = content.outcome();
  if (wrapping == DeflateWrapping::gzip &&
      is_no_gzip_at_all(subject, content)) {
    return;
  }
  if (!context.spend(outcome.unpacked)) return;
  if (outcome.is_over_limit) {
    context.unread(0, "unpacks to more than the limit");
  } else if (!outcome.has_ended) {
    context.unread(outcome.packed_used,
                   fmt::format("{}: {}", name, outcome.problem));
  }
  if (outcome.packed_used < subject.source.size()) {
    ScanFinding finding;
    finding.rule = "archive-trailing";
    finding.severity = Severity::medium;
    finding.offset = outcome.packed_used;
    finding.message = fmt::format("{} bytes behind the packed data",
                                  subject.source.size() - outcome.packed_used);
    context.add(std::move(finding));
    const SubSource rest(subject.source, outcome.packed_used,
                         subject.source.size() - outcome.packed_used);
    context.scan_member("behind the packed data", outcome.packed_used, rest,
                        MemberBytes::in_file);
  }
  context.scan_member(unpacked_name(subject.name), 0, content,
                      MemberBytes::unpacked);
}

}  // namespace

void scan_gzip(ScanContext& context, const Subject& subject) {
  scan_deflated(context, subject, DeflateWrapping::gzip, "gzip");
}

void scan_zlib(ScanContext& context, const Subject& subject) {
  scan_deflated(context, subject, DeflateWrapping::zlib, "zlib");
}

void scan_packed(ScanContext& context, const Subject& subject) {
  const std::string_view format = packed_name(subject.head);
  const Unpacker* const unpacker = context.options().unpacker;
  if (unpacker == nullptr) {
    context.unread(0, fmt::format("{} is not unpacked here", format));
    return;
  }
  const Unpacker::Outcome outcome = unpacker->unpack(
      subject.source, context.budget(), context.budget(),
      [&](std::string_view name, const ByteSource& content) {
        if (!context.spend(content.size())) return false;
        context.scan_member(name, 0, content, MemberBytes::unpacked);
        return !context.cancelled();
      });
  // Three bytes of "lzma" or "BZh" may be something else altogether, unless the
  // name promises that somebody loads it.
  if (!outcome.is_archive && ((format != "lzma" && format != "bzip2") ||
                              promises_model(subject.name))) {
    context.unread(0, fmt::format("begins as {}, and is none", format));
  } else if (outcome.is_archive && !outcome.problem.empty()) {
    context.unread(0, fmt::format("{}{}: {}", format,
                                  outcome.is_encrypted ? ", encrypted" : "",
                                  outcome.problem));
  }
}

}  // namespace impound
