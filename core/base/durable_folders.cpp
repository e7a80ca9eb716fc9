// SPDX-License-Identifier: Apache-2.0
#include "core/base/durable_folders.hpp"

#include <unistd.h>

#include <vector>

#include "core/base/fs.hpp"

namespace impound {

void create_folders_durably(const fs::path& path) {
  fs::path folder = fs::absolute(path).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  // The last one in any case: an attempt that was cut off may have made it.
  std::vector<fs::path> unsure{folder};
  for (fs::path at = folder.parent_path();
       at.has_relative_path() && !stat_path(at, Links::follow);
       at = at.parent_path()) {
    unsure.push_back(at);
  }
  create_folders(folder);
  for (const fs::path& made : unsure) {
    const fs::path parent = made.parent_path();
    if (::access(parent.c_str(), R_OK) == 0) sync_folder(parent);
  }
}

}  // namespace impound
