// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/weak_signals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/compare/delta/model_sentence.hpp"
#include "core/compare/delta/weight_look.hpp"

namespace impound {
namespace {

// Thresholds: tests/calibration/README.md has the false alarms on trained
// models and the payloads that are found.

/// A row's distance from the median of log norms, in robust deviations.
constexpr double kRowOutlier = 12;
/// ... and times the median: the residual stream of trained models has single
/// coordinates that stand out by themselves (measured: 2.1 times).
constexpr double kRowTimesMedian = 4;
constexpr std::size_t kFewestRows = 64;
/// Deviations of a frequency from 1/2 that a random bit stays within, and that
/// weights must be away from it for the bit to say anything.
constexpr double kRandomBit = 4;
constexpr double kNaturalBit = 10;
/// Bits a byte that a run of low bytes lies below the tensor's median.
constexpr double kOrderly = 1.0;
/// Share of an upcast tensor that may have bits it could not have.
constexpr double kMostViolations = 0.5;
/// σ1 against noise's edge, and against the same module in other layers.
constexpr double kStrongest = 3;
constexpr double kAgainstSiblings = 2.5;
constexpr std::size_t kFewestSiblings = 3;
constexpr std::uint64_t kFewestElements = 4096;

double median_of(std::vector<double> numbers) {
  if (numbers.empty()) return 0;
  const auto middle =
      numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

/// 1.4826 · median |x − median|: σ of a normal distribution.
double deviation_of(const std::vector<double>& numbers, double median) {
  std::vector<double> distances;
  distances.reserve(numbers.size());
  for (const double each : numbers)
    distances.push_back(std::abs(each - median));
  return 1.4826 * median_of(std::move(distances));
}

/// A tensor with what was seen of it.
struct Looked {
  const ViewTensor* tensor = nullptr;
  std::optional<WeightLook> look;
};

class SignalWriter {
 public:
  explicit SignalWriter(WeakSignals& out) : out_(out) {}

  void add(const Looked& looked, std::string kind, Severity severity,
           std::string message, Json numbers) {
    out_.signals.push_back({.kind = std::move(kind),
                            .severity = severity,
                            .tensor = looked.tensor->name,
                            .file = looked.tensor->file,
                            .message = std::move(message),
                            .numbers = std::move(numbers)});
  }

 private:
  WeakSignals& out_;
};

void judge_upcasts(const Looked& looked, SignalWriter& out) {
  if (looked.tensor->dtype != Dtype::f32) return;
  const auto elements = static_cast<double>(looked.look->elements);
  // BF16 first: its numbers pass as F16's too.
  for (const UpcastCheck& check : looked.look->upcasts) {
    const auto violations = static_cast<double>(check.violations);
    if (check.violations == 0) return;
    if (violations > kMostViolations * elements) continue;
    const char* from = check.zero_bits == 16 ? "BF16" : "F16";
    const double region = static_cast<double>(check.last - check.first + 1);
    out.add(
        looked, "impossible-bits", Severity::low,
        fmt::format("F32, but {:.4g} % of its numbers are {}'s; {} numbers, "
                    "in {} to {}, have bits that {} cannot have",
                    100 * (1 - violations / elements), from, check.violations,
                    check.first, check.last, from),
        {{"from", from},
         {"violations", check.violations},
         {"share", violations / elements},
         {"first", check.first},
         {"last", check.last},
         {"share_of_region", violations / region}});
    return;
  }
}

void judge_magics(const Looked& looked, SignalWriter& out) {
  for (const FoundMagic& magic : looked.look->magics) {
    out.add(
        looked, "magic", Severity::low,
        fmt::format("the low {} bits of its numbers hold the beginning of a "
                    "file ({}) at number {}",
                    magic.bits, magic.name, magic.element),
        {{"format", magic.name},
         {"bits", magic.bits},
         {"element", magic.element}});
  }
}

void judge_entropy(const Looked& looked, SignalWriter& out) {
  const std::vector<float>& windows = looked.look->low_entropy;
  constexpr std::size_t kFewest = 8;
  if (windows.size() < kFewest) return;
  const double median =
      median_of(std::vector<double>(windows.begin(), windows.end()));
  std::size_t first = windows.size();
  std::size_t last = 0;
  std::size_t count = 0;
  double least = median;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (windows[i] > median - kOrderly) continue;
    first = std::min(first, i);
    last = i;
    ++count;
    least = std::min<double>(least, windows[i]);
  }
  if (count == 0) return;
  out.add(
      looked, "low-entropy", Severity::info,
      fmt::format("the low bytes of {} runs of {} numbers, in {} to {}, have "
                  "as little as {:.2f} bits a byte, where the median is "
                  "{:.2f}",
                  count, kEntropyWindow, first * kEntropyWindow,
                  (last + 1) * kEntropyWindow - 1, least, median),
      {{"runs", count},
       {"first", first * kEntropyWindow},
       {"last", (last + 1) * kEntropyWindow - 1},
       {"least", least},
       {"median", median}});
}

/// Windows where a leading bit is as often one as zero, in a tensor or a model
/// whose other windows are not.
void judge_bits(const Looked& looked, std::size_t bit, double natural,
                SignalWriter& out) {
  const auto& windows = looked.look->bit_shares;
  const std::uint64_t size =
      std::min<std::uint64_t>(kBitWindow, looked.look->elements);
  const double sigma = 0.5 / std::sqrt(static_cast<double>(size));
  if (size < kFewestElements || natural > 0.5 - kNaturalBit * sigma) return;
  std::size_t first = windows.size();
  std::size_t last = 0;
  std::size_t count = 0;
  double sum = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const double share = windows[i][bit];
    if (std::abs(share - 0.5) > kRandomBit * sigma) continue;
    first = std::min(first, i);
    last = i;
    ++count;
    sum += share;
  }
  if (count == 0) return;
  const double share = sum / static_cast<double>(count);
  const std::uint64_t from = first * kBitWindow;
  const std::uint64_t to =
      std::min<std::uint64_t>((last + 1) * kBitWindow, looked.look->elements) -
      1;
  out.add(looked, "mantissa-bits", Severity::info,
          fmt::format("bit {} of the mantissa is one in {:.2f} % of numbers {} "
                      "to {} as random bits are, where this model's weights "
                      "have {:.2f} % (z {:.1f})",
                      bit + 1, 100 * share, from, to, 100 * natural,
                      (share - natural) / sigma),
          {{"bit", bit + 1},
           {"share", share},
           {"natural", natural},
           {"z", (share - natural) / sigma},
           {"windows", count},
           {"first", from},
           {"last", to}});
}

void judge_rows(const Looked& looked, SignalWriter& out) {
  std::vector<double> logs;
  for (const float norm : looked.look->row_norms) {
    if (norm > 0) logs.push_back(std::log(static_cast<double>(norm)));
  }
  if (logs.size() < kFewestRows) return;
  const double median = median_of(logs);
  // Rows that are alike to the last bit would make every other an outlier.
  const double deviation = std::max(deviation_of(logs, median), 0.01);
  std::size_t count = 0;
  std::size_t longest = 0;
  double most = 0;
  for (std::size_t row = 0; row < looked.look->row_norms.size(); ++row) {
    const double norm = looked.look->row_norms[row];
    if (!(norm > 0)) continue;
    const double z = (std::log(norm) - median) / deviation;
    const bool is_long = z * deviation >= std::log(kRowTimesMedian);
    if (z >= kRowOutlier && is_long) ++count;
    if (z > most) {
      most = z;
      longest = row;
    }
  }
  if (count == 0) return;
  out.add(looked, "row-norm", Severity::info,
          fmt::format("{} of {} rows are far longer than the rest: row {} is "
                      "{:.3g} times the median (robust z {:.1f})",
                      count, looked.look->row_norms.size(), longest,
                      std::exp(most * deviation), most),
          {{"rows", count},
           {"row", longest},
           {"times_median", std::exp(most * deviation)},
           {"z", most}});
}

void judge_siblings(const std::vector<Looked>& looked, SignalWriter& out) {
  std::map<std::string, std::vector<const Looked*>> modules;
  for (const Looked& each : looked) {
    const TensorPlace place = place_of(each.tensor->name);
    if (each.look && place.layer && each.look->strongest > 0) {
      modules[place.module].push_back(&each);
    }
  }
  for (const auto& [module, group] : modules) {
    if (group.size() < kFewestSiblings) continue;
    const auto strongest = std::max_element(
        group.begin(), group.end(), [](const Looked* a, const Looked* b) {
          return a->look->strongest < b->look->strongest;
        });
    double next = 0;
    for (const Looked* each : group) {
      if (each != *strongest) next = std::max(next, each->look->strongest);
    }
    const double most = (*strongest)->look->strongest;
    if (most < kStrongest || most < kAgainstSiblings * next) continue;
    out.add(**strongest, "spectrum", Severity::info,
            fmt::format("its strongest direction is {:.3g} times the edge of "
                        "noise, where {} of other layers has at most {:.3g}",
                        most, printable(module), next),
            {{"sigma1_over_edge", most}, {"next", next}});
  }
}

/// What is usual for a leading bit: the median over all windows of the model.
double natural_share(const std::vector<Looked>& looked, Dtype dtype,
                     std::size_t bit) {
  std::vector<double> shares;
  for (const Looked& each : looked) {
    if (!each.look || each.tensor->dtype != dtype ||
        each.look->elements < kFewestElements) {
      continue;
    }
    for (const auto& window : each.look->bit_shares) {
      shares.push_back(window[bit]);
    }
  }
  return median_of(std::move(shares));
}

/// Looks at tensors on several cores; each opens files of its own.
class Lookers {
 public:
  Lookers(const ModelView& view, std::vector<Looked>& looked,
          Progress& progress, const Cancellation& cancellation)
      : view_(view),
        looked_(looked),
        progress_(progress),
        cancellation_(cancellation) {}

