// SPDX-License-Identifier: Apache-2.0
// rooms: storage
/// Headers of tar members: what the parser accepts, the writer writes, and the
/// parser reads again as the same member. The first block's checksum is put
/// right before, or no change would get past it.

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/base/error.hpp"
#include "core/storage/tar.hpp"

using namespace impound;

namespace {

constexpr std::size_t kChecksum = 148;

void fix_checksum(std::span<std::byte> block) {
  std::memset(block.data() + kChecksum, ' ', 8);
  unsigned sum = 0;
  for (const std::byte byte : block) sum += std::to_integer<unsigned>(byte);
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(block.data() + kChecksum, digits.data(), 6);
  block[kChecksum + 6] = std::byte{0};
}

void check(ByteView bytes) {
  static_cast<void>(tar_headers_size(bytes));
  TarHeaders headers;
  try {
    headers = parse_tar_headers(bytes, "fuzz", 0);
  } catch (const Error&) {
    return;
  }
  if (headers.size > bytes.size() || headers.size % kTarBlock != 0) {
    std::abort();
  }
  Bytes written;
  try {
    written = encode_tar_headers(headers.member, 0);
  } catch (const Error& error) {
    if (error.code() != Errc::limit) std::abort();
    return;
  }
  if (tar_headers_size(written) != written.size()) std::abort();
  const TarHeaders again = parse_tar_headers(written, "again", 0);
  if (!(again.member == headers.member)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView raw = std::as_bytes(std::span(data, size));
  check(raw);
  Bytes bytes(raw.begin(), raw.end());
  if (bytes.size() < kTarBlock) return 0;
  fix_checksum(std::span(bytes).first(kTarBlock));
  const std::size_t second = tar_headers_size(bytes) - kTarBlock;
  if (second > 0 && second + kTarBlock <= bytes.size()) {
    fix_checksum(std::span(bytes).subspan(second, kTarBlock));
  }
  check(bytes);
  return 0;
}
