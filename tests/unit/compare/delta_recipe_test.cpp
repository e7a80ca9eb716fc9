// SPDX-License-Identifier: Apache-2.0
// No false clearance: a tensor is called rounded only if every number of it is
// one that the recipe makes of the old number. On both sides of each recipe:
// what it makes, and what was changed before or after it.
#include "core/compare/delta/delta_recipe.hpp"

#include <fstream>
#include <iterator>
#include <map>

#include "core/compare/delta/delta_label.hpp"
#include "core/formats/gguf/dequantise.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {

std::string source_folder();

namespace {

/// Numbers, and what ggml's own quantisers made of them and of changed copies
/// (tests/unit/compare/ggml/make_blocks.py).
struct GgmlBlocks {
  std::vector<std::uint64_t> shape;
  Floats numbers;
  std::map<std::string, Bytes> blocks;  ///< "q4_K plain", "q4_K single", …
};

GgmlBlocks read_blocks() {
  std::ifstream file(source_folder() + "/tests/unit/compare/ggml/blocks.bin",
                     std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  REQUIRE(text.starts_with("GGMLBLK1"));
  std::size_t at = 8;
  const auto u32 = [&] {
    std::uint32_t value = 0;
    std::memcpy(&value, text.data() + at, 4);
    at += 4;
    return value;
  };
  GgmlBlocks found;
  const std::uint32_t rows = u32();
  const std::uint32_t columns = u32();
  found.shape = {rows, columns};
  found.numbers.resize(std::size_t{rows} * columns);
  std::memcpy(found.numbers.data(), text.data() + at, found.numbers.size() * 4);
  at += found.numbers.size() * 4;
  while (at < text.size()) {
    const std::uint32_t length = u32();
    const std::string name = text.substr(at, length);
    at += length;
    const std::uint32_t size = u32();
    const ByteView bytes = std::as_bytes(std::span(text).subspan(at, size));
    found.blocks[name] = Bytes(bytes.begin(), bytes.end());
    at += size;
  }
  return found;
}

constexpr auto kBlockTypes = std::to_array<std::pair<Dtype, const char*>>({
    {Dtype::q4_0, "q4_0"},
    {Dtype::q4_1, "q4_1"},
    {Dtype::q5_0, "q5_0"},
    {Dtype::q5_1, "q5_1"},
    {Dtype::q8_0, "q8_0"},
    {Dtype::q2_k, "q2_K"},
    {Dtype::q3_k, "q3_K"},
    {Dtype::q4_k, "q4_K"},
    {Dtype::q5_k, "q5_K"},
    {Dtype::q6_k, "q6_K"},
});

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

bool is_cleared(const TensorFindings& found) {
  return found.label == "quantised" || found.label == "cast" ||
         found.label == "identical";
}

/// The rows that are named are these.
void check_rows(const TensorFindings& found,
                const std::vector<std::uint64_t>& rows) {
  INFO(found.because);
  CHECK_FALSE(is_cleared(found));
  REQUIRE(found.lines);
  std::vector<std::uint64_t> named;
  for (const ChangedRow& row : found.lines->first_rows) {
    named.push_back(row.row);
  }
  CHECK(named == rows);
}

TEST_CASE("what ggml's quantisers make is quantised, searched scales included",
          "[compare][delta][recipe]") {
  const GgmlBlocks ggml = read_blocks();
  for (const auto& [dtype, name] : kBlockTypes) {
    for (const char* how : {"plain", "imatrix"}) {
      const auto blocks = ggml.blocks.find(std::string(name) + " " + how);
      if (blocks == ggml.blocks.end()) continue;  // Q8_0 takes no matrix
      const TensorFindings found =
          decide_bytes(encode(Dtype::f32, ggml.numbers), Dtype::f32,
                       blocks->second, dtype, ggml.shape);
      INFO(name << " " << how << ": " << found.because);
      CHECK(found.label == "quantised");
      REQUIRE(found.recast);
      CHECK(found.recast->unexplained == 0);
    }
  }
}

TEST_CASE("what was changed before ggml's quantisers is not cleared, and named",
          "[compare][delta][recipe]") {
  const GgmlBlocks ggml = read_blocks();
  const Bytes before = encode(Dtype::f32, ggml.numbers);
  for (const auto& [dtype, name] : kBlockTypes) {
    const auto found = [&](const char* how) {
      return decide_bytes(before, Dtype::f32,
                          ggml.blocks.at(std::string(name) + " " + how), dtype,
                          ggml.shape);
    };
    INFO(name);
    check_rows(found("single"), {3});  // one weight is 4.0
    const TensorFindings negative = found("negative");
    check_rows(negative, {5});
    // Rounding to four levels or eight leaves no factor to be sure of.
    if (dtype != Dtype::q2_k && dtype != Dtype::q3_k) {
      REQUIRE(negative.lines->first_rows.front().factor);
      CHECK(*negative.lines->first_rows.front().factor ==
            Approx(-1.5).epsilon(0.1));
    }
    check_rows(found("times"), {2});
  }
}

TEST_CASE("what was changed after ggml's quantisers is not cleared",
          "[compare][delta][recipe]") {
  const GgmlBlocks ggml = read_blocks();
  const Bytes before = encode(Dtype::f32, ggml.numbers);
  for (const auto& [dtype, name] : kBlockTypes) {
    const std::size_t size = traits(dtype).block_bits / 8;
    const std::size_t blocks_a_row =
        static_cast<std::size_t>(ggml.shape[1]) / traits(dtype).block_elements;
    // Where the scale of all of a block stands.
    const std::size_t scale_at = dtype == Dtype::q2_k   ? 80
                                 : dtype == Dtype::q3_k ? 108
                                 : dtype == Dtype::q6_k ? 208
                                                        : 0;
    const Bytes& plain = ggml.blocks.at(std::string(name) + " plain");
    const auto changed = [&](auto change) {
      Bytes bytes = plain;
      change(std::span(bytes).subspan(6 * blocks_a_row * size, size));
      return decide_bytes(before, Dtype::f32, bytes, dtype, ggml.shape);
    };
    INFO(name);
    // The sign of one block, its scale times two, and all of it gone.
    check_rows(changed([&](std::span<std::byte> block) {
                 block[scale_at + 1] ^= std::byte{0x80};
               }),
               {6});
    check_rows(changed([&](std::span<std::byte> block) {
                 block[scale_at + 1] ^= std::byte{0x04};
               }),
               {6});
    check_rows(changed([&](std::span<std::byte> block) {
                 std::fill(block.begin(), block.end(), std::byte{0});
               }),
               {6});
    // The code of one number: the top bit of the last byte of codes.
    const std::size_t code_at = dtype == Dtype::q2_k   ? 16 + 63
                                : dtype == Dtype::q3_k ? 32 + 63
                                : dtype == Dtype::q6_k ? 127
                                                       : size - 1;
    const TensorFindings one = changed(
        [&](std::span<std::byte> block) { block[code_at] ^= std::byte{0x80}; });
    INFO(one.because);
    CHECK_FALSE(is_cleared(one));
    REQUIRE(one.recast);
    CHECK(one.recast->unexplained == 1);
  }
}

/// Numbers through a block type with one quantiser, or a float type.
Floats through(Dtype dtype, Floats numbers) {
  if (!has_one_quantiser(dtype)) {
    for (float& each : numbers) each = round_through(dtype, each);
    return numbers;
  }
  Floats made(numbers.size());
  for (std::size_t at = 0; at < numbers.size(); at += 32) {
    quantise_and_back(dtype, std::span(numbers).subspan(at, 32),
                      std::span(made).subspan(at, 32));
  }
  return made;
}

Floats through_int8_rows(Floats numbers, std::size_t columns) {
  for (std::size_t at = 0; at < numbers.size(); at += columns) {
    float most = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      most = std::max(most, std::abs(numbers[at + j]));
    }
    const float step = most / 127;
    for (std::size_t j = 0; j < columns; ++j) {
      numbers[at + j] = std::nearbyint(numbers[at + j] / step) * step;
    }
  }
  return numbers;
}

constexpr Dtype kRowsOfInt8 = Dtype::i8;
const std::vector<Dtype> kRecipes = {
    Dtype::bf16, Dtype::f16,  Dtype::f8_e4m3, Dtype::f8_e5m2, Dtype::q8_0,
    Dtype::q4_0, Dtype::q4_1, Dtype::q5_0,    Dtype::q5_1,    kRowsOfInt8};

TEST_CASE("one number, one row, before or after: no recipe clears it",
          "[compare][delta][recipe]") {
  // As many rows as a vocabulary has: one of them is less than a thousandth.
  Made made;
  made.rows = 2048;
  made.columns = 64;
  for (const Dtype recipe : kRecipes) {
    const auto rounded = [&](const Floats& numbers) {
      return recipe == kRowsOfInt8 ? through_int8_rows(numbers, made.columns)
                                   : through(recipe, numbers);
    };
    for (const Dtype stored : {Dtype::f32, Dtype::bf16}) {
      if (stored == Dtype::bf16 &&
          (recipe == Dtype::bf16 || recipe == Dtype::f16)) {
        continue;
      }
      const Floats w = stored == Dtype::f32 ? made.weights()
                                            : through(stored, made.weights());
      const auto found = [&](const Floats& after) {
        return decide_bytes(encode(stored, w), stored, encode(stored, after),
                            stored, made.shape());
      };
      INFO(to_string(recipe) << " in " << to_string(stored));
      const TensorFindings clear = found(rounded(w));
      INFO(clear.because);
      CHECK(is_cleared(clear));

      Floats row_before = w;
      for (std::size_t j = 0; j < made.columns; ++j) {
        row_before[1999 * made.columns + j] *= -1.5F;
      }
      check_rows(found(rounded(row_before)), {1999});
      Floats row_after = rounded(w);
      for (std::size_t j = 0; j < made.columns; ++j) {
        row_after[17 * made.columns + j] *= 3;
      }
      check_rows(found(row_after), {17});

      Floats one_before = w;
      one_before[1200 * made.columns + 5] = 4.0F;
      const TensorFindings before = found(rounded(one_before));
      INFO(before.because);
      CHECK_FALSE(is_cleared(before));
      REQUIRE(before.recast);
      CHECK(before.because.find("row 1200") != std::string::npos);
      Floats one_after = rounded(w);
      one_after[900 * made.columns + 9] = 4.0F;
      const TensorFindings after = found(one_after);
      INFO(after.because);
      CHECK_FALSE(is_cleared(after));
      REQUIRE(after.recast);
      CHECK(after.recast->unexplained == 1);
    }
  }
}

TEST_CASE("a row far behind what proved a recipe is not cleared by it",
          "[compare][delta][recipe]") {
  // More numbers than are looked at together.
  Made made;
  made.rows = 16'384;
  made.columns = 64;
  const Floats w = made.weights();
  for (const Dtype recipe : {Dtype::bf16, Dtype::q8_0, Dtype::q4_0}) {
    Floats after = through(recipe, w);
    for (std::size_t j = 0; j < made.columns; ++j) {
      after[16'000 * made.columns + j] *= 3;
    }
    INFO(to_string(recipe));
    check_rows(
        decide_bytes(encode(Dtype::f32, w), Dtype::f32,
                     encode(Dtype::f32, after), Dtype::f32, made.shape()),
        {16'000});
  }
}

TEST_CASE("integers with a scale a row: each of them, or the row is named",
          "[compare][delta][recipe]") {
  Made made;
  made.rows = 2048;
  made.columns = 64;
  const Floats w = made.weights();
  const auto integers = [&](const Floats& numbers) {
    Bytes codes(numbers.size());
    for (std::size_t at = 0; at < numbers.size(); at += made.columns) {
      float most = 0;
      for (std::size_t j = 0; j < made.columns; ++j) {
        most = std::max(most, std::abs(numbers[at + j]));
      }
      for (std::size_t j = 0; j < made.columns; ++j) {
        codes[at + j] = static_cast<std::byte>(static_cast<std::int8_t>(
            std::nearbyint(numbers[at + j] / (most / 127))));
      }
    }
    return codes;
  };
  const auto found = [&](const Bytes& codes) {
    return decide_bytes(encode(Dtype::f32, w), Dtype::f32, codes, Dtype::i8,
                        made.shape());
  };
  CHECK(found(integers(w)).label == "quantised");
  Floats turned = w;
  for (std::size_t j = 0; j < made.columns; ++j) {
    turned[7 * made.columns + j] *= -1.5F;
  }
  const TensorFindings row = found(integers(turned));
  INFO(row.because);
  CHECK_FALSE(is_cleared(row));
  CHECK(row.because.find("row 7") != std::string::npos);
  Bytes code = integers(w);
  code[3 * made.columns + 2] ^= std::byte{0x40};
  const TensorFindings one = found(code);
  INFO(one.because);
  CHECK_FALSE(is_cleared(one));
  CHECK(one.because.find("row 3") != std::string::npos);
}

TEST_CASE(
    "a fine-tune below the step of a quantiser is not called its rounding",
    "[compare][delta][recipe]") {
  Made made;
  made.rows = 64;
  made.columns = 512;
  const Floats w = made.weights();
  for (const Dtype recipe :
       {Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1}) {
    // So little that a search for scales could have done it.
    const bool is_coarse = recipe == Dtype::q4_0 || recipe == Dtype::q4_1;
    const Floats tuned = made.add_noise(w, is_coarse ? 0.0003 : 0.001);
    Bytes blocks;
    for (std::size_t at = 0; at < tuned.size(); at += 32) {
      const Bytes block =
          quantise_block(recipe, std::span(tuned).subspan(at, 32));
      blocks.insert(blocks.end(), block.begin(), block.end());
    }
    const TensorFindings found = decide_bytes(encode(Dtype::f32, w), Dtype::f32,
                                              blocks, recipe, made.shape());
    INFO(to_string(recipe) << " " << found.because);
    CHECK_FALSE(is_cleared(found));
  }
}

TEST_CASE("numbers with one scale for a run are found by the run",
          "[compare][delta][recipe]") {
  Made made;
  made.rows = 64;
  made.columns = 512;
  const Floats w = made.weights();
  const auto grouped = [&](std::size_t group, float top) {
    Floats made_of = w;
    for (std::size_t at = 0; at < w.size(); at += group) {
      float most = 0;
      for (std::size_t j = 0; j < group; ++j) {
        most = std::max(most, std::abs(w[at + j]));
      }
      const float step = most / top;
      for (std::size_t j = 0; j < group; ++j) {
        made_of[at + j] = std::nearbyint(w[at + j] / step) * step;
      }
    }
    return made_of;
  };
  struct Row {
    std::size_t group;
    float top;
    const char* name;
  };
  for (const Row& row :
       {Row{128, 7, "INT4 in groups of 128"},
        Row{64, 127, "INT8 in groups of 64"}, Row{512, 7, "INT4 per row"},
        Row{64 * 512, 127, "INT8 per tensor"}}) {
    const Floats after = grouped(row.group, row.top);
    const TensorFindings found =
        decide_bytes(encode(Dtype::f32, w), Dtype::f32,
                     encode(Dtype::f32, after), Dtype::f32, made.shape());
    INFO(row.name << ": " << found.because);
    CHECK(found.label == "quantised");
    REQUIRE(found.recast);
    CHECK(found.recast->through == row.name);
    Floats touched = after;
    touched[5 * made.columns + 3] = 4;
    CHECK_FALSE(is_cleared(decide_bytes(encode(Dtype::f32, w), Dtype::f32,
                                        encode(Dtype::f32, touched), Dtype::f32,
                                        made.shape())));
  }
}

}  // namespace
}  // namespace impound::test
