// SPDX-License-Identifier: Apache-2.0
#include "core/formats/weights_file.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

bool is_format(Format format, const FormatSubject& subject) {
  return !why_format(format, subject).empty();
}

/// A zip of arrays, of NumPy or Keras. Others (a .jar, python.zip) are open in
/// many processes and are no model.
bool is_weights_zip(const FormatSubject& subject) {
  if (!is_format(Format::zip, subject)) return false;
  const auto& members = archive_of(subject).members;
  return std::ranges::any_of(members, [](const ZipMember& member) {
    return member.name.ends_with(".npy") || member.name.ends_with(".h5");
  });
}

/// With a protocol in front: texts are full of older opcodes.
bool is_protocol_pickle(const FormatSubject& subject) {
  return !subject.head.empty() &&
         std::to_integer<unsigned>(subject.head[0]) == 0x80 &&
         is_format(Format::pickle, subject);
}

}  // namespace

bool holds_weights(const ByteSource& source) noexcept {
  try {
    const Bytes head = source.head(0, kFormatHead);
    if (as_text(head).starts_with("\x7f"
                                  "ELF")) {
      return false;  // most of what a process maps: said early
    }
    const FormatSubject subject{.source = source, .head = head, .name = {}};
    // Pickles and zips are looked into.
    return std::ranges::any_of(
               formats_of(FormatRole::weights),
               [&](Format format) { return is_format(format, subject); }) ||
           is_protocol_pickle(subject) || is_weights_zip(subject);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace impound
