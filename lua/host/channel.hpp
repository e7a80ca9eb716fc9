// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Messages between the parent and the child of a playbook: four bytes of
/// length, little-endian, then one JSON document.

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/progress.hpp"

namespace impound::lua {

/// Bytes of one message of the child: a finding or a note is far smaller, so
/// more is a playbook that builds text without end. Error{limit} in Lua.
inline constexpr std::uint32_t kMaxChildMessage = 4 * limits::kMiB;

/// Bytes of one message of the parent: the difference between two models of
/// 100 000 tensors takes about 30 MB. Error{limit} in Lua.
inline constexpr std::uint32_t kMaxParentMessage = 64 * limits::kMiB;

/// Why no message came or went.
enum class ChannelState : std::uint8_t { ok, closed, too_late, cancelled };

/// Time that may still be spent waiting for the other side.
class WaitBudget {
 public:
  WaitBudget(std::chrono::milliseconds total, const Cancellation* cancellation)
      : left_(total), cancellation_(cancellation) {}

  /// Waits until `fd` is ready for `events` (poll), taking the time from the
  /// budget.
  [[nodiscard]] ChannelState wait(int fd, short events);

 private:
  std::chrono::nanoseconds left_;
  const Cancellation* cancellation_;
};

/// @throws Error{limit} if the document is larger than `limit` bytes,
///         Error{io} with the operating system's words.
[[nodiscard]] ChannelState send_message(int fd, const Json& message,
                                        std::uint32_t limit,
                                        WaitBudget& budget);

/// Reads one message into `text`; its length is compared with `limit` before
/// anything is allocated.
/// @throws Error{limit}, Error{io}.
[[nodiscard]] ChannelState receive_message(int fd, std::string& text,
                                           std::uint32_t limit,
                                           WaitBudget& budget);

}  // namespace impound::lua
