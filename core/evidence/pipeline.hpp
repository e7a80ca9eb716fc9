// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A ring of frames worked on by symmetric threads: some work in any order,
/// some strictly one frame after the other. Writing and verifying both run on
/// it.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/bytes.hpp"

namespace impound {

/// Cores that this process may use.
[[nodiscard]] unsigned usable_cores();

/// Every frame passes four stations:
///
///   load      any order   bytes come in            (read a source, a frame)
///   first     in order    as soon as loaded        (running digest of input)
///   work      any order   as soon as loaded        (compress, decode)
///   second    in order    as soon as worked        (write, walk the tar)
///
/// No thread owns a station: on two cores a fixed hashing thread wastes the
/// time in which it has nothing to hash (docs/benchmarks.md).
class Pipeline {
 public:
  struct Stations {
    std::function<void(std::size_t slot)> load;
    std::function<void(std::size_t slot)> first;
    std::function<void(std::size_t slot, std::size_t worker)> work;
    std::function<void(std::size_t slot)> second;
  };

  /// `threads` workers (at least one) over `slots` frames.
  Pipeline(unsigned threads, std::size_t slots, Stations stations);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Waits for a free slot, which the caller fills and then submits.
  /// @throws what a station threw.
  [[nodiscard]] std::size_t acquire();
  void submit();

  /// Waits until everything submitted has passed every station.
  /// @throws what a station threw.
  void drain();

 private:
  enum class State : std::uint8_t { idle, ready, busy, done };
  struct Slot {
    State load = State::idle;
    State first = State::idle;
    State work = State::idle;
    State second = State::idle;
  };
  struct Task;

  void run(std::size_t worker);
  [[nodiscard]] bool pick(Task& task);
  void perform(const Task& task, std::size_t worker);
  void finish(const Task& task);
  [[nodiscard]] Slot& at(std::uint64_t sequence) {
    return slots_[static_cast<std::size_t>(sequence % slots_.size())];
  }
  void rethrow() const;

  Stations stations_;
  std::mutex mutex_;
  std::condition_variable changed_;  // for workers
  std::condition_variable freed_;    // for the caller
  std::vector<Slot> slots_;
  std::uint64_t submitted_ = 0;  // sequence numbers, each the next one to …
  std::uint64_t next_load_ = 0;
  std::uint64_t next_first_ = 0;
  std::uint64_t next_second_ = 0;
  std::uint64_t retired_ = 0;  // … leave the ring
  bool first_busy_ = false;
  bool second_busy_ = false;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

}  // namespace impound
