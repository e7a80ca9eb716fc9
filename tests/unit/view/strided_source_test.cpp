// SPDX-License-Identifier: Apache-2.0
#include "core/view/strided_source.hpp"

#include <numeric>
#include <thread>

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

Bytes counted(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>((i * 131 + i / 251) & 0xFFU);
  }
  return bytes;
}

/// Element by element, as the definition has it.
Bytes expected(ByteView source, std::uint64_t offset,
               const StridedLayout& layout) {
  Bytes out;
  std::vector<std::uint64_t> at(layout.shape.size(), 0);
  std::uint64_t count = 1;
  for (const std::uint64_t n : layout.shape) count *= n;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t item = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      item += at[d] * layout.strides[d];
    }
    const ByteView bytes =
        source.subspan(offset + item * layout.item, layout.item);
    Bytes one(bytes.begin(), bytes.end());
    if (layout.swap > 1) {
      for (std::size_t k = 0; k < one.size(); k += layout.swap) {
        std::ranges::reverse(std::span(one).subspan(k, layout.swap));
      }
    }
    out.insert(out.end(), one.begin(), one.end());
    for (std::size_t d = at.size(); d-- > 0;) {
      if (++at[d] < layout.shape[d]) break;
      at[d] = 0;
    }
  }
  return out;
}

/// Read whole, and in pieces of an odd size.
void check(std::size_t bytes, std::uint64_t offset,
           const StridedLayout& layout) {
  const Bytes content = counted(bytes);
  const SpanSource base{content};
  const StridedSource source(base, offset, layout);
  const Bytes want = expected(content, offset, layout);
  REQUIRE(source.size() == want.size());
  CHECK(source.head(0, source.size()) == want);
  const std::size_t step = std::max<std::size_t>(1, want.size() / 7) + 3;
  for (std::size_t at = 0; at < want.size(); at += step) {
    const std::size_t count = std::min(step, want.size() - at);
    const Bytes piece = source.head(at, count);
    REQUIRE(std::ranges::equal(piece, ByteView(want).subspan(at, count)));
  }
}

TEST_CASE("elements come in the order that is asked for", "[compare]") {
  check(24, 0, {.item = 2, .shape = {3, 4}, .strides = {4, 1}});
  check(24, 0, {.item = 2, .shape = {4, 3}, .strides = {1, 4}});
  check(100, 6, {.item = 4, .shape = {3, 2}, .strides = {7, 2}});
  check(60, 0, {.item = 1, .shape = {5, 3, 4}, .strides = {4, 20, 1}});
  check(60, 0, {.item = 1, .shape = {4, 5, 3}, .strides = {1, 4, 20}});
  check(16, 4, {.item = 4, .shape = {}, .strides = {}});
  check(12, 0, {.item = 4, .shape = {5, 3}, .strides = {0, 1}});
}

TEST_CASE("the bytes of a number can be reversed", "[compare]") {
  check(24, 0, {.item = 4, .shape = {2, 3}, .strides = {3, 1}, .swap = 4});
  check(24, 0, {.item = 4, .shape = {3, 2}, .strides = {1, 3}, .swap = 4});
  check(32, 0, {.item = 8, .shape = {4}, .strides = {1}, .swap = 4});
}

TEST_CASE("rows of heads are put back", "[compare]") {
  // Two heads of six rows: neighbours become halves.
  check(12 * 10, 0, {.item = 10, .shape = {2, 2, 3}, .strides = {6, 1, 2}});
}

TEST_CASE("views of several bands are the same as those of one", "[compare]") {
  // 3 MiB · 8: transposed, the source is read band by band.
  check(24U << 20U, 0,
        {.item = 4, .shape = {2048, 3072}, .strides = {1, 2048}});
  check(24U << 20U, 0,
        {.item = 4, .shape = {2, 1024, 3072}, .strides = {1024, 1, 2048}});
}

TEST_CASE("an empty view reads nothing", "[compare]") {
  const Bytes content = counted(8);
  const SpanSource base{content};
  const StridedSource source(
      base, 0, {.item = 4, .shape = {0, 7}, .strides = {1000, 1000}});
  CHECK(source.size() == 0);
  CHECK(source.head(0, 8).empty());
}

TEST_CASE("a view that leaves its bytes is refused", "[compare]") {
  const Bytes content = counted(64);
  const SpanSource base{content};
  const auto refuses = [&](std::uint64_t offset, StridedLayout layout) {
    CHECK_THROWS_AS(StridedSource(base, offset, std::move(layout)), Error);
  };
  refuses(0, {.item = 4, .shape = {17}, .strides = {1}});
  refuses(4, {.item = 4, .shape = {16}, .strides = {1}});
  refuses(UINT64_MAX, {.item = 4, .shape = {1}, .strides = {1}});
  refuses(0, {.item = 4, .shape = {2}, .strides = {UINT64_MAX / 2}});
  refuses(0, {.item = 4,
              .shape = {UINT64_MAX / 4, UINT64_MAX / 4},
              .strides = {0, 0}});
  refuses(0, {.item = 4, .shape = {2, 2}, .strides = {1}});
  refuses(0, {.item = 0, .shape = {2}, .strides = {1}});
  refuses(0, {.item = StridedSource::kBand + 1, .shape = {1}, .strides = {0}});
  const StridedSource source(base, 0,
                             {.item = 4, .shape = {4}, .strides = {1}});
  Bytes room(8);
  CHECK_THROWS_AS(source.read(12, room), Error);
}

TEST_CASE("several threads read one view", "[compare]") {
  const Bytes content = counted(4U << 20U);
  const SpanSource base{content};
  const StridedLayout layout{
      .item = 2, .shape = {1024, 2048}, .strides = {1, 1024}};
  const StridedSource source(base, 0, layout);
  const Bytes want = expected(content, 0, layout);
  std::array<Bytes, 4> parts;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      threads.emplace_back(
          [&, i] { parts[i] = source.head(i << 20U, 1U << 20U); });
    }
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CHECK(std::ranges::equal(parts[i],
                             ByteView(want).subspan(i << 20U, 1U << 20U)));
  }
}

}  // namespace
}  // namespace impound::test
