// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The chain of a case one entry after the other: a chain of any length is read
/// in the memory of one entry, where CaseFile::entries() holds them all.

#include <cstdint>
#include <filesystem>
#include <functional>

#include "core/casefile/custody.hpp"

namespace impound {

/// Calls `visit` with each entry from `from_seq` on, in order, as one moment of
/// the file.
/// @throws Error{malformed} at a line that is no entry.
void each_entry(const std::filesystem::path& case_folder, std::int64_t from_seq,
                const std::function<void(const Entry&)>& visit);

}  // namespace impound
