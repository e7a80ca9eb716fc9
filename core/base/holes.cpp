// SPDX-License-Identifier: Apache-2.0
#include "core/base/holes.hpp"

#include <algorithm>

namespace impound {

std::uint64_t next_data(const ByteSource& source, std::uint64_t offset) {
  const auto* const sparse = dynamic_cast<const SparseSource*>(&source);
  return sparse != nullptr ? sparse->next_data(offset)
                           : std::min(offset, source.size());
}

std::uint64_t next_hole(const ByteSource& source, std::uint64_t offset) {
  const auto* const sparse = dynamic_cast<const SparseSource*>(&source);
  return sparse != nullptr ? sparse->next_hole(offset) : source.size();
}

std::uint64_t hole_bytes(const ByteSource& source, std::uint64_t offset,
                         std::uint64_t size) {
  const std::uint64_t end = offset + size;
  std::uint64_t holes = 0;
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t data = std::min(next_data(source, at), end);
    holes += data - at;
    // A file that changes meanwhile may have a hole there by now.
    at = data < end ? std::max(next_hole(source, data), data + 1) : end;
  }
  return holes;
}

}  // namespace impound
