// SPDX-License-Identifier: Apache-2.0
#pragma once
/// How the bytes of a tensor come out of its file where they do not simply
/// stand there: packed, in another file, with strides, in another byte order.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/view/strided_source.hpp"

namespace impound {

/// Applied in this order. The result is what a tensor is compared by:
/// row-major numbers, little-endian.
struct TensorAccess {
  /// Path of the view's file that holds the bytes; empty: the tensor's own.
  std::string data_file;
  /// A member of that file that is unpacked first; places count from its start.
  std::optional<ZipMember> member;
  /// Protobuf varints at the tensor's offset, in so many bytes, each one number
  /// of `varint_width` bytes; 0: none.
  std::uint64_t varint_bytes = 0;
  std::uint64_t varint_width = 0;
  /// The order of the elements; absent: as they stand.
  std::optional<StridedLayout> order;

  /// For people: "deflated, transposed"; empty if there is nothing to say.
  [[nodiscard]] std::string how() const;
};

/// The bytes of one tensor and all that they are read through. `file` is not
/// owned.
class TensorStream {
 public:
  /// `size` bytes at `offset` of `file`, as they are.
  TensorStream(const ByteSource& file, std::uint64_t offset,
               std::uint64_t size);
  /// @throws Error{malformed} where the places leave what they are in,
  ///         Error{unsupported} for a member that cannot be unpacked.
  TensorStream(const ByteSource& file, const TensorAccess& access,
               std::uint64_t offset, std::uint64_t size);

  /// The tensor begins at offset() of it.
  [[nodiscard]] const ByteSource& source() const { return *last_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

  /// Puts what was there in another order.
  void reorder(StridedLayout layout);

 private:
  void take(std::unique_ptr<ByteSource> source, std::uint64_t offset);

  const ByteSource* last_;
  std::uint64_t offset_ = 0;
  std::vector<std::unique_ptr<ByteSource>> chain_;  // each reads the one before
};

}  // namespace impound
