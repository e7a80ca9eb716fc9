// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What stands beside a bundle: seal, digest file, the stranger's script. All
/// are functions of the bundle, so that verify can make them again and compare.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/frame_stream.hpp"
#include "core/evidence/layout.hpp"

namespace impound {

/// Everything that the seal says.
struct SealFacts {
  std::string case_id;
  std::string exhibit_id;
  std::string bundle_name;  ///< "E001.tar.zst"
  std::uint64_t bundle_size = 0;
  Digest bundle_sha256;
  Digest manifest_sha256;
  Digest tagmanifest_sha256;
  std::uint64_t payload_bytes = 0;
  std::uint64_t items = 0;
  std::uint64_t gaps = 0;
  Json counts = Json::object();
  std::string compression;
  std::string chain_head;
  std::string sealed_at;
  layout::MetaPointer meta;
  std::vector<SealedFrame> frames;
};

/// "zstd, independent frames, level 1/3".
[[nodiscard]] std::string compression_text(const FrameLevels& levels);

/// bag-info.txt. `extra` follows the standard lines; every value is made one
/// line.
struct BagInfo {
  std::string case_id;
  std::string exhibit_id;
  std::string sealed_at;  ///< RFC 3339
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_files = 0;
  std::uint64_t items = 0;
  std::uint64_t gaps = 0;
  std::string compression;
  std::string chain_head;
  std::vector<std::pair<std::string, std::string>> extra;
};
[[nodiscard]] std::string bag_info_text(const BagInfo& info);

/// E001.VERIFY.txt.
[[nodiscard]] std::string verify_text(const SealFacts& facts);
/// E001.tar.zst.sha256.
[[nodiscard]] std::string digest_file_text(const SealFacts& facts);
/// E001.seal.json; names the digest of verify_text().
[[nodiscard]] std::string seal_text(const SealFacts& facts);

}  // namespace impound
