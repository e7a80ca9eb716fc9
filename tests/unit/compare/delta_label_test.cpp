// SPDX-License-Identifier: Apache-2.0
// What people do to weights, each made and recognised; docs/diff.md has the
// rows.
#include "core/compare/delta/delta_label.hpp"

#include <limits>

#include "core/formats/gguf/dequantise.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {
namespace {

/// Decides on two sets of bytes; both types may differ.
TensorFindings decide_bytes(const Bytes& before, Dtype before_type,
                            const Bytes& after, Dtype after_type,
                            const std::vector<std::uint64_t>& shape) {
  const SpanSource one(before);
  const SpanSource two(after);
  const Cancellation cancellation;
  const TensorBytes a{.source = &one,
                      .dtype = before_type,
                      .shape = shape,
                      .offset = 0,
                      .size = before.size()};
  const TensorBytes b{.source = &two,
                      .dtype = after_type,
                      .shape = shape,
                      .offset = 0,
                      .size = after.size()};
  REQUIRE(is_measurable(a));
  REQUIRE(is_measurable(b));
  return decide(a, b, 2, cancellation);
}

TensorFindings decide_floats(Dtype dtype, const Floats& before,
                             const Floats& after, const Made& made = {}) {
  return decide_bytes(encode(dtype, before), dtype, encode(dtype, after), dtype,
                      made.shape());
}

/// Numbers as a model of this type has them: an edit begins there.
Floats stored(Dtype dtype, Floats numbers) {
  if (dtype == Dtype::f32) return numbers;
  for (float& each : numbers) each = round_through(dtype, each);
  return numbers;
}

const std::vector<Dtype> kFloats = {Dtype::f32, Dtype::f16, Dtype::bf16};

TEST_CASE("rank one is seen in every type, down to the floor of BF16",
          "[compare][delta]") {
  const Made made;
  for (const Dtype dtype : kFloats) {
    const Floats w = stored(dtype, made.weights());
    for (const double relative : {0.3, 0.05, 0.01, 0.003, 0.001}) {
      const TensorFindings found =
          decide_floats(dtype, w, made.add_rank(w, 1, relative));
      INFO(to_string(dtype) << " " << relative << " " << found.because);
      CHECK(found.label == "rank-one");
      CHECK(found.rank == 1);
      CHECK(found.statistics.relative() == Approx(relative).epsilon(0.3));
      if (dtype == Dtype::f32) {
        CHECK(found.spectrum->energy(1) > 0.999);
        CHECK(found.spectrum->significant_rank() == 1);
      }
    }
  }
}

TEST_CASE("MEMIT's and LoRA's ranks are counted", "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  for (const Dtype dtype : kFloats) {
    for (const std::size_t rank : {2U, 10U, 16U, 64U}) {
      const TensorFindings found =
          decide_floats(dtype, w, made.add_rank(w, rank, 0.1));
      INFO(to_string(dtype) << " " << rank << " " << found.because);
      CHECK(found.label == "low-rank");
      CHECK(found.rank == rank);
    }
  }
}

TEST_CASE("a fine-tune is dense, and an edit inside one shows",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  for (const Dtype dtype : kFloats) {
    INFO(to_string(dtype));
    const Floats tuned = made.add_noise(w, 0.02);
    const TensorFindings dense = decide_floats(dtype, w, tuned);
    CHECK(dense.label == "dense");
    CHECK(dense.shape.is_noise);
    CHECK(dense.spectrum->significant_rank() == 0);
    CHECK(dense.spectrum->stable_rank() ==
          Approx(dense.spectrum->noise_rank()).epsilon(0.25));
    const TensorFindings mixed =
        decide_floats(dtype, w, made.add_rank(tuned, 8, 0.03));
    INFO(mixed.because);
    CHECK(mixed.label == "dense+low-rank");
    CHECK(mixed.rank == 8);
  }
}

