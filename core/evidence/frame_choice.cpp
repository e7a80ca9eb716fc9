// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/frame_choice.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace impound {
namespace {

/// Sixteen samples of 4 KiB predict the gain on a 4 MiB frame within 1 %
/// (docs/benchmarks.md).
constexpr std::size_t kSamples = 16;
constexpr std::size_t kSampleBytes = 4096;

/// Below this gain the frame is stored: level -1 leaves literals as they are
/// and still finds long repetitions.
constexpr double kLeastGain = 0.03;
constexpr int kStoredLevel = -1;

/// Bits a byte takes, by the frequencies of bytes alone (order 0).
double entropy_bits(const std::array<std::uint32_t, 256>& counts,
                    double total) {
  double bits = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    const double share = count / total;
    bits -= share * std::log2(share);
  }
  return bits;
}

}  // namespace

bool looks_like_text(ByteView sample) noexcept {
  if (sample.empty()) return false;
  std::size_t odd = 0;
  int expected = 0;  // continuation bytes of a UTF-8 sequence
  for (const std::byte raw : sample) {
    const auto c = std::to_integer<unsigned>(raw);
    if (c == 0) return false;
    if ((c & 0xC0U) == 0x80) {
      if (expected == 0) ++odd;
      expected = std::max(0, expected - 1);
      continue;
    }
    if (expected != 0) ++odd;
    expected = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') ++odd;
  }
  // A sample may begin and end inside a sequence.
  return odd <= 4 + sample.size() / 100;
}

int choose_level(ByteView content, const FrameLevels& levels) {
  const std::size_t count =
      std::clamp<std::size_t>(content.size() / kSampleBytes, 1, kSamples);
  const std::size_t stride = content.size() / count;
  std::array<std::uint32_t, 256> counts{};
  std::size_t text = 0;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView rest = content.subspan(i * stride);
    const ByteView sample = rest.first(std::min(rest.size(), kSampleBytes));
    if (looks_like_text(sample)) ++text;
    for (const std::byte b : sample) ++counts[std::to_integer<std::size_t>(b)];
    total += sample.size();
  }
  // Tar headers between small text files hold zeros: most, not all, samples.
  if (2 * text > count) return levels.text;
  const double size = entropy_bits(counts, static_cast<double>(total)) / 8;
  return size > 1 - kLeastGain ? kStoredLevel : levels.weights;
}

}  // namespace impound
