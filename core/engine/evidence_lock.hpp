// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Tells an exhibit that is being written from one that a crash left behind.

#include <filesystem>
#include <string>

#include "core/base/fs.hpp"

namespace impound {

/// Held by the process that writes an exhibit, given up by the kernel when that
/// process ends, however it ends.
class EvidenceLock {
 public:
  /// @throws Error{io} if another process holds it.
  EvidenceLock(const std::filesystem::path& evidence_folder,
               const std::string& exhibit);
  ~EvidenceLock();
  EvidenceLock(const EvidenceLock&) = delete;
  EvidenceLock& operator=(const EvidenceLock&) = delete;

  /// True while some process writes this exhibit.
  [[nodiscard]] static bool is_held(
      const std::filesystem::path& evidence_folder, const std::string& exhibit);

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
};

}  // namespace impound
