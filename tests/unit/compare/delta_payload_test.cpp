// SPDX-License-Identifier: Apache-2.0
// Bits that were exchanged against numbers that moved: a payload is told
// wherever its elements lie, and a fine-tune by single units in the last place
// is none.
#include <numeric>

#include "core/compare/delta/delta_label.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {
namespace {

TensorFindings decide_bytes(const Bytes& before, const Bytes& after,
                            Dtype dtype,
                            const std::vector<std::uint64_t>& shape) {
  const SpanSource one(before);
  const SpanSource two(after);
  const Cancellation cancellation;
  const auto tensor = [&](const SpanSource& source) {
    return TensorBytes{.source = &source,
                       .dtype = dtype,
                       .shape = shape,
                       .offset = 0,
                       .size = before.size()};
  };
  return decide(tensor(one), tensor(two), 2, cancellation);
}

std::size_t width_of(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 2; }

/// Writes the bits of `payload` into the low `bits` of these elements.
void hide_at(Bytes& bytes, Dtype dtype, const std::vector<std::size_t>& places,
             unsigned bits, ByteView payload) {
  const std::size_t width = width_of(dtype);
  const std::uint64_t all = (std::uint64_t{1} << bits) - 1;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::uint64_t low = 0;
    for (unsigned b = 0; b < bits; ++b) {
      const std::size_t at = i * bits + b;
      low |=
          ((std::to_integer<std::uint64_t>(payload[at / 8]) >> (at % 8)) & 1U)
          << b;
    }
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + places[i] * width, width);
    word = (word & ~all) | low;
    std::memcpy(bytes.data() + places[i] * width, &word, width);
  }
}

TEST_CASE("a payload at a stride is found, and read by it",
          "[compare][delta][payload]") {
  const Made made;
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const unsigned bits : {1U, 2U, 4U}) {
      for (const std::size_t stride : {2U, 7U, 64U}) {
        const Bytes before = encode(dtype, made.weights());
        std::vector<std::size_t> places;
        for (std::size_t at = 3; at < made.rows * made.columns; at += stride) {
          places.push_back(at);
        }
        Bytes payload = random_bytes(places.size() * bits / 8 + 1, 9);
        std::memcpy(payload.data(),
                    "\x7f"
                    "ELF",
                    4);
        Bytes after = before;
        hide_at(after, dtype, places, bits, payload);
        const TensorFindings found =
            decide_bytes(before, after, dtype, made.shape());
        INFO(to_string(dtype) << " " << bits << " bits, every " << stride
                              << "th: " << found.because);
        CHECK(found.label == "lsb-payload");
        REQUIRE(found.payload);
        CHECK(found.payload->places == PayloadPlaces::stride);
        CHECK(found.payload->stride == stride);
        CHECK(found.payload->bits == bits);
        CHECK(found.payload->magic == "ELF");
        CHECK(found.payload->first == 3);
        const std::size_t whole =
            std::min(payload.size() - 16, found.payload->stream.size());
        CHECK(std::equal(payload.begin(),
                         payload.begin() + static_cast<std::ptrdiff_t>(whole),
                         found.payload->stream.begin()));
      }
    }
  }
}

TEST_CASE("a payload at random places is found, its places are kept",
          "[compare][delta][payload]") {
  const Made made;
  const std::size_t all = made.rows * made.columns;
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    for (const unsigned bits : {1U, 2U}) {
      for (const std::size_t count : {256U, 39'336U}) {
        std::vector<std::size_t> places(all);
        std::iota(places.begin(), places.end(), std::size_t{0});
        std::mt19937 random(11);
        std::shuffle(places.begin(), places.end(), random);
        places.resize(count);
        const Bytes before = encode(dtype, made.weights());
        Bytes after = before;
        hide_at(after, dtype, places, bits, random_bytes(count, 3));
        const TensorFindings found =
            decide_bytes(before, after, dtype, made.shape());
        INFO(to_string(dtype)
             << " " << bits << " bits of " << count << ": " << found.because);
        CHECK(found.label == "lsb-payload");
        REQUIRE(found.payload);
        CHECK(found.payload->places == PayloadPlaces::scattered);
        CHECK(found.payload->changed == found.statistics.sums.changed);
        CHECK(found.payload->positions.size() == found.payload->changed);
        std::sort(places.begin(), places.end());
        for (const std::uint64_t at : found.payload->positions) {
          CHECK(std::binary_search(places.begin(), places.end(),
                                   static_cast<std::size_t>(at)));
          if (at > 2000) break;
        }
      }
    }
  }
}

/// A fine-tune in 16 bits: some numbers move by up to `most` units in the last
/// place, as a change of value does: with carries.
Bytes moved(const Bytes& before, std::size_t count, int most, unsigned seed) {
  Bytes after = before;
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = random() % (before.size() / 2);
    std::uint16_t word = 0;
    std::memcpy(&word, before.data() + 2 * at, 2);
    const int step =
        1 + static_cast<int>(random() % static_cast<unsigned>(most));
    word = static_cast<std::uint16_t>(word +
                                      ((random() & 1U) != 0 ? step : -step));
    std::memcpy(after.data() + 2 * at, &word, 2);
  }
  return after;
}

TEST_CASE("numbers that moved by single units in the last place hide nothing",
          "[compare][delta][payload]") {
  const Made made;
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16}) {
    const Bytes matrix = encode(dtype, made.weights());
    Floats ones(4096, 1.0F);
    const Bytes norm = encode(dtype, made.add_noise(ones, 0.1));
    for (unsigned seed = 0; seed < 3; ++seed) {
      for (const std::size_t count : {50U, 200U, 1000U, 30'000U}) {
        for (const int most : {1, 2, 3}) {
          INFO(to_string(dtype) << " " << count << " by " << most);
          CHECK(decide_bytes(matrix, moved(matrix, count, most, seed), dtype,
                             made.shape())
                    .label != "lsb-payload");
          CHECK(
              decide_bytes(norm, moved(norm, count, most, seed), dtype, {4096})
                  .label != "lsb-payload");
        }
      }
    }
  }
}

TEST_CASE("a norm of ones that grew has its own low bits, not somebody's",
          "[compare][delta][payload]") {
  const Bytes before = encode(Dtype::bf16, Floats(4096, 1.0F));
  Floats grown(4096);
  for (std::size_t i = 0; i < grown.size(); ++i) {
    grown[i] = 1.0F + static_cast<float>(i % 4) / 128;
  }
  CHECK(decide_bytes(before, encode(Dtype::bf16, grown), Dtype::bf16, {4096})
            .label != "lsb-payload");
}

}  // namespace
}  // namespace impound::test