TEST_CASE("casts and quantisers are recognised by doing them again",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  const auto rounded = [&](Dtype through) {
    Floats numbers(w.size());
    if (has_one_quantiser(through)) {
      for (std::size_t at = 0; at < w.size(); at += 32) {
        quantise_and_back(through, std::span(w).subspan(at, 32),
                          std::span(numbers).subspan(at, 32));
      }
    } else {
      for (std::size_t i = 0; i < w.size(); ++i) {
        numbers[i] = round_through(through, w[i]);
      }
    }
    return numbers;
  };
  for (const Dtype through :
       {Dtype::bf16, Dtype::f16, Dtype::f8_e4m3, Dtype::f8_e5m2, Dtype::q8_0,
        Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1}) {
    const TensorFindings found = decide_floats(Dtype::f32, w, rounded(through));
    INFO(to_string(through) << " " << found.because);
    CHECK(found.label == (has_one_quantiser(through) ? "quantised" : "cast"));
    REQUIRE(found.recast);
    CHECK(found.recast->through == to_string(through));
  }
  CHECK(decide_floats(Dtype::f32, w, rounded(Dtype::bf16))
            .statistics.relative() == Approx(1.66e-3).epsilon(0.05));
  CHECK(decide_floats(Dtype::f32, w, rounded(Dtype::q8_0))
            .statistics.relative() == Approx(5.35e-3).epsilon(0.1));
  CHECK(decide_floats(Dtype::f32, w, rounded(Dtype::q4_0))
            .statistics.relative() == Approx(8.58e-2).epsilon(0.1));

  // The old side is stored in 16 bits already.
  Floats halves(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    halves[i] = round_through(Dtype::f16, w[i]);
  }
  Floats through_q8(w.size());
  for (std::size_t at = 0; at < w.size(); at += 32) {
    quantise_and_back(Dtype::q8_0, std::span(halves).subspan(at, 32),
                      std::span(through_q8).subspan(at, 32));
  }
  const TensorFindings found = decide_floats(Dtype::f16, halves, through_q8);
  CHECK(found.label == "quantised");
  CHECK(found.recast->through == "Q8_0");
}

TEST_CASE("one scale a row, and a tensor of another type", "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  Floats by_row(w.size());
  for (std::size_t row = 0; row < made.rows; ++row) {
    float most = 0;
    for (std::size_t j = 0; j < made.columns; ++j) {
      most = std::max(most, std::abs(w[row * made.columns + j]));
    }
    for (std::size_t j = 0; j < made.columns; ++j) {
      const std::size_t i = row * made.columns + j;
      by_row[i] = std::nearbyint(w[i] / (most / 127)) * (most / 127);
    }
  }
  const TensorFindings rows = decide_floats(Dtype::f32, w, by_row);
  CHECK(rows.label == "quantised");
  CHECK(rows.recast->through == "INT8 per row");

  const Bytes wide = encode(Dtype::f32, w);
  const Bytes narrow = encode(Dtype::bf16, w);
  const TensorFindings down =
      decide_bytes(wide, Dtype::f32, narrow, Dtype::bf16, made.shape());
  CHECK(down.label == "cast");
  CHECK(down.recast->through == "BF16");
  Floats shortened(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    shortened[i] = round_through(Dtype::bf16, w[i]);
  }
  const TensorFindings up =
      decide_bytes(narrow, Dtype::bf16, encode(Dtype::f32, shortened),
                   Dtype::f32, made.shape());
  CHECK(up.label == "cast");

  Bytes blocks;
  for (std::size_t at = 0; at < w.size(); at += 32) {
    const Bytes block =
        quantise_block(Dtype::q4_0, std::span(w).subspan(at, 32));
    blocks.insert(blocks.end(), block.begin(), block.end());
  }
  const TensorFindings quantised =
      decide_bytes(wide, Dtype::f32, blocks, Dtype::q4_0, made.shape());
  CHECK(quantised.label == "quantised");
  CHECK(quantised.recast->through == "Q4_0");
}

