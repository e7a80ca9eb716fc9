// SPDX-License-Identifier: Apache-2.0
// Weights that several tensors hold: GPTQ, AWQ, bitsandbytes,
// compressed-tensors and F8 by blocks are unpacked and held against the
// baseline number by number.
#include "core/compare/delta/packed_weights.hpp"

#include <array>
#include <functional>
#include <map>

#include "core/compare/delta/delta_signature.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

constexpr std::size_t kRows = 64;
constexpr std::size_t kColumns = 256;
constexpr std::size_t kGroup = 64;
const std::string kModule = "model.layers.1.mlp.down_proj";
const std::string kWeight = kModule + ".weight";

struct Stored {
  Dtype dtype = Dtype::f32;
  std::vector<std::uint64_t> shape;
  Bytes bytes;
};
/// The tensors of a file, by name.
using File = std::map<std::string, Stored>;

template <typename T>
Bytes bytes_of(const std::vector<T>& numbers) {
  const ByteView bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

Floats weights() {
  Made made;
  made.rows = kRows;
  made.columns = kColumns;
  return made.weights();
}

File plain(const Floats& w) {
  return {{kWeight, {Dtype::f32, {kRows, kColumns}, encode(Dtype::f32, w)}}};
}

/// Codes, and a scale and a zero point for each group of a row.
struct Codes {
  std::vector<int> codes;  ///< [out, in]
  Floats scales;           ///< [out, groups]
  std::vector<int> zeros;
};

constexpr std::size_t kGroups = kColumns / kGroup;

Codes rounded(const Floats& w, int last) {
  Codes made;
  made.codes.resize(w.size());
  for (std::size_t at = 0; at < w.size(); at += kGroup) {
    float least = 0;
    float most = 0;
    for (std::size_t i = at; i < at + kGroup; ++i) {
      least = std::min(least, w[i]);
      most = std::max(most, w[i]);
    }
    const float scale =
        round_through(Dtype::f16, (most - least) / static_cast<float>(last));
    const auto zero = static_cast<int>(std::nearbyint(-least / scale));
    made.scales.push_back(scale);
    made.zeros.push_back(zero);
    for (std::size_t i = at; i < at + kGroup; ++i) {
      const auto code = static_cast<int>(std::nearbyint(w[i] / scale)) + zero;
      made.codes[i] = std::clamp(code, 0, last);
    }
  }
  return made;
}

void put_code(std::vector<std::uint32_t>& words, std::size_t index,
              unsigned bits, int code) {
  const std::size_t per_word = 32 / bits;
  words[index / per_word] |= static_cast<std::uint32_t>(code)
                             << (bits * (index % per_word));
}

/// [out, groups] as [groups, out].
template <typename T>
std::vector<T> turned(const std::vector<T>& numbers) {
  std::vector<T> other(numbers.size());
  for (std::size_t o = 0; o < kRows; ++o) {
    for (std::size_t g = 0; g < kGroups; ++g) {
      other[g * kRows + o] = numbers[o * kGroups + g];
    }
  }
  return other;
}

File as_gptq(const Codes& made, unsigned bits, bool is_version_2 = false) {
  const std::size_t per_word = 32 / bits;
  std::vector<std::uint32_t> words(kColumns / per_word * kRows);
  for (std::size_t o = 0; o < kRows; ++o) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      words[j / per_word * kRows + o] |=
          static_cast<std::uint32_t>(made.codes[o * kColumns + j])
          << (bits * (j % per_word));
    }
  }
  std::vector<std::uint32_t> zeros(kGroups * kRows / per_word);
  const std::vector<int> by_group = turned(made.zeros);
  for (std::size_t i = 0; i < by_group.size(); ++i) {
    const int last = (1 << bits) - 1;
    put_code(zeros, i, bits, (by_group[i] - (is_version_2 ? 0 : 1)) & last);
  }
  std::vector<std::uint32_t> order;
  for (std::size_t j = 0; j < kColumns; ++j) {
    order.push_back(static_cast<std::uint32_t>(j / kGroup));
  }
  return {
      {kModule + ".qweight",
       {Dtype::i32, {kColumns / per_word, kRows}, bytes_of(words)}},
      {kModule + ".qzeros",
       {Dtype::i32, {kGroups, kRows / per_word}, bytes_of(zeros)}},
      {kModule + ".scales",
       {Dtype::f16, {kGroups, kRows}, encode(Dtype::f16, turned(made.scales))}},
      {kModule + ".g_idx", {Dtype::i32, {kColumns}, bytes_of(order)}},
  };
}

