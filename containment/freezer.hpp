// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Three ways to stop processes without ending them.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/procfs.hpp"

namespace impound {

enum class FreezeMethod : std::uint8_t {
  cgroup_v2,  ///< cgroup.freeze
  cgroup_v1,  ///< freezer.state
  stop,       ///< SIGSTOP, which parents can see
};

/// "freeze-v2", "freeze-v1", "stop".
[[nodiscard]] std::string_view to_string(FreezeMethod method) noexcept;
[[nodiscard]] std::optional<FreezeMethod> freeze_method_from(
    std::string_view name) noexcept;

/// Where control groups of a method are mounted and may be made; empty if that
/// cannot be used here, then `reason` says why. Changes nothing.
struct FreezerMount {
  std::optional<fs::path> path;
  std::string reason = {};
};
[[nodiscard]] FreezerMount find_freezer(FreezeMethod method,
                                        const ProcFs& procfs);

/// The path of a process within the hierarchy that `method` uses; empty if the
/// process is gone or in none.
[[nodiscard]] std::optional<std::string> freezer_group_of(FreezeMethod method,
                                                          Pid pid,
                                                          const ProcFs& procfs);

/// One control group of ours.
class FreezerGroup {
 public:
  FreezerGroup(FreezeMethod method, fs::path folder)
      : method_(method), folder_(std::move(folder)) {}

  [[nodiscard]] bool exists() const;
  /// Makes it, frozen from the start: whatever enters stands still at once, and
  /// what it forked before is still its child and can be found.
  /// @throws Error{io}.
  void create_frozen() const;
  [[nodiscard]] std::set<Pid> members() const;
  /// Moves a whole process, all its threads, into it.
  [[nodiscard]] OsResult<bool> add(Pid pid) const;
  /// Waits until the kernel says that everything in it stands still; false if
  /// it does not within some seconds (a process in uninterruptible sleep).
  [[nodiscard]] bool wait_until_frozen() const;
  /// False if there is no such group (any more): a release that was faster
  /// took everything out of it and removed it.
  /// @throws Error{io} if the kernel refuses.
  [[nodiscard]] bool thaw() const;
  /// False if the kernel still sees something in it after some seconds.
  [[nodiscard]] bool remove() const;

 private:
  [[nodiscard]] bool is_frozen() const;

  FreezeMethod method_;
  fs::path folder_;
};

/// Whether a process stands still now, by whatever means: every thread stopped,
/// or a frozen control group of either version.
[[nodiscard]] bool is_standing_still(Pid pid, const ProcFs& procfs);

}  // namespace impound
