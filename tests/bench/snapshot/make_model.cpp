// SPDX-License-Identifier: Apache-2.0
/// Makes a model to take: weights as a trained one has them (normal, bf16, in a
/// safetensors file) and a prompt log in JSON lines. The same on every machine.
///
///   make_model <folder> <MiB of weights> <MiB of log>

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"

namespace impound {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr float kDeviation = 0.02F;  // as initialised and trained models have

void make_weights(const fs::path& path, std::size_t mib) {
  const UniqueFd file = create_file(path, 0644);
  std::string header = fmt::format(
      R"({{"w":{{"dtype":"BF16","shape":[{},1024],"data_offsets":[0,{}]}}}})",
      mib * 512, mib * kMiB);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = header.size();
  write_all(file, std::as_bytes(std::span(&size, 1)), path);
  write_all(file, as_bytes(header), path);
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, kDeviation);
  std::vector<std::uint16_t> block(kMiB / 2);
  for (std::size_t i = 0; i < mib; ++i) {
    for (std::uint16_t& weight : block) {
      weight = static_cast<std::uint16_t>(
          std::bit_cast<std::uint32_t>(normal(random)) >> 16U);
    }
    write_all(file, std::as_bytes(std::span(block)), path);
  }
}

void make_log(const fs::path& path, std::size_t mib) {
  constexpr std::array kWords{
      "please", "summarise", "the",    "report",   "about", "weather",
      "in",     "translate", "this",   "sentence", "into",  "French",
      "how",    "do",        "I",      "write",    "a",     "letter",
      "to",     "my",        "bank",   "explain",  "step",  "by",
      "model",  "answer",    "number", "why"};
  const UniqueFd file = create_file(path, 0644);
  std::mt19937_64 random(2);
  std::string block;
  std::size_t number = 0;
  for (std::size_t written = 0; written < mib * kMiB; written += block.size()) {
    block.clear();
    while (block.size() < kMiB) {
      std::string prompt;
      for (std::size_t n = 5 + random() % 40; n > 0; --n) {
        prompt += kWords[random() % kWords.size()];
        prompt += ' ';
      }
      block += fmt::format(
          R"({{"ts":"2026-11-{:02}T{:02}:{:02}:{:02}Z","id":"{:016x}","user":{},"prompt":"{}","tokens":{}}})"
          "\n",
          1 + number / 86400 % 28, number / 3600 % 24, number / 60 % 60,
          number % 60, random(), random() % 500, prompt, random() % 4096);
      ++number;
    }
    write_all(file, as_bytes(block), path);
  }
}

}  // namespace
}  // namespace impound

int main(int argc, char** argv) {
  using namespace impound;
  if (argc != 4) return 2;
  try {
    const fs::path folder(argv[1]);
    create_folders(folder / "weights");
    create_folders(folder / "log");
    make_weights(folder / "weights" / "model.safetensors",
                 std::strtoull(argv[2], nullptr, 10));
    make_log(folder / "log" / "prompts.jsonl",
             std::strtoull(argv[3], nullptr, 10));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
