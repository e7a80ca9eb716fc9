// SPDX-License-Identifier: Apache-2.0
#pragma once
/// DSSE (secure-systems-lab/dsse v1): the bytes that a signature over an
/// envelope really covers.

#include <string>
#include <string_view>

namespace impound {

/// Pre-authentication encoding: "DSSEv1 <n> <type> <n> <payload>".
[[nodiscard]] std::string dsse_pae(std::string_view payload_type,
                                   std::string_view payload);

/// What model_signing 0.2 signed instead, by mistake: "DSSEV1", and the payload
/// as Python prints a bytes object.
[[nodiscard]] std::string dsse_pae_v02(std::string_view payload_type,
                                       std::string_view payload);

/// Python's repr() of a bytes object: b'…' with its rules for quotes.
[[nodiscard]] std::string python_bytes_repr(std::string_view bytes);

}  // namespace impound
