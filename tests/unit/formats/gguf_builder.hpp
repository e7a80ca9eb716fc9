// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Writes GGUF files, good ones and bad ones.

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace impound::test {

/// Integers and texts in the byte order of a file.
class ByteWriter {
 public:
  explicit ByteWriter(bool big = false) : big_(big) {}

  ByteWriter& integer(std::uint64_t value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t shift = 8 * (big_ ? width - 1 - i : i);
      out_.push_back(static_cast<char>((value >> shift) & 0xffU));
    }
    return *this;
  }
  ByteWriter& u8(std::uint64_t v) { return integer(v, 1); }
  ByteWriter& u16(std::uint64_t v) { return integer(v, 2); }
  ByteWriter& u32(std::uint64_t v) { return integer(v, 4); }
  ByteWriter& u64(std::uint64_t v) { return integer(v, 8); }
  ByteWriter& raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  /// A GGUF string: length and bytes.
  ByteWriter& text(std::string_view bytes) {
    return u64(bytes.size()).raw(bytes);
  }
  ByteWriter& pad(std::size_t alignment, char with = '\0') {
    while (out_.size() % alignment != 0) out_.push_back(with);
    return *this;
  }
  [[nodiscard]] std::string& bytes() { return out_; }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  bool big_;
  std::string out_;
};

struct GgufBuilder {
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> ne;
    std::uint32_t type = 0;
    std::string data;
    std::int64_t shift = 0;  ///< added to the declared offset: a lie
  };

  std::uint32_t version = 3;
  bool big = false;
  std::size_t alignment = 32;
  std::vector<std::pair<std::string, std::string>> entries;  ///< key, value
  std::vector<Tensor> tensors;
  char padding = '\0';
  std::string trailing;

  void string(std::string_view key, std::string_view value) {
    entries.emplace_back(key, ByteWriter(big).u32(8).text(value).bytes());
  }
  void u32(std::string_view key, std::uint64_t value) {
    entries.emplace_back(key, ByteWriter(big).u32(4).u32(value).bytes());
  }
  void strings(std::string_view key, const std::vector<std::string>& values) {
    ByteWriter out(big);
    out.u32(9).u32(8).u64(values.size());
    for (const std::string& value : values) out.text(value);
    entries.emplace_back(key, out.bytes());
  }
  void f32s(std::string_view key, const std::vector<float>& values) {
    ByteWriter out(big);
    out.u32(9).u32(6).u64(values.size());
    for (const float value : values) {
      out.u32(std::bit_cast<std::uint32_t>(value));
    }
    entries.emplace_back(key, out.bytes());
  }

  [[nodiscard]] std::string build() const {
    ByteWriter out(big);
    out.raw("GGUF").u32(version).u64(tensors.size()).u64(entries.size());
    for (const auto& [key, value] : entries) out.text(key).raw(value);
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors) {
      out.text(tensor.name).u32(tensor.ne.size());
      for (const std::uint64_t n : tensor.ne) out.u64(n);
      out.u32(tensor.type)
          .u64(offset + static_cast<std::uint64_t>(tensor.shift));
      offset += (tensor.data.size() + alignment - 1) / alignment * alignment;
    }
    if (!tensors.empty()) out.pad(alignment, padding);
    const std::size_t begin = out.size();
    for (const Tensor& tensor : tensors) {
      out.raw(tensor.data);
      while ((out.size() - begin) % alignment != 0) {
        out.bytes().push_back(padding);
      }
    }
    out.raw(trailing);
    return out.bytes();
  }
};

/// A small honest model: F32, F16 and Q8_0 tensors, a vocabulary, a template.
inline GgufBuilder honest_gguf() {
  GgufBuilder builder;
  builder.string("general.architecture", "llama");
  builder.string("general.name", "tiny");
  builder.u32("llama.block_count", 1);
  builder.strings("tokenizer.ggml.tokens", {"<s>", "</s>", "a", "b"});
  builder.f32s("tokenizer.ggml.scores", {0, 0, -1, -2});
  builder.u32("tokenizer.ggml.eos_token_id", 1);
  builder.string("tokenizer.chat_template",
                 "{% for m in messages %}{{ m.content }}{% endfor %}");
  builder.tensors.push_back(
      {"token_embd.weight", {4, 3}, 0, std::string(48, 'e'), 0});
  builder.tensors.push_back(
      {"output_norm.weight", {5}, 1, std::string(10, 'n'), 0});
  builder.tensors.push_back(
      {"blk.0.ffn_down.weight", {64, 2}, 8, std::string(136, 'q'), 0});
  return builder;
}

}  // namespace impound::test
