// SPDX-License-Identifier: Apache-2.0
/// HDF5 File Format Specification 3.0: IV.A.2.b (dataspace), .d (datatype),
/// .i (data layout).

#include "core/formats/hdf5/hdf5_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/formats/source_cursor.hpp"

namespace impound {
namespace {

SourceCursor cursor_at(const ByteSource& source, std::uint64_t offset) {
  return {source, std::min(offset, source.size()), 512};
}

bool read_shape(const ByteSource& source, const Hdf5Widths& widths,
                std::uint64_t offset, Hdf5Dataset& set) {
  SourceCursor cursor = cursor_at(source, offset);
  const unsigned version = cursor.u8();
  const unsigned rank = cursor.u8();
  constexpr unsigned kMostRank = 32;  // as the library allows
  if (version < 1 || version > 2 || rank > kMostRank) return false;
  cursor.skip(version == 1 ? 6 : 2);
  for (unsigned i = 0; i < rank; ++i) {
    set.info.shape.push_back(cursor.integer(widths.length));
  }
  return cursor.ok();
}

/// Number types whose bytes are their numbers; everything else is unknown.
Dtype read_type(const ByteSource& source, std::uint64_t offset,
                bool& is_big_endian) {
  SourceCursor cursor = cursor_at(source, offset);
  const unsigned kind = cursor.u8() & 15U;
  const unsigned bits = cursor.u8();
  cursor.skip(2);
  const std::uint32_t size = cursor.u32();
  is_big_endian = (bits & 1U) != 0;
  if (kind == 0) {  // fixed point
    const bool is_signed = (bits & 8U) != 0;
    switch (size) {
      case 1:
        return is_signed ? Dtype::i8 : Dtype::u8;
      case 2:
        return is_signed ? Dtype::i16 : Dtype::u16;
      case 4:
        return is_signed ? Dtype::i32 : Dtype::u32;
      case 8:
        return is_signed ? Dtype::i64 : Dtype::u64;
      default:
        return Dtype::unknown;
    }
  }
  if (kind == 1) {  // floating point: the width of the exponent tells
    cursor.skip(5);
    const unsigned exponent = cursor.u8();
    if (size == 2 && exponent == 5) return Dtype::f16;
    if (size == 2 && exponent == 8) return Dtype::bf16;
    if (size == 4 && exponent == 8) return Dtype::f32;
    if (size == 8 && exponent == 11) return Dtype::f64;
  }
  if (kind == 8 && size == 1) {  // h5py writes booleans as an enumeration
    is_big_endian = false;
    return Dtype::boolean;
  }
  return Dtype::unknown;
}

/// Sets place and size, or says in which layout the bytes are.
std::string read_layout(const ByteSource& source, const Hdf5Widths& widths,
                        std::uint64_t offset, std::uint64_t wanted,
                        Hdf5Dataset& set) {
  SourceCursor cursor = cursor_at(source, offset);
  const unsigned version = cursor.u8();
  unsigned kind = 0;
  if (version == 1 || version == 2) {
    cursor.skip(1);  // rank
    kind = cursor.u8();
    cursor.skip(5);
  } else if (version == 3 || version == 4) {
    kind = cursor.u8();
  } else {
    return fmt::format("a data layout of version {}", version);
  }
  if (kind == 2) return "its bytes are in chunks";
  if (kind == 3) return "it is put together from other datasets";
  std::uint64_t size = wanted;
  std::uint64_t address = 0;
  if (kind == 0) {  // compact: behind the message's own fields
    if (version < 3) return "a compact dataset of an old library";
    size = cursor.u16();
    address = cursor.offset();
  } else {
    address = cursor.integer(widths.offset);
    if (version >= 3) size = cursor.integer(widths.length);
    if (address > UINT64_MAX - widths.base) return "it has no bytes";
    address += widths.base;
  }
  if (!cursor.ok() || address > source.size() ||
      wanted > source.size() - address) {
    return "it has no bytes, or they leave the file";
  }
  if (size < wanted) {
    return fmt::format("{} bytes are kept, type and shape need {}", size,
                       wanted);
  }
  set.info.offset = address;
  set.info.size = wanted;
  return {};
}

}  // namespace

Hdf5Dataset read_hdf5_dataset(const ByteSource& source,
                              const Hdf5Widths& widths,
                              const Hdf5DatasetParts& parts) {
  Hdf5Dataset set;
  if (parts.is_shared || !parts.space || !parts.type || !parts.layout) {
    set.missing = "its type, shape or layout stands in another object";
    return set;
  }
  if (!read_shape(source, widths, *parts.space, set)) {
    set.missing = "its shape cannot be read";
    return set;
  }
  set.info.dtype = read_type(source, *parts.type, set.is_big_endian);
  const auto size = tensor_bytes(set.info.dtype, set.info.shape);
  if (set.info.dtype == Dtype::unknown || !size) {
    set.is_number = set.info.dtype != Dtype::unknown;
    set.missing = set.is_number ? "its shape overflows"
                                : "its elements are no plain numbers";
    return set;
  }
  set.is_number = true;
  if (parts.has_external) {
    set.missing = "its bytes are in another file";
  } else if (parts.has_filters) {
    set.missing = "its bytes are compressed in chunks";
  } else {
    set.missing = read_layout(source, widths, *parts.layout, *size, set);
  }
  return set;
}

}  // namespace impound
