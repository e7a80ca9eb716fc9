// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Any archive or packed file that libarchive reads, with bounds: 7z, rar, cab,
/// cpio, iso, tar in gzip, bzip2, xz, zstd, lz4, and packed single files.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/source.hpp"

namespace impound {

struct ArchiveLimits {
  std::uint64_t member = std::uint64_t{10} << 30U;  ///< bytes of one member
  std::uint64_t total = std::uint64_t{10} << 30U;   ///< bytes of all together
  std::uint64_t members = 1'000'000;
  /// Unpacked bytes for one packed byte, above the first 64 MiB.
  std::uint64_t ratio = 10'000;
};

struct ArchiveOutcome {
  bool is_archive = false;  ///< libarchive knows the format
  bool is_encrypted = false;
  std::string problem;        ///< why it was not read to its end; "" = it was
  std::uint64_t members = 0;  ///< regular files visited
  std::uint64_t bytes = 0;    ///< unpacked
};

/// Called for every regular file. `name` as stored (raw bytes); the content is
/// valid during the call. @return false to stop.
using ArchiveVisit =
    std::function<bool(std::string_view name, const ByteSource& content)>;

/// Reads an archive from a source. A member is unpacked into memory up to 64
/// MiB, beyond that into an unnamed temporary file.
/// @throws Error{io} if the source or the temporary file fails; nothing for
///         malformed archives.
[[nodiscard]] ArchiveOutcome read_archive(const ByteSource& packed,
                                          const ArchiveLimits& limits,
                                          const ArchiveVisit& visit);

}  // namespace impound
