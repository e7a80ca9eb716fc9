// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Lends the storage room's archive reader to the scan room.

#include "core/scan/scan_options.hpp"

namespace impound {

class ArchiveUnpacker final : public Unpacker {
 public:
  [[nodiscard]] Outcome unpack(const ByteSource& packed,
                               std::uint64_t member_limit,
                               std::uint64_t total_limit,
                               const Visit& visit) const override;
};

}  // namespace impound
