// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The second half of reading a GGUF file: where its tensors lie, and whether
/// its vocabulary fits together.

#include "core/formats/gguf/gguf.hpp"

namespace impound {

/// Sets offsets from the file's start; checks alignment, order, padding, the
/// end. `header_end` is the offset behind the last tensor description.
void check_gguf_layout(const ByteSource& source, std::uint64_t header_end,
                       GgufFile& file);

/// Token arrays of different lengths, special tokens that do not exist.
void check_gguf_vocabulary(GgufFile& file);

}  // namespace impound
