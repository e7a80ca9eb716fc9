// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a scan may be asked to do, and what the caller lends it.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/source.hpp"

namespace impound {

/// Opens packed files that need a library of the storage room (7z, xz, bzip2,
/// zstd, rar …). The scan room may not include that room, so the engine lends
/// it one.
class Unpacker {
 public:
  Unpacker() = default;
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;
  virtual ~Unpacker() = default;

  /// What became of an archive.
  struct Outcome {
    bool is_archive = false;  ///< false: the bytes are no archive at all
    std::string problem;      ///< why it could not be read to its end; "" = ok
    bool is_encrypted = false;
  };

  /// One member: its name, its bytes (valid during the call), and how many
  /// bytes of it there are. @return false to stop.
  using Visit =
      std::function<bool(std::string_view name, const ByteSource& content)>;

  /// Calls `visit` for every regular member; a member larger than
  /// `member_limit` bytes, or all together larger than `total_limit`, ends the
  /// walk with a problem.
  [[nodiscard]] virtual Outcome unpack(const ByteSource& packed,
                                       std::uint64_t member_limit,
                                       std::uint64_t total_limit,
                                       const Visit& visit) const = 0;
};

struct ScanOptions {
  /// Lent, may be nullptr: packed files other than zip, tar, gzip and zlib are
  /// then reported as not read.
  const Unpacker* unpacker = nullptr;

  /// every_byte: digest every file, and search all of it for executables and
  /// secrets. code_only: read only what a loader would execute or parse.
  enum class Depth : std::uint8_t { every_byte, code_only };
  Depth depth = Depth::every_byte;

  /// Bytes that the archives of one file may unpack to, together.
  std::uint64_t max_unpacked = std::uint64_t{10} << 30U;
};

}  // namespace impound
