// SPDX-License-Identifier: Apache-2.0
#pragma once
/// NumPy arrays in pickles: those that numpy pickles itself and those that
/// joblib writes between the opcodes. Named by the path to them.

#include <string>
#include <vector>

#include "core/formats/pickle/pickle.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

struct PickledArray {
  /// Structured types are bytes: U8, one dimension.
  TensorInfo info;
  bool is_fortran = false;
  bool is_big_endian = false;
  std::string missing;  ///< why its bytes cannot be viewed; else empty
};

/// Every array that can be reached from what `run` returns. At most 100 000.
[[nodiscard]] std::vector<PickledArray> pickled_arrays(const ByteSource& source,
                                                       const PickleHeap& heap,
                                                       const PickleRun& run);

}  // namespace impound
