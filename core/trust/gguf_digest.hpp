// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Hashes of a GGUF file's tensors as llama.cpp's gguf-hash computes them, and
/// one of what those leave out: names, types, shapes and metadata.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/progress.hpp"
#include "core/base/source.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/stream_hash.hpp"
#include "core/formats/gguf/gguf.hpp"

namespace impound {

/// What can be asked of a file. The first four are over raw tensor data, in
/// the order of the file, without padding.
enum class GgufHash : std::uint8_t { xxh64, xxh3, sha1, sha256, uuid };

/// "xxh64", "xxh3", "sha1", "sha256", "uuid".
[[nodiscard]] std::string_view to_string(GgufHash hash) noexcept;

struct GgufHashLine {
  std::string hash;    ///< "sha256", "uuid", "metadata"
  std::string value;   ///< hexadecimal, or a UUID
  std::string tensor;  ///< empty: the whole file
};

struct GgufHashOptions {
  std::vector<GgufHash> hashes;  ///< at least one
  bool per_tensor = true;
};

/// The lines that gguf-hash prints, in its order.
/// @throws Error{malformed} naming `source_name` if the file is no GGUF or a
///         tensor does not lie inside it, Error{io} if it was told to stop.
[[nodiscard]] std::vector<GgufHashLine> gguf_hashes(
    const ByteSource& source, std::string_view source_name,
    const GgufHashOptions& options, Progress& progress,
    const Cancellation& cancellation);

/// SHA-256 over what the tensor hashes do not cover. The text hashed is, each
/// line ending in LF, names escaped as everywhere in impound (`\xNN`):
///
///   gguf-metadata 1
///   kv <key> <type> <SHA-256 of the value's bytes in the file>
///   tensor <name> <number of ggml_type> <dimensions, innermost first, by x>
///
/// `kv` lines are sorted by key, `tensor` lines by name, by bytes. Offsets,
/// padding and the version of the format do not count.
/// @throws as gguf_hashes().
[[nodiscard]] Digest gguf_metadata_hash(const ByteSource& source,
                                        std::string_view source_name);

/// A manifest of gguf-hash: "<hash>  <value>  <file>[:<tensor>]" a line.
/// A verdict that a former check put behind a line does not count.
struct GgufManifest {
  /// Hash and name to value; of two lines the first counts.
  std::map<std::pair<std::string, std::string>, std::string> values;

  [[nodiscard]] bool has(std::string_view hash) const;
};

[[nodiscard]] GgufManifest parse_gguf_manifest(std::string_view text);

enum class GgufManifestMatch : std::uint8_t { not_found, mismatch, ok };

/// "Not Found", "Mismatch", "Ok".
[[nodiscard]] std::string_view to_string(GgufManifestMatch match) noexcept;

/// What the line of that hash and name says about `value`.
[[nodiscard]] GgufManifestMatch match_manifest(const GgufManifest& manifest,
                                               std::string_view hash,
                                               std::string_view value,
                                               std::string_view name);

}  // namespace impound
