// SPDX-License-Identifier: Apache-2.0
/// Files packed as a whole, and archives that need a library of the storage
/// room.

#include <fmt/format.h>

#include <array>

#include "core/base/text.hpp"
#include "core/formats/packed/zip_inflate.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

void scan_deflated(ScanContext& context, const Subject& subject,
                   DeflateWrapping wrapping, std::string_view name) {
  const InflateSource content(subject.source, 0, subject.source.size(),
                              wrapping, context.budget());
  const InflateOutcome& outcome = content.outcome();
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
  context.scan_member("unpacked", 0, content, MemberBytes::unpacked);
}

struct Magic {
  std::string_view bytes;
  std::string_view format;
};

constexpr std::array kPacked{
    Magic{"7z\xbc\xaf\x27\x1c", "7z"},
    Magic{std::string_view("\xfd"
                           "7zXZ\x00",
                           6),
          "xz"},
    Magic{"BZh", "bzip2"},
    Magic{"\x28\xb5\x2f\xfd", "zstd"},
    Magic{"\x04\x22\x4d\x18", "lz4"},
    Magic{"Rar!\x1a\x07", "rar"},
    Magic{std::string_view("\x5d\x00\x00", 3), "lzma"},
    Magic{"MSCF", "cab"},
    Magic{"070701", "cpio"},
    Magic{"070702", "cpio"},
    Magic{"070707", "cpio"},
    Magic{"xar!", "xar"},
    Magic{"!<arch>\n", "ar"},
};

std::string_view packed_format(const Subject& subject) {
  for (const Magic& magic : kPacked) {
    if (as_text(subject.head).starts_with(magic.bytes)) return magic.format;
  }
  // The first volume descriptor of a disc image; a polyglot has the 32 KiB
  // before it to itself.
  constexpr std::size_t kDescriptor = 32769;
  if (subject.head.size() > kDescriptor + 5 &&
      as_text(subject.head).substr(kDescriptor, 5) == "CD001") {
    return "iso9660";
  }
  return {};
}

}  // namespace

bool recognise_gzip(const Subject& subject) {
  return as_text(subject.head).starts_with("\x1f\x8b\x08");
}

void scan_gzip(ScanContext& context, const Subject& subject) {
  scan_deflated(context, subject, DeflateWrapping::gzip, "gzip");
}

bool recognise_zlib(const Subject& subject) {
  if (subject.head.size() < 8) return false;
  const int first = std::to_integer<int>(subject.head[0]);
  const int second = std::to_integer<int>(subject.head[1]);
  if (first != 0x78 || (first * 256 + second) % 31 != 0 ||
      (second & 0x20) != 0) {
    return false;
  }
  // Two bytes are not much: the beginning must unpack to something.
  const InflateSource trial(subject.source, 0, subject.source.size(),
                            DeflateWrapping::zlib, 4096);
  return trial.size() > 0 &&
         (trial.outcome().has_ended || trial.outcome().is_over_limit ||
          trial.size() >= 64);
}

void scan_zlib(ScanContext& context, const Subject& subject) {
  scan_deflated(context, subject, DeflateWrapping::zlib, "zlib");
}

bool recognise_packed(const Subject& subject) {
  return !packed_format(subject).empty();
}

void scan_packed(ScanContext& context, const Subject& subject) {
  const std::string_view format = packed_format(subject);
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
  // Three bytes of "lzma" or "BZh" may be something else altogether.
  if (!outcome.is_archive && format != "lzma" && format != "bzip2") {
    context.unread(0, fmt::format("begins as {}, and is none", format));
  } else if (outcome.is_archive && !outcome.problem.empty()) {
    context.unread(0, fmt::format("{}{}: {}", format,
                                  outcome.is_encrypted ? ", encrypted" : "",
                                  outcome.problem));
  }
}

}  // namespace impound
