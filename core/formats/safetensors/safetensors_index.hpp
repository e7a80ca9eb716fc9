// SPDX-License-Identifier: Apache-2.0
#pragma once
/// model.safetensors.index.json: which shard holds which tensor, and whether
/// the shards agree.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/problem.hpp"
#include "core/formats/safetensors/safetensors.hpp"

namespace impound {

struct ShardIndex {
  std::optional<std::uint64_t> total_size;  ///< metadata.total_size, bytes
  std::map<std::string, std::string> weight_map;  ///< tensor → file
  Problems problems;
};

/// Parses the index file. Duplicate keys, wrong types and file names that leave
/// the folder ('/', "..", absolute) are problems; the rest is still read.
[[nodiscard]] ShardIndex parse_shard_index(std::string_view text,
                                           std::string_view name);

/// A shard that lies beside the index: its file name and what is in it.
struct Shard {
  std::string file;
  const Safetensors* content = nullptr;
};

/// Compares the index with the shards of its folder: every tensor stands in
/// the file the index names and in no other, no file and no tensor is left over
/// (a hiding place), and total_size is their sum.
[[nodiscard]] Problems check_shards(const ShardIndex& index,
                                    const std::vector<Shard>& shards);

}  // namespace impound
