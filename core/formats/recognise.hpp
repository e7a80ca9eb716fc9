// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What kind of file it is: the one answer for everybody who reads model files.
///
/// Two readers that recognise by themselves disagree sooner or later, and then
/// one looks at a file that the other passes over in silence: an HDF5 file
/// behind a user block was scanned for code and never compared. So what a file
/// is gets decided here, by what it holds, and scanning and comparing only
/// choose what to do with the answer.
///
/// A file may be several things at once (a polyglot, a container of a known
/// kind): all of them are answered. Nothing here reads a large file through:
/// the first kFormatHead bytes, the last 64 KiB (a zip is found from its end),
/// 8 bytes at a few dozen offsets (HDF5 behind a user block), the field headers
/// of a protobuf, and JSON documents of at most 64 MiB.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"

namespace impound {

struct ZipArchive;
namespace wire {
struct Outline;
}

enum class Format : std::uint8_t {
  unknown,
#define IMPOUND_FORMAT(id, ...) id,
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT
};

/// What a file of a format is to a model.
enum class FormatRole : std::uint8_t {
  none,         ///< of Format::unknown
  weights,      ///< nothing but a model holds its weights so
  objects,      ///< weights, or whatever else a program kept
  container,    ///< of files, whatever these are; packed_name() tells some
  description,  ///< of a model, without its weights
  text,         ///< beside the weights: settings, templates, manifests
};

/// "torch-zip", "hdf5", "unknown": in reports, baselines and for people.
[[nodiscard]] std::string_view to_string(Format format) noexcept;
/// The format of that name; empty for a name that this build does not know.
[[nodiscard]] std::optional<Format> format_from(std::string_view name) noexcept;
/// The format that this one is a kind of (a torch zip is a zip); unknown where
/// there is none.
[[nodiscard]] Format kind_of(Format format) noexcept;
[[nodiscard]] FormatRole role_of(Format format) noexcept;
/// In the order of formats.inc.
[[nodiscard]] std::vector<Format> formats_of(FormatRole role);

/// Documents above this are no configuration of a model.
inline constexpr std::uint64_t kMaxJsonText = std::uint64_t{64} << 20U;

/// Bytes of the front that are looked at.
inline constexpr std::size_t kFormatHead = 65536;

/// A file or a member of an archive, as recognisers see it.
struct FormatSubject {
  const ByteSource& source;
  ByteView head;  ///< the first bytes: kFormatHead, or all there are
  /// Last component of the name. Formats are decided by content; the name may
  /// only pick a role among texts that look alike (config.json), or claim a
  /// format that the content then fails (x.safetensors).
  std::string_view name;
  /// What was found out already: see archive_of().
  mutable std::shared_ptr<const ZipArchive> zip = {};
  mutable std::optional<bool> is_zip = {};
  /// See outline_of().
  mutable std::shared_ptr<const wire::Outline> outline = {};
  /// See json_mentions(): a bit for each of its keys.
  mutable std::optional<std::uint32_t> json_keys = {};
};

/// The first byte that is no white space begins a JSON object, however many
/// blanks stand before it.
[[nodiscard]] bool begins_json(const FormatSubject& subject);

/// Whether "`key`" stands anywhere in a JSON text of at most kMaxJsonText,
/// spelled with escapes or without. `key` is one of those in model_texts.cpp.
[[nodiscard]] bool json_mentions(const FormatSubject& subject,
                                 std::string_view key);

/// It has the directory of a zip, wherever it begins; looked for once.
[[nodiscard]] bool is_zip(const FormatSubject& subject);
/// The archive of a subject that is a zip, read once.
[[nodiscard]] const ZipArchive& archive_of(const FormatSubject& subject);

/// Which fields a subject has if it is a protobuf message, walked once for all
/// formats that are.
[[nodiscard]] const wire::Outline& outline_of(const FormatSubject& subject);

// Of each format: why a subject is one, empty if it is not. Called through
// why_format().
#define IMPOUND_FORMAT(id, ...) \
  std::string_view why_##id(const FormatSubject& subject);
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT

struct Recognised {
  Format format = Format::unknown;
  std::string_view why;  ///< "begins with \"GGUF\""
};

/// Why `subject` is of this format; empty if it is not. A subject that a
/// recogniser cannot read through is none of its kind.
/// @throws Error{io}, Error{integrity} of the source.
[[nodiscard]] std::string_view why_format(Format format,
                                          const FormatSubject& subject);

/// Everything that a subject is, in the order of formats.inc; empty if nothing.
[[nodiscard]] std::vector<Recognised> recognise(const FormatSubject& subject);
/// The same without the texts beside the weights.
[[nodiscard]] std::vector<Recognised> recognise_binary(
    const FormatSubject& subject);

/// "7z", "xz" … of a subject that is Format::packed; else empty.
[[nodiscard]] std::string_view packed_name(ByteView head) noexcept;

}  // namespace impound
