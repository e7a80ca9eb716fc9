// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Folders that are still there when the power fails.
///
/// A new folder is a name in its parent, and nothing of it is durable before
/// the parent is synced: a case that was said to be made, and whose database
/// was synced, would be gone with the name of its folder.

#include <filesystem>

namespace impound {

/// Makes a folder and those above it, and syncs every name that it may have
/// made. A folder that may not be opened cannot be asked for that, and is left
/// to the system.
/// @throws Error{io} naming the folder.
void create_folders_durably(const std::filesystem::path& path);

}  // namespace impound
