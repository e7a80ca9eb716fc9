// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether the bytes of a file are weights, whatever it is called.

#include <string_view>

#include "core/base/source.hpp"

namespace impound {

/// True for every format that weights are stored in. A file that cannot be read
/// is none.
[[nodiscard]] bool holds_weights(const ByteSource& source) noexcept;

}  // namespace impound
