// SPDX-License-Identifier: Apache-2.0
#include "core/formats/byte_stream.hpp"

#include <zlib.h>

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

struct Unpacked {
  std::string text;
  std::string problem;
};

Unpacked unpack(const std::string& packed, const ExpansionLimits& limits = {}) {
  const SpanSource source(as_bytes(packed));
  const auto stream =
      open_stream(source, packing_of(as_bytes(packed)), nullptr, limits);
  Unpacked result;
  Bytes block(70'000);
  while (true) {
    const std::size_t count = stream->read(block);
    if (count == 0) break;
    result.text += as_text(ByteView(block).first(count));
  }
  result.problem = stream->problem();
  return result;
}

TEST_CASE("packing is told by content", "[formats][rows]") {
  const auto packing = [](std::string_view head) {
    return packing_of(as_bytes(head));
  };
  CHECK(packing(gzip("x")) == Packing::gzip);
  CHECK(packing("\x28\xb5\x2f\xfd") == Packing::zstd);
  CHECK(packing("\x5e\x2a\x4d\x18") == Packing::zstd);
  CHECK(packing(std::string_view("\xfd"
                                 "7zXZ\0",
                                 6)) == Packing::xz);
  CHECK(packing("BZh91AY&SY") == Packing::bzip2);
  CHECK(packing("BZh is how a sentence may begin") == Packing::none);
  CHECK(packing("") == Packing::none);
  CHECK(packing("{\"a\":1}") == Packing::none);
}

TEST_CASE("gzip of several members is one text", "[formats][rows]") {
  const std::string large(300'000, 'y');
  const Unpacked read = unpack(gzip("one\n") + gzip("") + gzip(large));
  CHECK((read.text == "one\n" + large));
  CHECK(read.problem.empty());
  // Zeros behind it are padding; anything else is not.
  CHECK(unpack(gzip("one") + std::string(512, '\0')).problem.empty());
  const Unpacked trailing = unpack(gzip("one") + "evil");
  CHECK(trailing.text == "one");
  CHECK_THAT(trailing.problem, Catch::Contains("no gzip"));
}

TEST_CASE("gzip that is cut or damaged gives what came before, and says so",
          "[formats][rows][hostile]") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string packed = gzip(text);
  const Unpacked cut = unpack(packed.substr(0, packed.size() / 2));
  CHECK((text.starts_with(cut.text)));
  CHECK(cut.text.size() > 1000);
  CHECK_THAT(cut.problem, Catch::Contains("end early"));
  std::string damaged = packed;
  damaged[packed.size() / 2] = static_cast<char>(~damaged[packed.size() / 2]);
  CHECK_FALSE(unpack(damaged).problem.empty());
  CHECK_FALSE(unpack("\x1f\x8b\x08").problem.empty());
}

TEST_CASE("a bomb is not read on", "[formats][rows][hostile]") {
  const std::string packed = gzip(std::string(80U << 20U, 'b'));
  const Unpacked by_ratio = unpack(packed, {.ratio = 100});
  CHECK_THAT(by_ratio.problem, Catch::Contains("for one packed byte"));
  CHECK(by_ratio.text.size() < (65U << 20U));
  const Unpacked by_size = unpack(packed, {.total = 1000});
  CHECK_THAT(by_size.problem, Catch::Contains("limit for one file"));
  CHECK(unpack(packed).problem.empty());
}

TEST_CASE("what nobody lent a library for is said to be unread",
          "[formats][rows]") {
  CHECK_THAT(unpack("\x28\xb5\x2f\xfd....").problem,
             Catch::Contains("zstd is not unpacked here"));
}

}  // namespace
}  // namespace impound::test
