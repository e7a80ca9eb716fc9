// SPDX-License-Identifier: Apache-2.0
// One measurement, printed as JSON: compare.py runs it beside its peers.
//   compare_bench diff A B DTYPE THREADS portable|avx2|avx512 memory|file
//   compare_bench spectrum A B ROWS COLUMNS THREADS
//   compare_bench hash FOLDER THREADS
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <ctime>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/compare/delta/delta_spectrum.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/numbers.hpp"
#include "core/view/model_view.hpp"

namespace {

using namespace impound;

constexpr int kRounds = 5;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) / 1e9;
}

/// Best of a few, in processor seconds over all threads, divided by them: on a
/// machine that others use, the clock on the wall measures the others.
double best_of(unsigned threads, const std::function<void()>& act) {
  double best = 1e9;
  for (int i = 0; i < kRounds; ++i) {
    const double begin = processor_seconds();
    act();
    best = std::min(best, (processor_seconds() - begin) / threads);
  }
  return best;
}

Bytes load(const std::string& path) {
  const auto source = open_source(path);
  Bytes bytes(static_cast<std::size_t>(source->size()));
  source->read(0, bytes);
  return bytes;
}

std::uint64_t xor_of(ByteView bytes) {
  std::array<std::uint64_t, 8> sums{};
  for (std::size_t at = 0; at + 64 <= bytes.size(); at += 64) {
    std::array<std::uint64_t, 8> words;
    std::memcpy(words.data(), bytes.data() + at, 64);
    for (std::size_t i = 0; i < 8; ++i) sums[i] ^= words[i];
  }
  std::uint64_t all = 0;
  for (const std::uint64_t each : sums) all ^= each;
  return all;
}

/// GB/s of reading both, on so many threads.
double read_bandwidth(const Bytes& a, const Bytes& b, unsigned threads) {
  std::uint64_t sink = 0;
  const double seconds = best_of(threads, [&] {
    std::vector<std::future<std::uint64_t>> parts;
    for (unsigned i = 0; i < threads; ++i) {
      for (const Bytes* bytes : {&a, &b}) {
        const std::size_t part = bytes->size() / threads;
        const ByteView view = ByteView(*bytes).subspan(i * part, part);
        parts.push_back(std::async(
            threads == 1 ? std::launch::deferred : std::launch::async,
            [view] { return xor_of(view); }));
      }
    }
    for (auto& part : parts) sink ^= part.get();
  });
  if (sink == 42) fmt::print(stderr, " ");  // the sum is used
  return static_cast<double>(a.size() + b.size()) / seconds / 1e9;
}

TensorBytes tensor_of(const ByteSource& source, Dtype dtype,
                      std::vector<std::uint64_t> shape) {
  return {.source = &source,
          .dtype = dtype,
          .shape = std::move(shape),
          .offset = 0,
          .size = source.size()};
}

int diff(const std::vector<std::string>& args) {
  const Dtype dtype = dtype_from(args.at(3)).value();
  const auto threads = static_cast<unsigned>(std::stoul(args.at(4)));
  Instructions set = Instructions::portable;
  if (args.at(5) == "avx2") set = Instructions::avx2;
  if (args.at(5) == "avx512") set = Instructions::avx512;
  if (set > best_instructions()) {
    fmt::print("{{\"missing\": \"this processor has no {}\"}}\n", args.at(5));
    return 0;
  }
  const Bytes a = load(args.at(1));
  const Bytes b = load(args.at(2));
  const SpanSource memory_a(a);
  const SpanSource memory_b(b);
  const auto file_a = open_source(args.at(1));
  const auto file_b = open_source(args.at(2));
  const bool from_file = args.at(6) == "file";
  const ByteSource& one =
      from_file ? *file_a : static_cast<const ByteSource&>(memory_a);
  const ByteSource& two =
      from_file ? *file_b : static_cast<const ByteSource&>(memory_b);
  const std::uint64_t numbers = number_count(dtype, a.size());
  DeltaStatistics found;
  const double seconds = best_of(threads, [&] {
    found = measure_delta(tensor_of(one, dtype, {numbers}),
                          tensor_of(two, dtype, {numbers}), threads, set);
  });
  fmt::print(
      "{{\"gbps\": {}, \"read_gbps\": {}, \"changed\": {}, \"l2\": {:.17g}, "
      "\"l2_before\": {:.17g}, \"cosine\": {:.17g}, \"max\": {:.17g}}}\n",
      static_cast<double>(a.size() + b.size()) / seconds / 1e9,
      read_bandwidth(a, b, threads), found.sums.changed, found.delta_norm(),
      found.before_norm(), found.cosine(), found.sums.max_delta);
  return 0;
}

int spectrum(const std::vector<std::string>& args) {
  const Bytes a = load(args.at(1));
  const Bytes b = load(args.at(2));
  const SpanSource one(a);
  const SpanSource two(b);
  const std::vector<std::uint64_t> shape = {std::stoull(args.at(3)),
                                            std::stoull(args.at(4))};
  const auto threads = static_cast<unsigned>(std::stoul(args.at(5)));
  const TensorBytes before = tensor_of(one, Dtype::f32, shape);
  const TensorBytes after = tensor_of(two, Dtype::f32, shape);
  const DeltaStatistics statistics =
      measure_delta(before, after, threads, best_instructions());
  const Cancellation cancellation;
  Spectrum found;
  const double seconds = best_of(threads, [&] {
    found = measure_spectrum(before, after, statistics, threads, cancellation);
  });
  fmt::print("{{\"seconds\": {}, \"rank\": {}, \"sigma\": [", seconds,
             found.significant_rank());
  for (std::size_t i = 0; i < 20; ++i) {
    fmt::print("{}{:.9g}", i == 0 ? "" : ", ", found.sigma[i]);
  }
  fmt::print("]}}\n");
  return 0;
}

int hash(const std::vector<std::string>& args) {
  const auto tree = open_path_tree(args.at(1));
  SilentProgress progress;
  const Cancellation cancellation;
  const auto threads = static_cast<unsigned>(std::stoul(args.at(2)));
  std::uint64_t bytes = 0;
  const double seconds = best_of(threads, [&] {
    const ModelView view = view_tree(*tree, {.threads = threads, .folder = {}},
                                     progress, cancellation);
    bytes = 0;
    for (const ViewFile& file : view.files) bytes += file.size;
  });
  fmt::print("{{\"mbps\": {}}}\n", static_cast<double>(bytes) / seconds / 1e6);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> args(words + 1, words + count);
  if (args.size() == 7 && args[0] == "diff") return diff(args);
  if (args.size() == 6 && args[0] == "spectrum") return spectrum(args);
  if (args.size() == 3 && args[0] == "hash") return hash(args);
  fmt::print(stderr, "usage: see compare_bench.cpp\n");
  return 2;
}
