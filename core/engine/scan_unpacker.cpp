// SPDX-License-Identifier: Apache-2.0
#include "core/engine/scan_unpacker.hpp"

#include "core/storage/archive.hpp"

namespace impound {

Unpacker::Outcome ArchiveUnpacker::unpack(const ByteSource& packed,
                                          std::uint64_t member_limit,
                                          std::uint64_t total_limit,
                                          const Visit& visit) const {
  ArchiveLimits limits;
  limits.member = member_limit;
  limits.total = total_limit;
  ArchiveOutcome read = read_archive(packed, limits, visit);
  return {.is_archive = read.is_archive,
          .problem = std::move(read.problem),
          .is_encrypted = read.is_encrypted};
}

}  // namespace impound