File as_awq(const Codes& made) {
  constexpr std::array<std::size_t, 8> kOrder = {0, 2, 4, 6, 1, 3, 5, 7};
  std::vector<std::uint32_t> words(kColumns * kRows / 8);
  std::vector<std::uint32_t> zeros(kGroups * kRows / 8);
  for (std::size_t o = 0; o < kRows; o += 8) {
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t j = 0; j < kColumns; ++j) {
        words[j * kRows / 8 + o / 8] |=
            static_cast<std::uint32_t>(
                made.codes[(o + kOrder[i]) * kColumns + j])
            << (4 * i);
      }
      for (std::size_t g = 0; g < kGroups; ++g) {
        zeros[g * kRows / 8 + o / 8] |=
            static_cast<std::uint32_t>(
                made.zeros[(o + kOrder[i]) * kGroups + g])
            << (4 * i);
      }
    }
  }
  return {
      {kModule + ".qweight",
       {Dtype::i32, {kColumns, kRows / 8}, bytes_of(words)}},
      {kModule + ".qzeros",
       {Dtype::i32, {kGroups, kRows / 8}, bytes_of(zeros)}},
      {kModule + ".scales",
       {Dtype::f16, {kGroups, kRows}, encode(Dtype::f16, turned(made.scales))}},
  };
}

File as_compressed(const Floats& w) {
  std::vector<std::uint32_t> words(w.size() / 8);
  Floats scales;
  for (std::size_t at = 0; at < w.size(); at += kGroup) {
    float most = 0;
    for (std::size_t i = at; i < at + kGroup; ++i) {
      most = std::max(most, std::abs(w[i]));
    }
    const float scale = round_through(Dtype::bf16, most / 7.5F);
    scales.push_back(scale);
    for (std::size_t i = at; i < at + kGroup; ++i) {
      put_code(
          words, i, 4,
          std::clamp(static_cast<int>(std::nearbyint(w[i] / scale)), -8, 7) +
              8);
    }
  }
  const std::vector<std::int64_t> shape = {kRows, kColumns};
  return {
      {kModule + ".weight_packed",
       {Dtype::i32, {kRows, kColumns / 8}, bytes_of(words)}},
      {kModule + ".weight_scale",
       {Dtype::bf16, {kRows, kGroups}, encode(Dtype::bf16, scales)}},
      {kModule + ".weight_shape", {Dtype::i64, {2}, bytes_of(shape)}},
  };
}

std::uint8_t nearest_f8(float number) {
  std::uint8_t best = 0;
  for (unsigned code = 0; code < 256; ++code) {
    const auto value = [](unsigned c) {
      return from_small_float(Dtype::f8_e4m3, static_cast<std::uint8_t>(c));
    };
    if (std::isfinite(value(code)) &&
        std::abs(value(code) - number) < std::abs(value(best) - number)) {
      best = static_cast<std::uint8_t>(code);
    }
  }
  return best;
}

/// 128 by 128 numbers have a scale: two blocks across, half a block down.
File as_f8_blocks(const Floats& w) {
  Bytes codes(w.size());
  Floats scales;
  for (std::size_t block = 0; block < kColumns / 128; ++block) {
    float most = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (i % kColumns / 128 == block) most = std::max(most, std::abs(w[i]));
    }
    const float scale = most / 448;
    scales.push_back(scale);
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (i % kColumns / 128 == block) {
        codes[i] = static_cast<std::byte>(nearest_f8(w[i] / scale));
      }
    }
  }
  return {{kWeight, {Dtype::f8_e4m3, {kRows, kColumns}, codes}},
          {kWeight + "_scale_inv",
           {Dtype::f32, {1, kColumns / 128}, encode(Dtype::f32, scales)}}};
}

