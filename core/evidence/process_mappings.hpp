// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What /proc/PID/smaps says of the memory of one process.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// One mapping, as proc(5) describes it. Sizes in bytes.
struct ProcessMapping {
  std::string range;  ///< "7f00-7f01", its name in /proc/PID/map_files
  std::string path;   ///< without " (deleted)"; "" or "[heap]": no file
  bool is_deleted = false;
  bool is_shared = false;
  std::uint64_t device = 0;  ///< as stat has it, from major:minor
  std::uint64_t inode = 0;   ///< 0: no file stands behind it
  std::uint64_t offset = 0;  ///< into the file
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  /// Pages that are the process's own: in a private mapping of a file, those
  /// that were written since it was mapped. Private_Dirty would not do: it also
  /// counts pages of a file that was written to disk a moment ago.
  std::uint64_t anonymous = 0;
  std::uint64_t swapped = 0;

  [[nodiscard]] bool is_file() const { return inode != 0; }
};

/// Hostile text is possible: a file chooses its name. Lines that are none of a
/// mapping are skipped; a last mapping that was cut off is left out.
[[nodiscard]] std::vector<ProcessMapping> parse_smaps(std::string_view text);

}  // namespace impound
