// SPDX-License-Identifier: Apache-2.0
#pragma once
/// How a long act tells a person where it stands, and how it is told to stop.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/json.hpp"

namespace impound {

/// Listener of a long act. Called from one thread at a time, often: listeners
/// limit their own output.
class Progress {
 public:
  Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  virtual ~Progress() = default;

  /// A new act begins: "collect model-files", "verify E001". Acts do not nest.
  /// `bytes_total` is empty where nobody knows it.
  virtual void begin(std::string_view act,
                     std::optional<std::uint64_t> bytes_total) = 0;
  /// Bytes handled since begin(), and the thing at hand (a path; may be empty).
  virtual void advance(std::uint64_t bytes_done, std::string_view subject) = 0;
  /// The act is over; one sentence on what came of it.
  virtual void end(std::string_view outcome) = 0;
  /// A fact for --json listeners: one object with a key "event".
  virtual void event(const Json& fact) = 0;
};

/// Says nothing.
class SilentProgress final : public Progress {
 public:
  void begin(std::string_view, std::optional<std::uint64_t>) override {}
  void advance(std::uint64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void event(const Json&) override {}
};

/// Set once by a signal handler or a test, read by everything that takes long.
/// An act that sees it seals what it has and says so; it does not throw it
/// away.
class Cancellation {
 public:
  void request() noexcept { requested_.store(true); }
  [[nodiscard]] bool requested() const noexcept { return requested_.load(); }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace impound
