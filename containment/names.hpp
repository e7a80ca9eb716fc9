// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a method leaves on a machine is called by: a later process finds it by
/// the same facts, whoever reads it sees whose it is.

#include <initializer_list>
#include <string>
#include <string_view>

namespace impound {

/// At most 40 bytes of `text`: letters, digits and those of `also`; `otherwise`
/// in the place of every other byte.
[[nodiscard]] std::string plain_name(std::string_view text,
                                     std::string_view also, char otherwise);

/// Sixteen hexadecimal digits of the parts in this order (FNV-1a, 64 bits). To
/// tell apart, not to prove. Names on machines have it: it stays as it is.
[[nodiscard]] std::string name_hash(
    std::initializer_list<std::string_view> parts);

}  // namespace impound