const Floats kNormal = {-1.0F,
                        -0.6961928009986877F,
                        -0.5250730514526367F,
                        -0.39491748809814453F,
                        -0.28444138169288635F,
                        -0.18477343022823334F,
                        -0.09105003625154495F,
                        0.0F,
                        0.07958029955625534F,
                        0.16093020141124725F,
                        0.24611230194568634F,
                        0.33791524171829224F,
                        0.44070982933044434F,
                        0.5626170039176941F,
                        0.7229568362236023F,
                        1.0F};

File as_nf4(const Floats& w) {
  Bytes codes(w.size() / 2, std::byte{0});
  Floats scales;
  for (std::size_t at = 0; at < w.size(); at += kGroup) {
    float most = 0;
    for (std::size_t i = at; i < at + kGroup; ++i) {
      most = std::max(most, std::abs(w[i]));
    }
    scales.push_back(most);
    for (std::size_t i = at; i < at + kGroup; ++i) {
      unsigned best = 0;
      for (unsigned code = 1; code < 16; ++code) {
        if (std::abs(kNormal[code] - w[i] / most) <
            std::abs(kNormal[best] - w[i] / most)) {
          best = code;
        }
      }
      codes[i / 2] |= static_cast<std::byte>(best << (i % 2 == 0 ? 4U : 0U));
    }
  }
  const std::string state =
      R"({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", )"
      R"("shape": [64, 256]})";
  const ByteView text = as_bytes(state);
  return {
      {kWeight, {Dtype::u8, {w.size() / 2, 1}, codes}},
      {kWeight + ".absmax",
       {Dtype::f32, {scales.size()}, encode(Dtype::f32, scales)}},
      {kWeight + ".quant_map", {Dtype::f32, {16}, encode(Dtype::f32, kNormal)}},
      {kWeight + ".quant_state.bitsandbytes__nf4",
       {Dtype::u8, {state.size()}, Bytes(text.begin(), text.end())}},
  };
}

File as_int8(const Floats& w) {
  Bytes codes(w.size());
  Floats scales;
  for (std::size_t at = 0; at < w.size(); at += kColumns) {
    float most = 0;
    for (std::size_t i = at; i < at + kColumns; ++i) {
      most = std::max(most, std::abs(w[i]));
    }
    scales.push_back(most);
    for (std::size_t i = at; i < at + kColumns; ++i) {
      codes[i] = static_cast<std::byte>(
          static_cast<std::int8_t>(std::nearbyint(w[i] * 127 / most)));
    }
  }
  return {
      {kWeight, {Dtype::i8, {kRows, kColumns}, codes}},
      {kModule + ".SCB", {Dtype::f32, {kRows}, encode(Dtype::f32, scales)}}};
}

struct Way {
  const char* words;
  std::function<File(const Floats&)> pack;
  std::string codes;   ///< name of the codes' tensor
  std::string scales;  ///< … and of the scales'
};

std::vector<Way> ways() {
  return {
      {"GPTQ, INT4 in groups of 64",
       [](const Floats& w) { return as_gptq(rounded(w, 15), 4); },
       kModule + ".qweight", kModule + ".scales"},
      {"GPTQ, INT8 in groups of 64",
       [](const Floats& w) { return as_gptq(rounded(w, 255), 8); },
       kModule + ".qweight", kModule + ".scales"},
      {"GPTQ (version 2), INT4 in groups of 64",
       [](const Floats& w) { return as_gptq(rounded(w, 15), 4, true); },
       kModule + ".qweight", kModule + ".scales"},
      {"AWQ, INT4 in groups of 64",
       [](const Floats& w) { return as_awq(rounded(w, 15)); },
       kModule + ".qweight", kModule + ".scales"},
      {"compressed-tensors, INT4 in groups of 64", as_compressed,
       kModule + ".weight_packed", kModule + ".weight_scale"},
      {"F8_E4M3 with a scale for 128 by 128", as_f8_blocks, kWeight,
       kWeight + "_scale_inv"},
      {"bitsandbytes, NF4 in groups of 64", as_nf4, kWeight,
       kWeight + ".absmax"},
      {"bitsandbytes, INT8 per row", as_int8, kWeight, kModule + ".SCB"},
  };
}

