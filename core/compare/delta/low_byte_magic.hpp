// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Looks for the beginnings of executables and archives in the low bytes of
/// numbers, where hidden files lie.

#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

struct FoundMagic;

/// Name of the file format that `stream` begins like: more bytes are asked for
/// than the usual four, because billions of numbers hold every four bytes by
/// chance. Empty if none.
[[nodiscard]] std::string_view strict_magic(ByteView stream);

/// Fed with the windows of a tensor in order, finds magics at every element of
/// the low 8, 16 and 24 bits, and in packed low bits at the tensor's start.
class LowByteMagics {
 public:
  explicit LowByteMagics(Dtype dtype) : dtype_(dtype) {}

  /// `first` is the number of the window's first element.
  void feed(ByteView raw, std::uint64_t first, std::vector<FoundMagic>& found);

 private:
  void search(std::size_t low, std::uint64_t first,
              std::vector<FoundMagic>& found);

  Dtype dtype_;
  Bytes tail_;    ///< the last elements of the window before
  Bytes window_;  ///< tail and window
};

}  // namespace impound
