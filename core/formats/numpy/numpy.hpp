// SPDX-License-Identifier: Apache-2.0
#pragma once
/// NumPy arrays in files (.npy): the header, read without Python, and where the
/// numbers are.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

struct NumpyArray {
  int major = 0;
  int minor = 0;
  std::string header;  ///< the dict literal as found
  std::string descr;   ///< its "descr", as found
  bool is_fortran = false;
  bool is_big_endian = false;
  /// The body is a pickle: numpy.load(allow_pickle=True) runs it.
  bool has_objects = false;
  bool is_understood = false;  ///< the header could be read
  std::uint64_t item_size = 0;
  TensorInfo info;  ///< offset: of the body
  Problems problems;
};

/// \x93NUMPY
[[nodiscard]] bool looks_like_numpy(ByteView head);

/// Reads the header; never throws for malformed bytes.
[[nodiscard]] NumpyArray read_numpy(const ByteSource& source);

}  // namespace impound