ModelDiff compare(const File& before, const File& after) {
  const auto tree_of = [](const File& file) {
    SafetensorsBuilder builder;
    for (const auto& [name, tensor] : file) {
      builder.tensor(name, tensor.dtype, tensor.shape, as_text(tensor.bytes));
    }
    return MemoryTree(
        MemoryTree::Files{{"model.safetensors", builder.build()}});
  };
  const MemoryTree one = tree_of(before);
  const MemoryTree two = tree_of(after);
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView a = view_tree(one, {}, progress, cancellation);
  const ModelView b = view_tree(two, {}, progress, cancellation);
  ModelDiff diff = diff_models(a, b);
  explain_changes(diff, a, b, {}, progress, cancellation);
  return diff;
}

const TensorChange& weight_of(const ModelDiff& diff) {
  for (const TensorChange& change : diff.tensors) {
    if (change.name == kWeight) return change;
  }
  throw std::runtime_error("the weight is not among the tensors");
}

std::string because(const TensorChange& change) {
  return change.stats.is_object() && change.stats.contains("because")
             ? change.stats["because"].get<std::string>()
             : "nothing";
}

bool is_cleared(const ModelDiff& diff) {
  const TensorLabel label = weight_of(diff).label;
  return label == "quantised" || label == "cast" || label == "identical" ||
         diff.label == "re-quantised" || diff.label == "identical" ||
         diff.label == "cast";
}

TEST_CASE("weights in several tensors are unpacked and told by their layout",
          "[compare][delta][packed]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    const ModelDiff diff = compare(plain(w), way.pack(w));
    const TensorChange& change = weight_of(diff);
    INFO(way.words << ": " << because(change) << "; " << diff.sentence);
    CHECK(change.label == "quantised");
    REQUIRE(change.stats.contains("packed"));
    CHECK(change.stats["packed"] == way.words);
    CHECK(diff.label == "re-quantised");
    CHECK(diff.numbers.tensors_added == 0);
    CHECK(diff.numbers.tensors_removed == 0);
    CHECK_FALSE(diff.tensors_identical());
    for (const TensorChange& part : diff.tensors) {
      if (part.name != kWeight) REQUIRE(part.part_of);
    }
  }
}

TEST_CASE("one packed code beside the nearest is not cleared, its row is named",
          "[compare][delta][packed]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    File after = way.pack(w);
    // The lowest bit of the code of some number.
    after.at(way.codes).bytes[4000] ^= std::byte{1};
    const ModelDiff diff = compare(plain(w), after);
    INFO(way.words << ": " << because(weight_of(diff)));
    CHECK_FALSE(is_cleared(diff));
    CHECK(because(weight_of(diff)).find("1 of 16384 numbers are not") !=
          std::string::npos);
  }
}

TEST_CASE("a scale that turns the sign, or is twice as large, is not cleared",
          "[compare][delta][packed]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    for (const std::byte mask : {std::byte{0x80}, std::byte{0x04}}) {
      File after = way.pack(w);
      Bytes& scales = after.at(way.scales).bytes;
      // The top byte of one scale: little-endian.
      const std::size_t width =
          after.at(way.scales).dtype == Dtype::f32 ? 4 : 2;
      const std::size_t one = scales.size() / width / 2;
      if (mask == std::byte{0x80} || width == 2) {
        scales[one * width + width - 1] ^= mask;
      } else {
        scales[one * width + width - 2] ^= std::byte{0x80};
      }
      const ModelDiff diff = compare(plain(w), after);
      INFO(way.words << ": " << because(weight_of(diff)));
      CHECK_FALSE(is_cleared(diff));
    }
  }
}

