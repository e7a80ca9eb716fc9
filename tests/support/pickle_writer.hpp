// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Pickles and zips made by hand, for tests of what reads hostile ones.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound::test {

[[nodiscard]] std::string little(std::uint64_t value, int size);

/// Opcodes as text, with a few words for those that carry lengths.
class PickleWriter {
 public:
  explicit PickleWriter(int protocol = -1) {
    if (protocol >= 0) raw(std::string("\x80") + static_cast<char>(protocol));
  }
  PickleWriter& raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  PickleWriter& text(std::string_view value);   ///< BINUNICODE
  PickleWriter& bytes(std::string_view value);  ///< BINBYTES
  PickleWriter& global(std::string_view module, std::string_view name);
  PickleWriter& stack_global(std::string_view module, std::string_view name);
  /// GLOBAL, one text argument, REDUCE.
  PickleWriter& call(std::string_view module, std::string_view name,
                     std::string_view argument);
  [[nodiscard]] std::string stop() const { return out_ + "."; }
  [[nodiscard]] std::string unfinished() const { return out_; }

 private:
  std::string out_;
};

/// What a test wants to be wrong with a member.
struct ZipEntry {
  std::string name;
  std::string content = {};
  std::string local_name = {};    ///< "" = name
  std::uint16_t flags = 0;        ///< in both headers
  std::uint16_t local_flags = 0;  ///< or-ed into the local one
  std::uint32_t crc_error = 0;    ///< xor-ed into the CRC
  std::uint32_t attributes = 0;   ///< external
  bool is_listed = true;
};

/// A zip of stored members.
[[nodiscard]] std::string make_zip(const std::vector<ZipEntry>& entries,
                                   std::string_view prefix = {});

/// A tar of plain files, ustar.
struct TarEntry {
  std::string name;
  std::string content;
};
[[nodiscard]] std::string make_tar(const std::vector<TarEntry>& entries);

}  // namespace impound::test
