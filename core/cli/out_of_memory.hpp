// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one sentence that is said where nothing can be allocated. A part of the
/// door in standard_output.hpp.

namespace impound {

/// That there is no memory left, as an error for people and, with `as_json`, as
/// the document of a failed command. Asks for no memory.
void write_out_of_memory(bool as_json);

}  // namespace impound
