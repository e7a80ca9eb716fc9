// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which file it is, whatever it is called: its inode on its device.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/base/fs.hpp"
#include "core/base/json.hpp"

namespace impound {

/// Device and inode. An inode number is given to another file once the last
/// name and the last process of a file are gone: valid while it is held.
using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;

/// "254:0": a device as /proc and lsblk write it.
[[nodiscard]] std::string device_text(std::uint64_t device);

/// The notes of an item with "device" and "inode" of the file that was opened.
[[nodiscard]] Json with_identity(Json notes, const FileStat& stat);
/// What with_identity() added; empty if there is nothing of the kind.
[[nodiscard]] std::optional<FileIdentity> identity_from_notes(
    const Json& notes);

}  // namespace impound