  void run(unsigned threads) {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const auto lanes = static_cast<unsigned>(
        std::clamp<std::size_t>(threads == 0 ? cores : threads, 1,
                                std::max<std::size_t>(1, looked_.size())));
    std::vector<std::future<void>> others;
    for (unsigned i = 1; i < lanes; ++i) {
      others.push_back(std::async(std::launch::async, [this] { work(); }));
    }
    work();
    for (auto& other : others) other.get();
  }

 private:
  void work() {
    std::string open_file;
    std::unique_ptr<ByteSource> source;
    for (std::size_t i = next_++; i < looked_.size(); i = next_++) {
      if (cancellation_.requested()) return;
      const ViewTensor& tensor = *looked_[i].tensor;
      try {
        if (source == nullptr || open_file != tensor.file) {
          source = view_.open(tensor.file);
          open_file = tensor.file;
        }
        const TensorBytes bytes{.source = source.get(),
                                .dtype = tensor.dtype,
                                .shape = tensor.shape,
                                .offset = tensor.offset,
                                .size = tensor.size};
        if (can_look_at(bytes)) looked_[i].look = look_at(bytes, cancellation_);
      } catch (const Error&) {
        source = nullptr;  // counted as left out
      }
      const std::lock_guard lock(mutex_);
      done_ += tensor.size;
      progress_.advance(done_, tensor.name);
    }
  }

