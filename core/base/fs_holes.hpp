// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where a sparse file holds data, so that its holes need not be read.

#include <cstdint>
#include <vector>

#include "core/base/fs.hpp"

namespace impound {

/// A part of a file, in bytes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

/// The holes of the first `size` bytes, ascending. Empty where the file system
/// knows none or they are more than `limit`: then everything is read.
[[nodiscard]] std::vector<Extent> find_holes(const UniqueFd& fd,
                                             std::uint64_t size,
                                             std::size_t limit);

}  // namespace impound
