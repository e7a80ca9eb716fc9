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

namespace impound {

struct ContentDigests {
  Digest file;
  /// One for each tensor, in their order; empty where more than 64 tensors
  /// claim the same bytes (only a hostile header does that).
  std::vector<std::optional<Digest>> tensors;
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
    HashLanes lanes, const HashStep& step);

}  // namespace impound