TEST_CASE("flips in a model that was quantised before are flips",
          "[compare][delta]") {
  // Quantising it again changes nothing, which must not hide them.
  const Made made;
  Floats w = made.weights();
  for (std::size_t at = 0; at < w.size(); at += 32) {
    quantise_and_back(Dtype::q8_0,
                      Floats(w.begin() + static_cast<long>(at),
                             w.begin() + static_cast<long>(at) + 32),
                      std::span(w).subspan(at, 32));
  }
  const Bytes before = encode(Dtype::f32, w);
  Bytes after = before;
  for (const std::size_t index : {7U, 5000U, 200000U}) {
    flip(after, 4, index, 0x40000000U);
  }
  const TensorFindings found =
      decide_bytes(before, Dtype::f32, after, Dtype::f32, made.shape());
  INFO(found.because);
  CHECK(found.label == "bit-flips");
  CHECK(found.statistics.sums.changed == 3);
}

TEST_CASE("integers with a scale a row are the old numbers, quantised",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  Bytes integers(w.size());
  for (std::size_t row = 0; row < made.rows; ++row) {
    const auto* first = w.data() + row * made.columns;
    float most = 0;
    for (std::size_t j = 0; j < made.columns; ++j) {
      most = std::max(most, std::abs(first[j]));
    }
    for (std::size_t j = 0; j < made.columns; ++j) {
      integers[row * made.columns + j] = static_cast<std::byte>(
          static_cast<std::int8_t>(std::nearbyint(first[j] / (most / 127))));
    }
  }
  const Bytes before = encode(Dtype::f32, w);
  const TensorFindings found =
      decide_bytes(before, Dtype::f32, integers, Dtype::i8, made.shape());
  INFO(found.because);
  CHECK(found.label == "quantised");
  CHECK(found.relative() < 0.02);
  CHECK(decide_bytes(before, Dtype::f32, random_bytes(w.size(), 3), Dtype::i8,
                     made.shape())
            .label != "quantised");
}

TEST_CASE("what training makes is dense, however fast its spectrum falls",
          "[compare][delta]") {
  const Made made;
  for (const Dtype dtype : kFloats) {
    const Floats w = stored(dtype, made.weights());
    for (const double relative : {0.1, 0.01}) {
      const TensorFindings found =
          decide_floats(dtype, w, made.add_training(w, relative));
      INFO(to_string(dtype) << " " << relative << " " << found.because);
      CHECK(found.label == "dense");
      CHECK(found.shape.spread < 0.2);
    }
    // Smaller than rounding: nobody can tell, and it says so.
    const TensorFindings faint =
        decide_floats(Dtype::bf16, stored(Dtype::bf16, w),
                      made.add_training(stored(Dtype::bf16, w), 0.002));
    INFO(faint.because);
    CHECK(faint.shape.is_faint);
  }
}

TEST_CASE("a norm that moved within its powers of two hides nothing",
          "[compare][delta]") {
  Made made;
  made.rows = 1;
  made.columns = 512;
  const Floats norm(made.columns, 1.5F);
  const TensorFindings found =
      decide_floats(Dtype::f32, norm, made.add_noise(norm, 0.1), made);
  INFO(found.because);
  CHECK(found.label == "dense");
}

TEST_CASE("bit flips are told from edits and each is listed",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  struct Row {
    Dtype dtype;
    std::size_t width;
    std::uint64_t msb;
  };
  for (const Row& row :
       {Row{Dtype::f32, 4, 0x40000000U}, Row{Dtype::f16, 2, 0x4000U},
        Row{Dtype::bf16, 2, 0x4000U}}) {
    const Bytes before = encode(row.dtype, w);
    Bytes after = before;
    for (const std::size_t index : {7U, 5000U, 200000U}) {
      flip(after, row.width, index, row.msb);
    }
    const TensorFindings found =
        decide_bytes(before, row.dtype, after, row.dtype, made.shape());
    CHECK(found.label == "bit-flips");
    CHECK(found.is_exponent_flip);
    CHECK(found.statistics.sums.xor_mask == row.msb);
    CHECK(found.statistics.single_bit_share() == 1);
    REQUIRE(found.changes.size() == 3);
    CHECK(found.changes[1].index == 5000);
    CHECK(found.changes[1].file_offset == 5000 * row.width);
    CHECK((found.changes[1].before_bits ^ found.changes[1].after_bits) ==
          row.msb);
    CHECK(found.range->first == 7);
    CHECK(found.range->last == 200000);
  }
}

