// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/npy_writer.hpp"

#include <fmt/format.h>

namespace impound {

Bytes npy_file(std::span<const float> numbers, std::uint64_t rows,
               std::uint64_t columns) {
  constexpr std::size_t kPreamble = 10;  // magic, version, header length
  constexpr std::size_t kAlignment = 64;
  std::string header = fmt::format(
      "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows,
      columns);
  while ((kPreamble + header.size() + 1) % kAlignment != 0) header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFFU);
  file += static_cast<char>(header.size() >> 8U);
  file += header;
  Bytes bytes = copy_bytes(file);
  const auto body = std::as_bytes(numbers);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

}  // namespace impound
