// SPDX-License-Identifier: Apache-2.0
#include "core/formats/packed/zip_inflate.hpp"

#include <zlib.h>

#include <random>

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in =
      reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Text that packs to a tenth, and of which every part is another.
std::string words(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    text += std::string(random() % 40, static_cast<char>('a' + random() % 26));
    text += std::to_string(random() % 100);
  }
  text.resize(size);
  return text;
}

TEST_CASE("gzip of several streams is read at any place, however large it is",
          "[formats][inflate]") {
  // Streams of none, of little, of more than is kept, within and without the
  // distance of places from which unpacking goes on.
  std::string content;
  std::string packed;
  unsigned seed = 0;
  for (const std::size_t size :
       {std::size_t{10}, std::size_t{0}, std::size_t{9} << 20U,
        std::size_t{3} << 20U, std::size_t{11} << 20U, std::size_t{1},
        std::size_t{5} << 20U}) {
    const std::string part = words(size, ++seed);
    content += part;
    packed += gzip(part);
  }
  const SpanSource source(as_bytes(packed));
  const InflateSource inflated(source, 0, packed.size(), DeflateWrapping::gzip,
                               std::uint64_t{1} << 40U);
  CHECK(inflated.outcome().has_ended);
  CHECK(inflated.outcome().problem.empty());
  CHECK(inflated.outcome().packed_used == packed.size());
  REQUIRE(inflated.size() == content.size());
  const auto is_same = [&](std::size_t at, std::size_t count) {
    return as_text(inflated.head(at, count)) == content.substr(at, count);
  };
  CHECK(is_same(0, content.size()));
  std::mt19937 random(3);
  for (int i = 0; i < 60; ++i) {
    const std::size_t at = random() % content.size();
    const std::size_t count = random() % (6U << 20U);
    if (!is_same(at, std::min(count, content.size() - at))) {
      FAIL("other bytes at " << at << ", " << count << " bytes");
    }
  }
  CHECK(is_same(content.size() - 1, 1));
}

}  // namespace
}  // namespace impound::test
