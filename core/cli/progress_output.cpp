// SPDX-License-Identifier: Apache-2.0
/// Progress for people and programs: one line per act that redraws itself on a
/// terminal, one finished line elsewhere, JSON lines for scripts.

#include <fmt/format.h>

#include <chrono>

#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/standard_output.hpp"

namespace impound {
namespace {

using Steady = std::chrono::steady_clock;

/// Redraws a second are enough for an eye and cost nothing.
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kEventInterval = std::chrono::seconds(1);

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

/// Where an act stands; shared by the listeners below.
class Meter {
 public:
  void begin(std::string_view act, std::optional<std::uint64_t> total) {
    act_ = act;
    total_ = total;
    done_ = 0;
    start_ = Steady::now();
  }
  void advance(std::uint64_t done) { done_ = done; }

  [[nodiscard]] const std::string& act() const { return act_; }
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::optional<std::uint64_t> total() const { return total_; }
  [[nodiscard]] double seconds() const { return seconds_since(start_); }
  [[nodiscard]] double rate() const {
    const double elapsed = seconds();
    return elapsed > 0 ? static_cast<double>(done_) / elapsed : 0;
  }
  /// Seconds still needed; empty where the total is unknown or just begun.
  [[nodiscard]] std::optional<double> left() const {
    if (!total_ || done_ == 0 || done_ > *total_ || seconds() < 0.5) {
      return std::nullopt;
    }
    return static_cast<double>(*total_ - done_) / rate();
  }

 private:
  std::string act_;
  std::optional<std::uint64_t> total_;
  std::uint64_t done_ = 0;
  Steady::time_point start_ = Steady::now();
};

std::string finished_line(const Meter& meter, std::string_view outcome) {
  std::string line = fmt::format("{}: {}", meter.act(), outcome);
  if (meter.done() > 0) {
    line += fmt::format(" ({}, {}, {}/s)", human_bytes(meter.done()),
                        human_seconds(meter.seconds()),
                        human_bytes(static_cast<std::uint64_t>(meter.rate())));
  }
  return line + "\n";
}

class TerminalProgress final : public Progress {
 public:
  ~TerminalProgress() override { wipe(); }

  void begin(std::string_view act,
             std::optional<std::uint64_t> total) override {
    meter_.begin(act, total);
    draw({});
  }
  void advance(std::uint64_t done, std::string_view subject) override {
    meter_.advance(done);
    if (Steady::now() - drawn_ >= kRedraw) draw(subject);
  }
  void end(std::string_view outcome) override {
    wipe();
    write_stderr(finished_line(meter_, outcome));
  }
  void event(const Json&) override {}

 private:
  void draw(std::string_view subject) {
    drawn_ = Steady::now();
    std::string line = meter_.act();
    if (meter_.done() > 0) {
      line += "  " + human_bytes(meter_.done());
      if (meter_.total() && *meter_.total() > 0) {
        line += fmt::format(" of {} ({:.0f} %)", human_bytes(*meter_.total()),
                            100.0 * static_cast<double>(meter_.done()) /
                                static_cast<double>(*meter_.total()));
      }
      line += fmt::format(
          "  {}/s", human_bytes(static_cast<std::uint64_t>(meter_.rate())));
    }
    if (const auto left = meter_.left()) {
      line += "  ETA " + human_seconds(*left);
    }
    if (!subject.empty()) line += "  " + printable(subject);
    draw_progress_line(line);
    is_drawn_ = true;
  }
  void wipe() {
    if (is_drawn_) wipe_progress_line();
    is_drawn_ = false;
  }

  Meter meter_;
  Steady::time_point drawn_{};
  bool is_drawn_ = false;
};

class PlainProgress final : public Progress {
 public:
  void begin(std::string_view act,
             std::optional<std::uint64_t> total) override {
    meter_.begin(act, total);
  }
  void advance(std::uint64_t done, std::string_view) override {
    meter_.advance(done);
  }
  void end(std::string_view outcome) override {
    write_stderr(finished_line(meter_, outcome));
  }
  void event(const Json&) override {}

 private:
  Meter meter_;
};

/// One JSON object a line on stdout; "progress" lines at most once a second.
class EventProgress final : public Progress {
 public:
  void begin(std::string_view act,
             std::optional<std::uint64_t> total) override {
    meter_.begin(act, total);
    last_ = Steady::now();
    Json line;
    line["event"] = "begin";
    line["act"] = act;
    line["bytes_total"] = total ? Json(*total) : Json(nullptr);
    event(line);
  }
  void advance(std::uint64_t done, std::string_view subject) override {
    meter_.advance(done);
    if (Steady::now() - last_ < kEventInterval) return;
    last_ = Steady::now();
    Json line;
    line["event"] = "progress";
    line["act"] = meter_.act();
    line["bytes_done"] = done;
    line["bytes_total"] =
        meter_.total() ? Json(*meter_.total()) : Json(nullptr);
    const auto left = meter_.left();
    line["seconds_left"] = left ? Json(*left) : Json(nullptr);
    line["subject"] = lossless_utf8(subject);
    event(line);
  }
  void end(std::string_view outcome) override {
    Json line;
    line["event"] = "end";
    line["act"] = meter_.act();
    line["outcome"] = outcome;
    line["bytes_done"] = meter_.done();
    line["seconds"] = meter_.seconds();
    event(line);
  }
  void event(const Json& fact) override {
    write_stdout_json(dump_line(fact) + "\n");
  }

 private:
  Meter meter_;
  Steady::time_point last_{};
};

}  // namespace

std::unique_ptr<Progress> make_progress(const Globals& globals, Events events) {
  if (globals.json && events == Events::stream) {
    return std::make_unique<EventProgress>();
  }
  if (globals.quiet || globals.json) return std::make_unique<SilentProgress>();
  if (is_stderr_a_terminal()) return std::make_unique<TerminalProgress>();
  return std::make_unique<PlainProgress>();
}

}  // namespace impound