  const ModelView& view_;
  std::vector<Looked>& looked_;
  Progress& progress_;
  const Cancellation& cancellation_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::uint64_t done_ = 0;
};

}  // namespace

Json WeakSignal::to_json() const {
  return {{"kind", kind},
          {"severity", to_string(severity)},
          {"tensor", lossless_utf8(tensor)},
          {"file", lossless_utf8(file)},
          {"message", lossless_utf8(message)},
          {"numbers", numbers}};
}

WeakSignals find_weak_signals(const ModelView& view, unsigned threads,
                              Progress& progress,
                              const Cancellation& cancellation) {
  WeakSignals found;
  std::vector<Looked> looked;
  std::uint64_t total = 0;
  for (const ViewTensor& tensor : view.tensors) {
    looked.push_back({.tensor = &tensor, .look = std::nullopt});
    total += tensor.size;
  }
  progress.begin("weak signals", total);
  if (view.tree != nullptr) {
    Lookers(view, looked, progress, cancellation).run(threads);
  }
  SignalWriter out(found);
  std::map<Dtype, std::array<double, kTestableBits>> natural;
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (std::size_t bit = 0; bit < kTestableBits; ++bit) {
      natural[dtype][bit] = natural_share(looked, dtype, bit);
    }
  }
  for (const Looked& each : looked) {
    ++(each.look ? found.tensors : found.left_out);
    if (!each.look) continue;
    judge_upcasts(each, out);
    judge_magics(each, out);
    judge_entropy(each, out);
    for (std::size_t bit = 0; bit < kTestableBits; ++bit) {
      judge_bits(each, bit, natural[each.tensor->dtype][bit], out);
    }
    judge_rows(each, out);
  }
  judge_siblings(looked, out);
  std::stable_sort(found.signals.begin(), found.signals.end(),
                   [](const WeakSignal& a, const WeakSignal& b) {
                     return a.severity > b.severity;
                   });
  progress.end(fmt::format("{} weak signals in {} tensors",
                           found.signals.size(), found.tensors));
  return found;
}

std::string to_text(const WeakSignals& found) {
  std::string text = fmt::format(
      "\nWeak signals in the numbers, not proof: {} in {} tensors{}\n",
      found.signals.size(), found.tensors,
      found.left_out == 0
          ? ""
          : fmt::format(" ({} of other types left out)", found.left_out));
  for (const WeakSignal& each : found.signals) {
    text += fmt::format("  {} {} {}: {}\n", to_string(each.severity), each.kind,
                        printable(each.tensor), each.message);
  }
  return text;
}

}  // namespace impound
