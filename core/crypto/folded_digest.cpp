// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/folded_digest.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace impound {
namespace {

constexpr std::array<std::byte, 4096> kZeros{};

std::array<std::byte, 8> little_endian(std::uint64_t value) {
  std::array<std::byte, 8> bytes{};
  for (std::byte& each : bytes) {
    each = static_cast<std::byte>(value & 0xFFU);
    value >>= 8U;
  }
  return bytes;
}

}  // namespace

FoldedSha256::FoldedSha256(std::uint64_t size) {
  hash_.update(as_bytes("folded-sha256 1\n"));
  hash_.update(little_endian(size));
}

void FoldedSha256::block(ByteView bytes) {
  if (std::memcmp(bytes.data(), kZeros.data(), bytes.size()) == 0) {
    run_ += bytes.size();
    return;
  }
  end_run();
  constexpr std::byte kData{1};
  hash_.update(ByteView(&kData, 1));
  hash_.update(bytes);
}

void FoldedSha256::end_run() {
  if (run_ == 0) return;
  constexpr std::byte kRun{0};
  hash_.update(ByteView(&kRun, 1));
  hash_.update(little_endian(run_));
  run_ = 0;
}

void FoldedSha256::update(ByteView bytes) {
  while (!bytes.empty()) {
    if (pending_.empty() && bytes.size() >= kBlock) {
      block(bytes.first(kBlock));
      bytes = bytes.subspan(kBlock);
      continue;
    }
    const std::size_t some = std::min(bytes.size(), kBlock - pending_.size());
    pending_.insert(pending_.end(), bytes.begin(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(some));
    bytes = bytes.subspan(some);
    if (pending_.size() < kBlock) return;
    block(pending_);
    pending_.clear();
  }
}

void FoldedSha256::zeros(std::uint64_t count) {
  if (!pending_.empty()) {
    const std::uint64_t some =
        std::min<std::uint64_t>(count, kBlock - pending_.size());
    update(ByteView(kZeros).first(static_cast<std::size_t>(some)));
    count -= some;
  }
  // Either a block begins here, or nothing is left.
  run_ += count / kBlock * kBlock;
  update(ByteView(kZeros).first(static_cast<std::size_t>(count % kBlock)));
}

Digest FoldedSha256::finish() {
  if (!pending_.empty()) block(pending_);
  pending_.clear();
  end_run();
  return hash_.finish();
}

}  // namespace impound
