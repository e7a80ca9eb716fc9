// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/folded_digest.hpp"

#include <random>

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string number(std::uint64_t value) {
  std::string text;
  for (unsigned i = 0; i < 8; ++i) {
    text += static_cast<char>((value >> (8 * i)) & 0xFFU);
  }
  return text;
}

Digest folded(std::string_view content) {
  FoldedSha256 hash(content.size());
  hash.update(as_bytes(content));
  return hash.finish();
}

TEST_CASE("the folded digest is over the text that its header describes",
          "[crypto][folded]") {
  const std::string data(4096, 'x');
  const std::string content =
      data + std::string(2 * 4096, '\0') + "tail" + std::string(3, '\0');
  CHECK(folded(content) ==
        sha256("folded-sha256 1\n" + number(content.size()) + '\1' + data +
               '\0' + number(2 * 4096) + '\1' + "tail" + std::string(3, '\0')));
  CHECK(folded("") == sha256("folded-sha256 1\n" + number(0)));
  CHECK(folded(std::string(5, '\0')) ==
        sha256("folded-sha256 1\n" + number(5) + std::string(1, '\0') +
               number(5)));
}

TEST_CASE(
    "counted zeros and written zeros have one folded digest, however "
    "they are cut",
    "[crypto][folded]") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::string content;
    std::vector<std::pair<bool, std::size_t>> parts;  // is a hole, length
    for (int i = 0; i < 12; ++i) {
      const bool is_hole = random() % 2 == 0;
      const std::size_t length = random() % 3 == 0   ? random() % 20'000
                                 : random() % 2 == 0 ? 4096
                                                     : random() % 10;
      parts.emplace_back(is_hole, length);
      for (std::size_t j = 0; j < length; ++j) {
        content += is_hole || random() % 4 != 0
                       ? '\0'
                       : static_cast<char>(random() % 256);
      }
    }
    FoldedSha256 hash(content.size());
    std::size_t at = 0;
    for (const auto& [is_hole, length] : parts) {
      if (is_hole) {
        hash.zeros(length);
      } else {
        hash.update(as_bytes(content).subspan(at, length));
      }
      at += length;
    }
    if (hash.finish() != folded(content)) FAIL("differs in round " << round);
  }
}

TEST_CASE("one byte, its place and the size are all in the folded digest",
          "[crypto][folded]") {
  const auto at = [](std::uint64_t size, std::uint64_t place) {
    FoldedSha256 hash(size);
    hash.zeros(place);
    hash.update(as_bytes("x"));
    hash.zeros(size - place - 1);
    return hash.finish();
  };
  constexpr std::uint64_t kSize = std::uint64_t{64} << 40U;
  CHECK(at(kSize, 1U << 30U) == at(kSize, 1U << 30U));
  CHECK_FALSE(at(kSize, 1U << 30U) == at(kSize, (1U << 30U) + 1));
  CHECK_FALSE(at(kSize, 1U << 30U) == at(kSize, (1U << 30U) + 4096));
  CHECK_FALSE(at(kSize, 1U << 30U) == at(kSize + 1, 1U << 30U));
  CHECK_FALSE(at(kSize, 1U << 30U) == at(kSize + 4096, 1U << 30U));
}

}  // namespace
}  // namespace impound::test
