// SPDX-License-Identifier: Apache-2.0
#pragma once
/// safetensors: a JSON header that says where each tensor lies, then the bytes.
/// Rules as in huggingface/safetensors, safetensors/src/tensor.rs.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// What a safetensors file says, and every rule that it breaks. A problem of
/// severity `high` or above means: the reference reader refuses this file, or
/// the format's own document forbids it.
struct Safetensors {
  std::uint64_t header_size = 0;  ///< N: bytes of JSON after the first 8 bytes
  std::uint64_t data_offset = 0;  ///< 8 + N; 0 if there is no usable header
  /// In the order of their bytes. Each lies inside the file, whatever else is
  /// wrong with it; `size` is the range that the header gives, which agrees
  /// with dtype and shape unless a problem says otherwise.
  std::vector<TensorInfo> tensors;
  /// `__metadata__`, in the order of the file.
  std::vector<std::pair<std::string, std::string>> metadata;
  Problems problems;

  /// True if the reference reader would load it.
  [[nodiscard]] bool is_sound() const noexcept;
};

/// Reads the header only; the tensors' bytes are never touched. `name` stands
/// in messages.
/// @throws what source.read() throws; a broken file is a result, not an error.
[[nodiscard]] Safetensors read_safetensors(const ByteSource& source,
                                           std::string_view name);

/// True if the first bytes can begin a safetensors file: a plausible header
/// length, then `{`, perhaps after white space. `head` needs 16 bytes to be
/// sure; `file_size` is that of the whole file.
[[nodiscard]] bool looks_like_safetensors(ByteView head,
                                          std::uint64_t file_size) noexcept;

}  // namespace impound
