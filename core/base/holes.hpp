// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where a source holds data and where holes, which read as zeros by the word
/// of the file system: they need not be read.

#include <cstdint>

#include "core/base/source.hpp"

namespace impound {

/// A source that may know its holes: a file.
class SparseSource : public ByteSource {
 public:
  /// The first place from `offset` on where anything but zeros may stand, and
  /// where the first hole from `offset` on begins; size() where there is none.
  /// @throws Error{io} if the file became shorter.
  [[nodiscard]] virtual std::uint64_t next_data(std::uint64_t offset) const = 0;
  [[nodiscard]] virtual std::uint64_t next_hole(std::uint64_t offset) const = 0;
};

/// The same of any source: one that knows of no holes is data.
[[nodiscard]] std::uint64_t next_data(const ByteSource& source,
                                      std::uint64_t offset);
[[nodiscard]] std::uint64_t next_hole(const ByteSource& source,
                                      std::uint64_t offset);

/// Bytes of `size` at `offset` that lie in holes.
[[nodiscard]] std::uint64_t hole_bytes(const ByteSource& source,
                                       std::uint64_t offset,
                                       std::uint64_t size);

}  // namespace impound
