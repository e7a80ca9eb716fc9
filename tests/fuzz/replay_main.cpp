// SPDX-License-Identifier: Apache-2.0
/// Runs a fuzz target without libFuzzer: every file given (folders are walked),
/// then deterministic mutations of it. A crash leaves the input that caused it
/// in ./fuzz-crash-input. All targets are in one program: to link each with its
/// rooms took longer than to run it.
///
///   fuzz_replay NAME [--mutations=N] FILE|FOLDER…

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Each <name>_fuzzer.cpp is compiled with its LLVMFuzzerTestOneInput renamed to
// fuzz_<name>.
#define IMPOUND_FUZZ_NAME(name) \
  extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef IMPOUND_FUZZ_NAME

namespace {

struct Target {
  std::string_view name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};

constexpr Target kTargets[] = {
#define IMPOUND_FUZZ_NAME(name) {#name, fuzz_##name},
#include "fuzz_targets.inc"
#undef IMPOUND_FUZZ_NAME
};

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;

const Target* g_target = nullptr;
const Input* g_current = nullptr;  // what the crash handler saves

void save_crash_input(int signal_number) {
  if (g_current != nullptr) {
    const int fd = ::open("fuzz-crash-input", O_WRONLY | O_CREAT | O_TRUNC,
                          S_IRUSR | S_IWUSR);
    if (fd >= 0 && ::write(fd, g_current->data(), g_current->size()) >= 0) {
      ::close(fd);
    }
    constexpr char kNote[] = "the input is in ./fuzz-crash-input\n";
    static_cast<void>(!::write(STDERR_FILENO, kNote, sizeof kNote - 1));
  }
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

void run(const Input& input) {
  g_current = &input;
  g_target->run(input.data(), input.size());
  g_current = nullptr;
}

std::size_t pick(std::mt19937_64& random, std::size_t below) {
  return below == 0 ? 0 : static_cast<std::size_t>(random() % below);
}

/// One change of the kinds that break parsers: bits, cuts, sizes, copies.
void mutate_once(Input& input, const Input& other, std::mt19937_64& random) {
  constexpr std::uint64_t kExtremes[] = {
      0,          1,          0x7f,       0x80,          0xff,
      0x7fff,     0x8000,     0xffff,     0x7fffffff,    0x80000000,
      0xffffffff, ~0ULL >> 1, 1ULL << 63, ~0ULL,         0x20,
      0x22,       0x5c,       0x0a,       100'000'000ULL};
  const std::size_t at = pick(random, input.size());
  switch (random() % 7) {
    case 0:  // one bit
      if (!input.empty()) {
        input[at] ^= static_cast<std::uint8_t>(1U << (random() % 8));
      }
      break;
    case 1:  // one byte
      if (!input.empty()) input[at] = static_cast<std::uint8_t>(random());
      break;
    case 2:  // an extreme number of 1, 2, 4 or 8 bytes, little-endian
    {
      const std::uint64_t value = kExtremes[pick(random, std::size(kExtremes))];
      const std::size_t width = std::size_t{1} << (random() % 4);
      for (std::size_t i = 0; i < width && at + i < input.size(); ++i) {
        input[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
      }
      break;
    }
    case 3:  // cut the end off
      input.resize(at);
      break;
    case 4:  // cut a part out
      input.erase(
          input.begin() + static_cast<std::ptrdiff_t>(at),
          input.begin() + static_cast<std::ptrdiff_t>(std::min(
                              input.size(), at + 1 + pick(random, 64))));
      break;
    case 5:  // double a part
    {
      const std::size_t count = std::min(input.size() - at, pick(random, 64));
      const Input part(input.begin() + static_cast<std::ptrdiff_t>(at),
                       input.begin() + static_cast<std::ptrdiff_t>(at + count));
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(at),
                   part.begin(), part.end());
      break;
    }
    default:  // a part of another seed
    {
      const std::size_t from = pick(random, other.size());
      const std::size_t count = std::min(other.size() - from, pick(random, 64));
      for (std::size_t i = 0; i < count && at + i < input.size(); ++i) {
        input[at + i] = other[from + i];
      }
    }
  }
}

std::vector<fs::path> find_seeds(const std::vector<fs::path>& places) {
  std::vector<fs::path> seeds;
  for (const fs::path& place : places) {
    if (fs::is_directory(place)) {
      for (const auto& entry : fs::recursive_directory_iterator(place)) {
        if (entry.is_regular_file()) seeds.push_back(entry.path());
      }
    } else if (fs::is_regular_file(place)) {
      seeds.push_back(place);
    }
  }
  std::ranges::sort(seeds);
  return seeds;
}

Input read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    ::signal(number, save_crash_input);
  }
  std::size_t mutations = 200;
  std::vector<fs::path> places;
  const auto target = std::ranges::find(
      kTargets, std::string_view(argc > 1 ? argv[1] : ""), &Target::name);
  if (target == std::end(kTargets)) {
    std::fputs("usage: fuzz_replay NAME [--mutations=N] FILE|FOLDER…\nNAME is",
               stderr);
    for (const Target& one : kTargets) {
      std::fprintf(stderr, " %s", one.name.data());
    }
    std::fputs("\n", stderr);
    return 2;
  }
  g_target = target;
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--mutations=")) {
      mutations = std::strtoull(argument.c_str() + 12, nullptr, 10);
    } else {
      places.emplace_back(argument);
    }
  }
  const std::vector<fs::path> seeds = find_seeds(places);
  if (seeds.empty()) {
    std::fputs("no seeds found: a replay of nothing proves nothing\n", stderr);
    return 1;
  }
  run({});
  std::size_t runs = 1;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    const Input seed = read_all(seeds[i]);
    const Input other = read_all(seeds[(i + 1) % seeds.size()]);
    run(seed);
    ++runs;
    std::mt19937_64 random(i + 1);  // same inputs on every machine
    for (std::size_t n = 0; n < mutations; ++n) {
      Input changed = seed;
      const std::size_t changes = 1 + pick(random, 4);
      for (std::size_t c = 0; c < changes; ++c) {
        mutate_once(changed, other, random);
      }
      run(changed);
      ++runs;
    }
  }
  std::printf("%zu inputs from %zu seeds\n", runs, seeds.size());
  return 0;
}