/// A change of so many numbers of 100 x 100, each by `mask`, and of some of
/// them by two bits.
TensorLabel label_of_flips(std::size_t count, std::uint64_t mask,
                           std::size_t doubles = 0) {
  Floats numbers;
  for (std::size_t i = 0; i < 10000; ++i) {
    numbers.push_back(1.0F + static_cast<float>(i % 97) / 128);
  }
  const Bytes before = encode(Dtype::f32, numbers);
  Bytes after = before;
  for (std::size_t i = 0; i < count; ++i) {
    flip(after, 4, i * 101 % 10000, mask);
    if (i < doubles) flip(after, 4, i * 101 % 10000, 0x100U);
  }
  return decide_bytes(before, Dtype::f32, after, Dtype::f32, {100, 100}).label;
}

TEST_CASE("flips are at most 64, of one bit, and not of the last one",
          "[compare][delta]") {
  CHECK(label_of_flips(64, 0x200000U) == "bit-flips");
  CHECK(label_of_flips(65, 0x200000U) != "bit-flips");
  CHECK(label_of_flips(10, 2U) == "bit-flips");
  CHECK(label_of_flips(10, 1U) != "bit-flips");
  CHECK(label_of_flips(64, 0x200000U, 1) != "bit-flips");
}

TEST_CASE("a payload in the low bits is found, read and named",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  const std::size_t quarter = w.size() / 4;
  struct Row {
    Dtype dtype;
    std::size_t width;
    unsigned bits;
    std::size_t elements;
    std::size_t first;
    double share;  ///< of numbers that changed, as expected
  };
  for (const Row& row :
       {Row{Dtype::f32, 4, 8, quarter, 0, .249},
        Row{Dtype::f16, 2, 2, quarter, 4096, .1875},
        Row{Dtype::bf16, 2, 4, quarter, 100, .25 * 15 / 16},
        Row{Dtype::f32, 4, 24, made.rows * made.columns, 0, 1}}) {
    Bytes payload = random_bytes(row.elements * row.bits / 8, 9);
    std::memcpy(payload.data(),
                "\x7f"
                "ELF",
                4);
    const Bytes before = encode(row.dtype, w);
    Bytes after = before;
    hide(after, row.width, row.first, row.bits, payload);
    const TensorFindings found =
        decide_bytes(before, row.dtype, after, row.dtype, made.shape());
    INFO(to_string(row.dtype) << " " << row.bits << " " << found.because);
    CHECK(found.label == "lsb-payload");
    CHECK(found.low_bits == row.bits);
    CHECK(found.statistics.changed_share() == Approx(row.share).epsilon(0.02));
    REQUIRE(found.payload);
    CHECK(found.payload->entropy > 7.9);
    CHECK(found.payload->magic == "ELF");
    CHECK(found.payload->first == row.first);
    // The tail may look unchanged; the rest is the payload, byte for byte.
    const std::size_t whole =
        std::min(payload.size() - 64, found.payload->stream.size());
    CHECK(std::equal(payload.begin(),
                     payload.begin() + static_cast<std::ptrdiff_t>(whole),
                     found.payload->stream.begin()));
  }
  // Cut off, nothing hidden.
  Bytes cut = encode(Dtype::f32, w);
  for (std::size_t i = 0; i < w.size(); ++i) {
    cut[4 * i] = std::byte{0};
    cut[4 * i + 1] = std::byte{0};
  }
  CHECK(decide_bytes(encode(Dtype::f32, w), Dtype::f32, cut, Dtype::f32,
                     made.shape())
            .label == "cast");
}

