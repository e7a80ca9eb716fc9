// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Digests of a file and of the tensors in it, from one read.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/source.hpp"
#include "core/crypto/digest.hpp"
#include "core/formats/tensor.hpp"
#include "core/view/known_digests.hpp"

namespace impound {

struct ContentDigests {
  KnownDigests file;
  /// One for each tensor, in their order; empty where more than 64 tensors
  /// claim the same bytes (only a hostile header does that).
  std::vector<KnownDigests> tensors;
};

/// Which digests are taken, and whether holes are read for them.
enum class HashedAs : std::uint8_t {
  whole,             ///< SHA-256 of every byte
  whole_and_folded,  ///< both, of every byte
  /// Holes are not read: the folded one, and the SHA-256 of tensors that lie in
  /// data alone.
  folded,
  nothing,  ///< nothing is read
};

enum class HashLanes : std::uint8_t {
  one,  ///< file and tensors on the calling thread
  two,  ///< tensors on a second thread: for a file that is read alone
};

/// Called after every piece with the bytes of this piece; false stops.
using HashStep = std::function<bool(std::uint64_t)>;

/// Reads `source` once, in pieces of 4 MiB. `tensors` lie inside the source and
/// are sorted by offset. Empty if `step` said stop.
/// @throws what source.read() throws.
[[nodiscard]] std::optional<ContentDigests> digest_content(
    const ByteSource& source, const std::vector<TensorInfo>& tensors,
    HashedAs as, HashLanes lanes, const HashStep& step);

}  // namespace impound
