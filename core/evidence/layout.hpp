// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The names and fixed parts of a bundle (FORMAT.md), shared by everything that
/// writes, reads or verifies one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/crypto/digest.hpp"

namespace impound::layout {

inline constexpr int kVersion = 1;
inline constexpr std::string_view kSuffix = ".tar.zst";
inline constexpr std::string_view kRoot = "./";
inline constexpr std::string_view kData = "./data/";

inline constexpr std::string_view kBagit = "bagit.txt";
inline constexpr std::string_view kBagInfo = "bag-info.txt";
inline constexpr std::string_view kManifest = "manifest-sha256.txt";
inline constexpr std::string_view kTagManifest = "tagmanifest-sha256.txt";
inline constexpr std::string_view kFiles = "meta/files.jsonl";
inline constexpr std::string_view kSkipped = "meta/skipped.jsonl";
inline constexpr std::string_view kBagitText =
    "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// Bytes of zeros that end the tar (POSIX: two blocks).
inline constexpr std::size_t kTarEnd = 1024;

/// The name under data/ that a member really gets: raw bytes, but CR and LF as
/// "\x0D" and "\x0A". A line-based check by stock tools could not tell such a
/// name from two lines; the true name stands in meta/files.jsonl.
[[nodiscard]] std::string stored_name(std::string_view name);

/// A path as manifests have it: CR, LF and '%' as %0D, %0A, %25 (RFC 8493,
/// section 2.1.3).
[[nodiscard]] std::string escape_manifest_path(std::string_view path);
[[nodiscard]] std::string unescape_manifest_path(std::string_view path);

/// One manifest: "<64 hex>  <path>\n", sorted by path bytes.
[[nodiscard]] std::string manifest_text(
    std::vector<std::pair<std::string, Digest>> entries);

/// The value of a line "Key: value" of bag-info.txt; empty if it is absent.
[[nodiscard]] std::optional<std::string> bag_info_value(std::string_view text,
                                                        std::string_view key);

/// The skippable frame before the seek table that says where the metadata is:
/// magic 0x184D2A5D, 32 bytes of payload:
///   "IMPOUND\0" | version u32 | first meta frame u32 |
///   tar offset of the metadata u64 | bytes of the whole tar u64
inline constexpr std::uint32_t kPointerMagic = 0x184D2A5D;
inline constexpr std::size_t kPointerSize = 32;
struct MetaPointer {
  std::uint32_t first_frame = 0;
  std::uint64_t tar_offset = 0;
  std::uint64_t tar_size = 0;
};
[[nodiscard]] Bytes encode_pointer(const MetaPointer& pointer);
/// Reads a whole frame, header included.
/// @throws Error{malformed}, Error{unsupported} for another version.
[[nodiscard]] MetaPointer parse_pointer(ByteView frame, std::string_view source,
                                        std::uint64_t offset);

}  // namespace impound::layout