TEST_CASE("sparse changes, new values, vectors, nothing at all",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  CHECK(decide_floats(Dtype::f32, w, w).label == "identical");

  Floats row = w;  // one token's embedding
  for (std::size_t j = 0; j < made.columns; ++j) {
    row[17 * made.columns + j] += 0.1F + static_cast<float>(j) * 1e-4F;
  }
  const TensorFindings one_row = decide_floats(Dtype::bf16, w, row);
  CHECK(one_row.label == "sparse");
  CHECK(one_row.spectrum->rows_changed == 1);
  CHECK(one_row.range->first == 17 * made.columns);
  CHECK(one_row.changes.size() == kMostListedChanges);

  Floats scattered = w;
  for (std::size_t i = 0; i < w.size(); i += 97) scattered[i] *= 1.37F;
  CHECK(decide_floats(Dtype::f32, w, scattered).label == "sparse");

  Floats broken = made.add_noise(w, 0.02);
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  broken[6] = std::numeric_limits<float>::infinity();
  const TensorFindings values = decide_floats(Dtype::f32, w, broken);
  CHECK(values.label == "new-values");
  CHECK(values.statistics.sums.nan_introduced == 1);
  CHECK(values.statistics.sums.inf_introduced == 1);

  Made vector;
  vector.rows = 1;
  const Floats bias = vector.weights();
  const TensorFindings moved =
      decide_floats(Dtype::f32, bias, vector.add_noise(bias, 0.02), vector);
  CHECK(moved.label == "dense");
  CHECK(moved.spectrum->empty());
}

TEST_CASE("statistics agree with sums in double", "[compare][delta]") {
  Made made;
  made.rows = 101;
  made.columns = 517;  // no multiple of any vector's length
  const Floats w = made.weights();
  const Floats b = made.add_noise(w, 0.02);
  for (const Dtype dtype : kFloats) {
    const Bytes before = encode(dtype, w);
    const Bytes after = encode(dtype, b);
    std::vector<double> one(w.size());
    std::vector<double> two(w.size());
    decode_doubles(dtype, before, one);
    decode_doubles(dtype, after, two);
    double delta = 0;
    double old = 0;
    double now = 0;
    double dot = 0;
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      delta += (two[i] - one[i]) * (two[i] - one[i]);
      old += one[i] * one[i];
      now += two[i] * two[i];
      dot += one[i] * two[i];
      if (one[i] != two[i]) ++changed;
    }
    for (const Instructions set :
         {Instructions::portable, Instructions::avx2, Instructions::avx512}) {
      if (set > best_instructions()) continue;
      INFO(to_string(dtype) << " " << to_string(set));
      const SpanSource a(before);
      const SpanSource c(after);
      const DeltaStatistics found = measure_delta({.source = &a,
                                                   .dtype = dtype,
                                                   .shape = made.shape(),
                                                   .offset = 0,
                                                   .size = before.size()},
                                                  {.source = &c,
                                                   .dtype = dtype,
                                                   .shape = made.shape(),
                                                   .offset = 0,
                                                   .size = after.size()},
                                                  2, set);
      CHECK(found.sums.changed == changed);
      CHECK(found.delta_norm() == Approx(std::sqrt(delta)).epsilon(1e-6));
      CHECK(found.before_norm() == Approx(std::sqrt(old)).epsilon(1e-6));
      CHECK(found.after_norm() == Approx(std::sqrt(now)).epsilon(1e-6));
      CHECK(found.relative() ==
            Approx(std::sqrt(delta) / std::sqrt(old)).epsilon(1e-6));
      CHECK(found.cosine() == Approx(dot / std::sqrt(old * now)).epsilon(1e-6));
    }
  }
}

}  // namespace
}  // namespace impound::test
