// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Tar archives (v7, ustar, GNU, pax) as places in a file.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"

namespace impound {

struct TarFileMember {
  std::string name;
  char type = '0';  ///< as in the header: '0' file, '2' symlink, '5' folder …
  std::string link;
  std::uint64_t header_offset = 0;
  std::uint64_t offset = 0;  ///< of the content
  std::uint64_t size = 0;

  [[nodiscard]] bool is_file() const {
    return type == '0' || type == '\0' || type == '7';
  }
};

struct TarArchive {
  std::vector<TarFileMember> members;
  std::uint64_t end = 0;  ///< behind the last member, before the zero blocks
  Problems problems;

  static constexpr std::size_t kMaxMembers = 1'000'000;
};

/// A header block with the right checksum.
[[nodiscard]] bool looks_like_tar(ByteView head);

/// Reads what there is; never throws for malformed bytes.
[[nodiscard]] TarArchive read_tar(const ByteSource& source);

}  // namespace impound
