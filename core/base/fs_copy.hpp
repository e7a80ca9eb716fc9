// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Copies of sealed files that are files of their own.
///
/// A hard link is free, and it is the same file under a second name: who writes
/// to it, or changes its mode, does so to the evidence. Where the file system
/// can, a copy shares the blocks until one of the two is written to (Linux:
/// FICLONE of btrfs, XFS, bcachefs); elsewhere the bytes are copied.

#include <cstdint>
#include <filesystem>

namespace impound {

/// A new file `to` with the bytes and the permission bits of the regular file
/// `from`, durable when it returns. Its name is, once the folder is synced.
/// @throws Error{io} naming the file that failed, Error{integrity} if `from`
///         changed its size meanwhile.
void copy_file_apart(const std::filesystem::path& from,
                     const std::filesystem::path& to);

/// True if a copy of `from` below `folder` would share its blocks. Makes and
/// removes an empty file there.
[[nodiscard]] bool can_share_blocks(const std::filesystem::path& from,
                                    const std::filesystem::path& folder);

}  // namespace impound
