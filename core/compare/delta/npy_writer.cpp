// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/npy_writer.hpp"

#include <fmt/format.h>

namespace impound {

namespace {

/// Version 1.0: magic, version, length of a header that ends at a multiple of
/// 64 bytes.
Bytes with_header(std::string header, ByteView body) {
  constexpr std::size_t kPreamble = 10;
  constexpr std::size_t kAlignment = 64;
  while ((kPreamble + header.size() + 1) % kAlignment != 0) header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFFU);
  file += static_cast<char>(header.size() >> 8U);
  file += header;
  Bytes bytes = copy_bytes(file);
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

}  // namespace

Bytes npy_file(std::span<const float> numbers, std::uint64_t rows,
               std::uint64_t columns) {
  return with_header(
      fmt::format(
          "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
          rows, columns),
      std::as_bytes(numbers));
}

Bytes npy_file(std::span<const std::uint64_t> numbers) {
  return with_header(
      fmt::format(
          "{{'descr': '<u8', 'fortran_order': False, 'shape': ({},), }}",
          numbers.size()),
      std::as_bytes(numbers));
}

}  // namespace impound
