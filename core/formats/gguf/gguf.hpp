// SPDX-License-Identifier: Apache-2.0
#pragma once
/// GGUF v2 and v3, as https://github.com/ggml-org/ggml describes it and
/// llama.cpp reads it: metadata, tensors, and every rule of that reader.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/source.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/source_cursor.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// Value types by their number in the file.
enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

[[nodiscard]] std::string_view to_string(GgufType type) noexcept;
/// Bytes of one element; 0 for strings, arrays and unknown types.
[[nodiscard]] std::size_t element_width(GgufType type) noexcept;

using GgufScalar =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string>;

/// An array is not held: its first elements, and where all of them lie.
struct GgufArray {
  GgufType element = GgufType::u8;
  std::uint64_t count = 0;
  std::uint64_t offset = 0;  ///< of the first element, in the file
  std::uint64_t size = 0;    ///< bytes of all elements
  std::vector<GgufScalar> first;
};

struct GgufEntry {
  std::string key;
  GgufType type = GgufType::u8;
  std::variant<GgufScalar, GgufArray> value;
  std::uint64_t text_size =
      0;                     ///< strings: bytes in the file, even if not kept
  std::uint64_t offset = 0;  ///< of the record: key, type and value
  std::uint64_t size = 0;    ///< bytes of the record
};

struct GgufTensor {
  TensorInfo info;  ///< shape reversed: row-major, offset from the file's start
  std::uint32_t type = 0;             ///< ggml_type as stored
  std::uint64_t declared_offset = 0;  ///< as stored: from the data's start
  bool fits = false;                  ///< size known and inside the file
};

struct GgufFile {
  std::uint32_t version = 0;
  Endian endian = Endian::little;
  std::uint64_t alignment = 32;
  std::vector<GgufEntry> entries;   ///< in the order of the file
  std::vector<GgufTensor> tensors;  ///< in the order of the file: gguf-hash's
  std::uint64_t data_offset = 0;    ///< where tensor data begins
  std::uint64_t data_end = 0;       ///< end of the last tensor, padded
  bool complete = false;  ///< header read to its end: nothing was left out
  Problems problems;      ///< "gguf-…"

  /// The entry with this key; the pointer lives as long as the file.
  [[nodiscard]] const GgufEntry* find(std::string_view key) const;
  /// The string under `key`; empty if absent, of another type or not kept.
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view key) const;
};

inline constexpr std::uint64_t kMaxGgufEntries = 100'000;
inline constexpr std::uint64_t kMaxGgufTensors = 1'000'000;
/// Bytes kept of one string (chat templates have up to 50 kB), and of all.
inline constexpr std::uint64_t kMaxGgufText = 4ULL * 1024 * 1024;
inline constexpr std::uint64_t kMaxGgufKept = 64ULL * 1024 * 1024;
/// Elements of an array of strings that are walked; vocabularies have less
/// than a million.
inline constexpr std::uint64_t kMaxGgufStrings = 16'000'000;

[[nodiscard]] bool is_gguf(ByteView head) noexcept;

/// Reads the header and checks the layout of the data. What is wrong with the
/// bytes is in problems; the parse goes as far as it can.
/// @throws only what source.read() throws.
[[nodiscard]] GgufFile read_gguf(const ByteSource& source);

/// Up to `limit` strings of an array of strings, from element `begin` on.
[[nodiscard]] std::vector<std::string> read_gguf_strings(
    const ByteSource& source, const GgufFile& file, const GgufArray& array,
    std::uint64_t begin, std::uint64_t limit);

/// For people and for comparing: scalars as they are, arrays as
/// {"type", "count", "first"}.
[[nodiscard]] Json gguf_value_json(const GgufEntry& entry);

/// Every chat template of a file: "tokenizer.chat_template" and the named ones.
struct GgufTemplate {
  std::string key;
  std::string text;
  std::uint64_t offset = 0;  ///< of the record in the file
};
[[nodiscard]] std::vector<GgufTemplate> gguf_templates(const GgufFile& file);

}  // namespace impound
