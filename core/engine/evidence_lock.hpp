// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Tells an exhibit or run that a process works on from one that a crash left
/// behind.
///
/// The lock is a lock of the kernel on a file beside the evidence, so that it
/// ends with its process however that ends. Two things make it more than a
/// hint. It is held *before* the record says "begun" and until the record says
/// "sealed" or "failed": whoever holds it and reads "begun" knows that nobody
/// else will finish the exhibit. And the file is taken for the lock only while
/// it still has its name: the holder removes it at the end, and a process that
/// had opened it before that would otherwise hold a lock that nobody sees.

#include <filesystem>
#include <optional>
#include <string>

#include "core/base/fs.hpp"

namespace impound {

/// Held by the process that works on an exhibit ("E001") or run ("R001").
class EvidenceLock {
 public:
  /// @throws Error{io} if another process holds it.
  EvidenceLock(const std::filesystem::path& evidence_folder,
               const std::string& subject);
  ~EvidenceLock();
  EvidenceLock(EvidenceLock&&) noexcept = default;
  EvidenceLock& operator=(EvidenceLock&&) = delete;

  /// The lock, or nothing while another process holds it.
  /// @throws Error{io} if there can be no lock file.
  [[nodiscard]] static std::optional<EvidenceLock> try_take(
      const std::filesystem::path& evidence_folder, const std::string& subject);

  /// True while some process works on this. What is free now may be held a
  /// moment later: to act on the answer, take the lock.
  [[nodiscard]] static bool is_held(
      const std::filesystem::path& evidence_folder, const std::string& subject);

 private:
  EvidenceLock(std::filesystem::path path, UniqueFd fd);

  std::filesystem::path path_;
  UniqueFd fd_;  ///< none: moved from
};

}  // namespace impound
