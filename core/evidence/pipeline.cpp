// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/pipeline.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace impound {

unsigned usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) {
    return std::max(1U, std::thread::hardware_concurrency());
  }
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

/// What a worker does next, chosen under the lock.
struct Pipeline::Task {
  enum class Kind : std::uint8_t { load, first, work, second };
  Kind kind = Kind::load;
  std::uint64_t sequence = 0;
};

Pipeline::Pipeline(unsigned threads, std::size_t slots, Stations stations)
    : stations_(std::move(stations)), slots_(slots) {
  for (unsigned i = 0; i < std::max(1U, threads); ++i) {
    workers_.emplace_back([this, i] { run(i); });
  }
}

Pipeline::~Pipeline() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

std::size_t Pipeline::acquire() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [this] {
    return failure_ || submitted_ - retired_ < slots_.size();
  });
  rethrow();
  return static_cast<std::size_t>(submitted_ % slots_.size());
}

void Pipeline::submit() {
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = at(submitted_);
    slot = Slot{.load = State::ready};
    ++submitted_;
  }
  changed_.notify_all();
}

void Pipeline::drain() {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [this] { return failure_ || retired_ == submitted_; });
  rethrow();
}

void Pipeline::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

void Pipeline::run(std::size_t worker) {
  std::unique_lock lock(mutex_);
  while (true) {
    Task task;
    changed_.wait(lock, [&] { return stopping_ || failure_ || pick(task); });
    if (stopping_ || failure_) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      perform(task, worker);
    } catch (const std::exception&) {
      failure = std::current_exception();  // rethrown in the caller's thread
    }
    lock.lock();
    if (failure) {
      if (!failure_) failure_ = failure;
    } else {
      finish(task);
    }
    changed_.notify_all();
    freed_.notify_all();
  }
}

bool Pipeline::pick(Task& task) {
  const bool first = !first_busy_ && next_first_ < submitted_ &&
                     at(next_first_).first == State::ready;
  const bool second = !second_busy_ && next_second_ < submitted_ &&
                      at(next_second_).second == State::ready;
  if (first) {
    task = {Task::Kind::first, next_first_};
    first_busy_ = true;
    return true;
  }
  if (second) {
    task = {Task::Kind::second, next_second_};
    second_busy_ = true;
    return true;
  }
  for (std::uint64_t sequence = retired_; sequence < next_load_; ++sequence) {
    if (at(sequence).work == State::ready) {
      at(sequence).work = State::busy;
      task = {Task::Kind::work, sequence};
      return true;
    }
  }
  if (next_load_ < submitted_) {
    at(next_load_).load = State::busy;
    task = {Task::Kind::load, next_load_};
    ++next_load_;
    return true;
  }
  return false;
}

void Pipeline::perform(const Task& task, std::size_t worker) {
  const auto slot = static_cast<std::size_t>(task.sequence % slots_.size());
  switch (task.kind) {
    case Task::Kind::load:
      stations_.load(slot);
      break;
    case Task::Kind::first:
      stations_.first(slot);
      break;
    case Task::Kind::work:
      stations_.work(slot, worker);
      break;
    case Task::Kind::second:
      stations_.second(slot);
      break;
  }
}

void Pipeline::finish(const Task& task) {
  Slot& slot = at(task.sequence);
  switch (task.kind) {
    case Task::Kind::load:
      slot.load = State::done;
      slot.first = State::ready;
      slot.work = State::ready;
      break;
    case Task::Kind::work:
      slot.work = State::done;
      slot.second = State::ready;
      break;
    case Task::Kind::second:
      slot.second = State::done;
      ++next_second_;
      second_busy_ = false;
      break;
    case Task::Kind::first:
      slot.first = State::done;
      ++next_first_;
      first_busy_ = false;
      break;
  }
  while (retired_ < submitted_ && at(retired_).first == State::done &&
         at(retired_).second == State::done) {
    ++retired_;
  }
}

}  // namespace impound
