// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What /proc says of one process, as values: descriptors, memory maps,
/// capabilities.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/base/procfs.hpp"
#include "core/evidence/file_identity.hpp"

namespace impound {

/// One open descriptor.
struct OpenFile {
  int fd = 0;
  std::string target;  ///< as the link says: "/x (deleted)", "socket:[7]"
  std::optional<FileStat> stat;
  std::string position;  ///< "pos" of fdinfo, in bytes
  std::string flags;     ///< "flags" of fdinfo, octal as in fcntl.h

  /// A regular file that has no name any more: only this process keeps it.
  [[nodiscard]] bool is_deleted_file() const;
  [[nodiscard]] std::optional<std::uint64_t> socket_inode() const;
  [[nodiscard]] FileIdentity identity() const;
  [[nodiscard]] Json to_json() const;
};

/// Never opens what a descriptor points at.
[[nodiscard]] OsResult<std::vector<OpenFile>> read_open_files(
    Pid pid, const ProcFs& procfs);

/// A file without a name that is mapped into memory.
struct DeletedMapping {
  std::string range;  ///< "7f00-7f01", a name in /proc/PID/map_files
  std::string path;   ///< with " (deleted)"
};

/// From the text of /proc/PID/maps; shared anonymous memory ("/dev/zero
/// (deleted)", "/SYSV…") is memory, not a file, and left out.
[[nodiscard]] std::vector<DeletedMapping> find_deleted_mappings(
    std::string_view maps);

/// "Name:\tvalue" lines of /proc/PID/status.
[[nodiscard]] std::map<std::string, std::string> parse_status(
    std::string_view text);

/// Names of the bits of a capability mask in hexadecimal: "CAP_SYS_ADMIN" …
[[nodiscard]] std::vector<std::string> capability_names(std::string_view hex);

}  // namespace impound
