// SPDX-License-Identifier: Apache-2.0
// What weights show without a baseline, and what they must not.
#include "core/compare/delta/weak_signals.hpp"

#include <algorithm>

#include "core/compare/delta/low_byte_magic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

constexpr std::size_t kTensors = 4;

std::string name_of(std::size_t layer) {
  return "model.layers." + std::to_string(layer) + ".mlp.down_proj.weight";
}

WeakSignals signals_in(Dtype dtype, const std::vector<Bytes>& tensors) {
  SafetensorsBuilder builder;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    builder.tensor(name_of(i), dtype, Made{}.shape(), as_text(tensors[i]));
  }
  const MemoryTree tree(
      MemoryTree::Files{{"model.safetensors", builder.build()}});
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView view = view_tree(tree, {}, progress, cancellation);
  return find_weak_signals(view, 2, progress, cancellation);
}

std::vector<Bytes> clean(Dtype dtype) {
  std::vector<Bytes> tensors;
  for (unsigned i = 0; i < kTensors; ++i) {
    tensors.push_back(encode(dtype, Made{}.weights(i + 1)));
  }
  return tensors;
}

bool has(const WeakSignals& found, const std::string& kind,
         const std::string& tensor) {
  return std::any_of(found.signals.begin(), found.signals.end(),
                     [&](const WeakSignal& each) {
                       return each.kind == kind && each.tensor == tensor;
                     });
}

/// F32 whose numbers are BF16's.
std::vector<Bytes> upcast() {
  std::vector<Bytes> tensors = clean(Dtype::f32);
  for (Bytes& bytes : tensors) {
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
      bytes[i] = std::byte{0};
      bytes[i + 1] = std::byte{0};
    }
  }
  return tensors;
}

TEST_CASE("ordinary weights and upcasts give no signal", "[compare][weak]") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    const WeakSignals found = signals_in(dtype, clean(dtype));
    CHECK(found.signals.empty());
    CHECK(found.tensors == kTensors);
  }
  CHECK(signals_in(Dtype::f32, upcast()).signals.empty());
}

TEST_CASE("bits that an upcast could not have are counted and placed",
          "[compare][weak]") {
  std::vector<Bytes> tensors = upcast();
  hide(tensors[2], 4, 1000, 8, random_bytes(5000, 4));
  const WeakSignals found = signals_in(Dtype::f32, tensors);
  REQUIRE(has(found, "impossible-bits", name_of(2)));
  const WeakSignal& signal = found.signals.front();
  CHECK(signal.kind == "impossible-bits");
  CHECK(signal.severity == Severity::low);
  CHECK(signal.numbers["from"] == "BF16");
  CHECK(signal.numbers["first"] >= 1000);
  CHECK(signal.numbers["last"] < 6000);
  CHECK(signal.numbers["violations"] > 4900);
}

TEST_CASE("a file in low bytes and in packed low bits is found",
          "[compare][weak]") {
  Bytes payload = random_bytes(20000, 4);
  const Bytes elf = {std::byte{0x7F}, std::byte{'E'}, std::byte{'L'},
                     std::byte{'F'},  std::byte{2},   std::byte{1},
                     std::byte{1}};
  std::copy(elf.begin(), elf.end(), payload.begin());
  struct Row {
    Dtype dtype;
    std::size_t width;
    std::size_t first;
    unsigned bits;
  };
  // Across the end of a window, too: 8 · 65536 elements are two tensors' worth
  // here, so in the middle of one.
  for (const Row& row :
       {Row{Dtype::f32, 4, 70000, 8}, Row{Dtype::f32, 4, 13, 16},
        Row{Dtype::f32, 4, 99, 24}, Row{Dtype::f32, 4, 0, 4},
        Row{Dtype::bf16, 2, 0, 2}, Row{Dtype::f16, 2, 4096, 8}}) {
    std::vector<Bytes> tensors = clean(row.dtype);
    hide(tensors[1], row.width, row.first, row.bits, payload);
    const WeakSignals found = signals_in(row.dtype, tensors);
    INFO(to_string(row.dtype) << " " << row.bits);
    const auto signal = std::find_if(
        found.signals.begin(), found.signals.end(),
        [](const WeakSignal& each) { return each.kind == "magic"; });
    REQUIRE(signal != found.signals.end());
    CHECK(signal->tensor == name_of(1));
    CHECK(signal->numbers["format"] == "ELF");
    CHECK(signal->numbers["element"] == row.first);
    CHECK(signal->numbers["bits"] == row.bits);
  }
}

TEST_CASE("random mantissas, orderly bytes and long rows show",
          "[compare][weak]") {
  std::vector<Bytes> tensors = clean(Dtype::bf16);
  hide(tensors[0], 2, 0, 7, random_bytes(70000, 4));
  Bytes text;
  while (text.size() < 70000) {
    for (const char c : std::string("what is written here is a plain text ")) {
      text.push_back(static_cast<std::byte>(c));
    }
  }
  hide(tensors[1], 2, 65536, 8, text);
  Floats rows = Made{}.weights(9);
  for (std::size_t j = 0; j < Made{}.columns; ++j) {
    rows[3 * Made{}.columns + j] *= 40;
  }
  tensors[2] = encode(Dtype::bf16, rows);
  const WeakSignals found = signals_in(Dtype::bf16, tensors);
  CHECK(has(found, "mantissa-bits", name_of(0)));
  CHECK(has(found, "low-entropy", name_of(1)));
  CHECK(has(found, "row-norm", name_of(2)));
  CHECK_FALSE(has(found, "mantissa-bits", name_of(3)));
  for (const WeakSignal& each : found.signals) {
    CHECK(each.severity <= Severity::low);
    CHECK(each.to_json()["message"].get<std::string>() == each.message);
  }
  const std::string text_of = to_text(found);
  CHECK(text_of.find("not proof") != std::string::npos);
}

TEST_CASE("four bytes that look like a magic are not enough",
          "[compare][weak]") {
  Bytes bytes = random_bytes(64, 1);
  std::memcpy(bytes.data(), "PK\x03\x04\xff\xff\xff\xff", 8);
  CHECK(strict_magic(bytes).empty());
  std::memcpy(bytes.data(), "PK\x03\x04\x14\0\0\0\x08\0", 10);
  CHECK(strict_magic(bytes) == "ZIP");
  CHECK(strict_magic(ByteView(bytes).first(8)).empty());
}

}  // namespace
}  // namespace impound::test