TEST_CASE("a row that was changed before it was packed is named",
          "[compare][delta][packed]") {
  const Floats w = weights();
  Floats changed = w;
  for (std::size_t j = 0; j < kColumns; ++j) changed[9 * kColumns + j] *= -1.5F;
  for (const Way& way : ways()) {
    const ModelDiff diff = compare(plain(w), way.pack(changed));
    INFO(way.words << ": " << because(weight_of(diff)));
    CHECK_FALSE(is_cleared(diff));
    CHECK(because(weight_of(diff)).find("row 9") != std::string::npos);
  }
}

TEST_CASE("codes that make up for errors are no fine-tune, and not cleared",
          "[compare][delta][packed]") {
  const Floats w = weights();
  Codes made = rounded(w, 15);
  // Half of the numbers one code further, as GPTQ moves them.
  std::mt19937 random(5);
  for (int& code : made.codes) {
    const auto by = static_cast<int>(random() % 4);
    if (by < 2) code = std::clamp(code + (by == 0 ? 1 : -1), 0, 15);
  }
  for (const File& after : {as_gptq(made, 4), as_awq(made)}) {
    const ModelDiff diff = compare(plain(w), after);
    INFO(because(weight_of(diff)) << "; " << diff.sentence);
    CHECK(weight_of(diff).label == "unclassified");
    CHECK(diff.label == "unclassified");
    CHECK(diff.sentence.find("not cleared") != std::string::npos);
    CHECK(because(weight_of(diff)).find("have the nearest code") !=
          std::string::npos);
  }
}

TEST_CASE("columns that AWQ scaled are told, and not cleared",
          "[compare][delta][packed]") {
  const Floats w = weights();
  Floats scaled = w;
  for (std::size_t i = 0; i < w.size(); ++i) {
    scaled[i] *= 1 + 0.02F * static_cast<float>(i % kColumns % 50);
  }
  const ModelDiff diff = compare(plain(w), as_awq(rounded(scaled, 15)));
  INFO(because(weight_of(diff)) << "; " << diff.sentence);
  CHECK(weight_of(diff).label == "unclassified");
  CHECK(because(weight_of(diff)).find("factor of its own") !=
        std::string::npos);
}

TEST_CASE("of two packed files, what changed is told by the numbers",
          "[compare][delta][packed]") {
  const Floats w = weights();
  for (const Way& way : ways()) {
    const File before = way.pack(w);
    CHECK(compare(before, before).label == "identical");
    File after = before;
    Bytes& scales = after.at(way.scales).bytes;
    scales[scales.size() - 1] ^= std::byte{0x80};  // the last scale's sign
    const ModelDiff diff = compare(before, after);
    INFO(way.words << ": " << because(weight_of(diff)));
    CHECK_FALSE(is_cleared(diff));
    CHECK(weight_of(diff).status == TensorStatus::changed);
    CHECK(weight_of(diff).stats["max_delta"].get<double>() > 0.01);
  }
}

TEST_CASE("parts that do not fit each other are said to be so, not cleared",
          "[compare][delta][packed]") {
  const Floats w = weights();
  File group = as_gptq(rounded(w, 15), 4);
  group.at(kModule + ".g_idx").bytes[5] = std::byte{0x7F};
  CHECK(because(weight_of(compare(plain(w), group)))
            .find("g_idx names a group without scales") != std::string::npos);
  CHECK_FALSE(is_cleared(compare(plain(w), group)));

  File shape = as_nf4(w);
  Stored& state = shape.at(kWeight + ".quant_state.bitsandbytes__nf4");
  const std::string other = R"({"blocksize": 64, "shape": [64, 512]})";
  state.bytes.assign(as_bytes(other).begin(), as_bytes(other).end());
  state.shape = {other.size()};
  CHECK(because(weight_of(compare(plain(w), shape)))
            .find("codes and scales do not fit") != std::string::npos);
  CHECK_FALSE(is_cleared(compare(plain(w), shape)));

  File scales = as_f8_blocks(w);
  scales.at(kWeight + "_scale_inv").shape = {2, 1};
  CHECK(because(weight_of(compare(plain(w), scales)))
            .find("fit no blocks of 128") != std::string::npos);
  CHECK_FALSE(is_cleared(compare(plain(w), scales)));
}

}  // namespace
}  // namespace impound::test
