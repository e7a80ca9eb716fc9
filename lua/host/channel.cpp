// SPDX-License-Identifier: Apache-2.0
#include "lua/host/channel.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"

namespace impound::lua {
namespace {

/// How often a waiting parent looks whether a person asked to stop.
constexpr std::chrono::milliseconds kSlice{100};

[[noreturn]] void fail(const char* act) {
  throw Error(Errc::io, std::string("cannot ") + act +
                            " the playbook process: " + std::strerror(errno));
}

ChannelState send_all(int fd, const char* at, std::size_t left,
                      WaitBudget& budget) {
  while (left > 0) {
    const ssize_t sent = ::send(fd, at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      at += sent;
      left -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const ChannelState state = budget.wait(fd, POLLOUT);
      if (state != ChannelState::ok) return state;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return ChannelState::closed;
    } else if (errno != EINTR) {
      fail("write to");
    }
  }
  return ChannelState::ok;
}

ChannelState receive_all(int fd, char* at, std::size_t left,
                         WaitBudget& budget) {
  while (left > 0) {
    const ssize_t got = ::recv(fd, at, left, MSG_DONTWAIT);
    if (got > 0) {
      at += got;
      left -= static_cast<std::size_t>(got);
    } else if (got == 0 || errno == ECONNRESET) {
      return ChannelState::closed;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const ChannelState state = budget.wait(fd, POLLIN);
      if (state != ChannelState::ok) return state;
    } else if (errno != EINTR) {
      fail("read from");
    }
  }
  return ChannelState::ok;
}

}  // namespace

ChannelState WaitBudget::wait(int fd, short events) {
  using Clock = std::chrono::steady_clock;
  for (;;) {
    if (cancellation_ != nullptr && cancellation_->requested()) {
      return ChannelState::cancelled;
    }
    if (left_.count() <= 0) return ChannelState::too_late;
    const auto slice = std::min<std::chrono::nanoseconds>(left_, kSlice);
    const auto slice_ms =
        std::chrono::ceil<std::chrono::milliseconds>(slice).count();
    pollfd waiting{.fd = fd, .events = events, .revents = 0};
    const auto began = Clock::now();
    const int ready = ::poll(&waiting, 1, static_cast<int>(slice_ms));
    left_ -= Clock::now() - began;
    if (ready > 0) return ChannelState::ok;
    if (ready < 0 && errno != EINTR) fail("wait for");
  }
}

ChannelState send_message(int fd, const Json& message, std::uint32_t limit,
                          WaitBudget& budget) {
  const std::string text = dump_line(message);
  if (text.size() > limit) {
    throw Error(Errc::limit, "message of " + std::to_string(text.size()) +
                                 " bytes is larger than the limit of " +
                                 std::to_string(limit));
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string frame;
  frame.reserve(4 + text.size());
  for (int shift = 0; shift < 32; shift += 8) {
    frame.push_back(static_cast<char>((size >> shift) & 0xFFU));
  }
  frame += text;
  return send_all(fd, frame.data(), frame.size(), budget);
}

ChannelState receive_message(int fd, std::string& text, std::uint32_t limit,
                             WaitBudget& budget) {
  std::array<char, 4> header{};
  const ChannelState state =
      receive_all(fd, header.data(), header.size(), budget);
  if (state != ChannelState::ok) return state;
  std::uint32_t size = 0;
  for (std::size_t i = 4; i-- > 0;) {
    size = (size << 8U) | static_cast<unsigned char>(header[i]);
  }
  if (size > limit) {
    throw Error(Errc::limit, "message of " + std::to_string(size) +
                                 " bytes is larger than the limit of " +
                                 std::to_string(limit));
  }
  text.resize(size);
  return receive_all(fd, text.data(), text.size(), budget);
}

}  // namespace impound::lua
