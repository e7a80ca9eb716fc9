// SPDX-License-Identifier: Apache-2.0
#include "core/formats/gguf/gguf_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Padding that is read; hostile alignments could make it gigabytes.
constexpr std::uint64_t kMaxPaddingRead = 64ULL * 1024 * 1024;

/// Empty if the next multiple does not fit 64 bits.
std::optional<std::uint64_t> padded(std::uint64_t value,
                                    std::uint64_t alignment) {
  const std::uint64_t rest = value % alignment;
  if (rest == 0) return value;
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(value, alignment - rest, &sum)) {
    return std::nullopt;
  }
  return sum;
}

class Layout {
 public:
  Layout(const ByteSource& source, GgufFile& file)
      : source_(source), file_(file) {}

  void run(std::uint64_t header_end) {
    const auto begin = padded(header_end, file_.alignment);
    file_.data_offset = begin.value_or(header_end);
    file_.data_end = file_.data_offset;
    if (file_.tensors.empty()) {
      // llama.cpp pads a header without tensors (a vocabulary) as any other.
      const bool is_padded = begin && *begin <= source_.size();
      file_.data_end = is_padded ? *begin : header_end;
      if (is_padded) check_padding(header_end, *begin);
      check_end(file_.data_end);
      return;
    }
    if (!begin || *begin > source_.size()) {
      problem("gguf-truncated", Severity::high, header_end,
              "the file ends before its tensor data");
      for (GgufTensor& tensor : file_.tensors) tensor.fits = false;
      return;
    }
    check_padding(header_end, *begin);
    std::uint64_t end = *begin;  // of the last tensor, without padding
    bool is_placeable = true;
    for (GgufTensor& tensor : file_.tensors) {
      is_placeable = is_placeable && place(tensor, end);
      if (!is_placeable) tensor.fits = false;
    }
    if (!is_placeable) return;
    check_end(end);
  }

 private:
  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    if (file_.problems.size() >= 1'000) return;
    file_.problems.push_back(
        {std::string(rule), severity, offset, std::move(message)});
  }

  /// False if what follows cannot be placed.
  bool place(GgufTensor& tensor, std::uint64_t& end) {
    const std::string name = printable(tensor.info.name);
    const bool sized = tensor.fits;
    tensor.fits = false;
    if (__builtin_add_overflow(file_.data_offset, tensor.declared_offset,
                               &tensor.info.offset)) {
      tensor.info.offset = 0;
      problem("gguf-tensor-offset", Severity::critical, 0,
              fmt::format("the offset {} of '{}' overflows",
                          tensor.declared_offset, name));
      return true;
    }
    if (tensor.info.offset != file_.data_end) {
      problem("gguf-tensor-offset", Severity::high, tensor.info.offset,
              fmt::format("'{}' lies at {}, but the tensor before it ends at "
                          "{}: a gap hides bytes, an overlap shares them",
                          name, tensor.declared_offset,
                          file_.data_end - file_.data_offset));
    }
    if (!sized) {  // unknown type: take up again where the next one says
      file_.data_end = tensor.info.offset;
      return true;
    }
    std::uint64_t tensor_end = 0;
    if (__builtin_add_overflow(tensor.info.offset, tensor.info.size,
                               &tensor_end) ||
        tensor_end > source_.size()) {
      problem("gguf-tensor-outside", Severity::critical, tensor.info.offset,
              fmt::format("'{}' takes {} bytes from {}, the file has {}: a "
                          "loader that trusts this reads beyond the file "
                          "(CVE-2026-7482)",
                          name, tensor.info.size, tensor.info.offset,
                          source_.size()));
      file_.data_end = std::max(file_.data_end, source_.size());
      return true;
    }
    tensor.fits = true;
    end = std::max(end, tensor_end);
    const auto next = padded(tensor_end - file_.data_offset, file_.alignment);
    if (!next) return false;
    file_.data_end = file_.data_offset + *next;
    check_padding(tensor_end, std::min(file_.data_end, source_.size()));
    return true;
  }

  void check_padding(std::uint64_t begin, std::uint64_t end) {
    if (end <= begin) return;
    padding_read_ += end - begin;
    if (padding_read_ > kMaxPaddingRead) {
      if (!padding_left_out_) {
        problem("gguf-padding", Severity::medium, begin,
                "more padding than any file needs; the rest was not read");
      }
      padding_left_out_ = true;
      return;
    }
    if (!is_zero(source_, begin, end - begin)) {
      problem("gguf-padding", Severity::medium, begin,
              fmt::format("the {} padding bytes are not zero: room that no "
                          "loader reads holds something",
                          end - begin));
    }
  }

  void check_end(std::uint64_t end) {
    const std::uint64_t size = source_.size();
    const std::uint64_t expected = std::max(file_.data_end, end);
    if (size <= expected) return;
    problem("gguf-trailing-bytes", Severity::high, expected,
            fmt::format("{} bytes follow the last tensor", size - expected));
  }

  const ByteSource& source_;
  GgufFile& file_;
  std::uint64_t padding_read_ = 0;
  bool padding_left_out_ = false;
};

GgufScalar first_of(const GgufEntry& entry) {
  const auto* scalar = std::get_if<GgufScalar>(&entry.value);
  return scalar == nullptr ? GgufScalar(std::uint64_t{0}) : *scalar;
}

Json scalar_json(const GgufScalar& scalar) {
  return std::visit(
      [](const auto& value) -> Json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return lossless_utf8(value);
        } else {
          return value;
        }
      },
      scalar);
}

}  // namespace

void check_gguf_layout(const ByteSource& source, std::uint64_t header_end,
                       GgufFile& file) {
  Layout(source, file).run(header_end);
}

void check_gguf_vocabulary(GgufFile& file) {
  const auto array = [&](std::string_view key) -> const GgufArray* {
    const GgufEntry* entry = file.find(key);
    return entry == nullptr ? nullptr : std::get_if<GgufArray>(&entry->value);
  };
  const GgufArray* tokens = array("tokenizer.ggml.tokens");
  if (tokens == nullptr) return;
  static constexpr std::array<std::string_view, 2> kAligned = {
      "tokenizer.ggml.scores", "tokenizer.ggml.token_type"};
  for (const std::string_view key : kAligned) {
    const GgufArray* other = array(key);
    if (other == nullptr || other->count == tokens->count) continue;
    file.problems.push_back(
        {"gguf-vocabulary", Severity::high, other->offset,
         fmt::format("{} has {} elements for {} tokens: a loader that trusts "
                     "it reads beyond its array",
                     key, other->count, tokens->count)});
  }
  for (const GgufEntry& entry : file.entries) {
    if (!entry.key.starts_with("tokenizer.ggml.") ||
        !entry.key.ends_with("_token_id")) {
      continue;
    }
    const std::optional<std::uint64_t> id = file.number(entry.key);
    // -1 and 0xffffffff mean "none" to the writers.
    if (!id || *id < tokens->count || *id >= 0xffffffffULL) continue;
    file.problems.push_back({"gguf-vocabulary", Severity::medium, entry.offset,
                             fmt::format("{} is {}, but there are {} tokens",
                                         entry.key, *id, tokens->count)});
  }
}

std::string_view to_string(GgufType type) noexcept {
  static constexpr std::array<std::string_view, 13> kNames = {
      "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
      "bool", "string", "array", "u64", "i64", "f64"};
  const auto number = static_cast<std::uint32_t>(type);
  return number < kNames.size() ? kNames[number] : "unknown";
}

const GgufEntry* GgufFile::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &GgufEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

std::optional<std::string> GgufFile::text(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr || entry->type != GgufType::string) return std::nullopt;
  const GgufScalar scalar = first_of(*entry);
  const auto* text = std::get_if<std::string>(&scalar);
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::optional<std::uint64_t> GgufFile::number(std::string_view key) const {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  const auto* scalar = std::get_if<GgufScalar>(&entry->value);
  if (scalar == nullptr) return std::nullopt;
  if (const auto* u = std::get_if<std::uint64_t>(scalar)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(scalar); i && *i >= 0) {
    return static_cast<std::uint64_t>(*i);
  }
  return std::nullopt;
}

std::vector<std::string> read_gguf_strings(const ByteSource& source,
                                           const GgufFile& file,
                                           const GgufArray& array,
                                           std::uint64_t begin,
                                           std::uint64_t limit) {
  std::vector<std::string> strings;
  if (array.element != GgufType::string) return strings;
  SourceCursor cursor(source, array.offset);
  cursor.set_endian(file.endian);
  for (std::uint64_t i = 0; i < array.count && strings.size() < limit; ++i) {
    const std::uint64_t length = cursor.u64();
    if (i < begin) {
      cursor.skip(length);
    } else {
      std::string text = cursor.text(length, kMaxGgufText);
      if (cursor.ok()) strings.push_back(std::move(text));
    }
    if (!cursor.ok()) break;
  }
  return strings;
}

Json gguf_value_json(const GgufEntry& entry) {
  if (const auto* scalar = std::get_if<GgufScalar>(&entry.value)) {
    return scalar_json(*scalar);
  }
  const auto& array = std::get<GgufArray>(entry.value);
  Json first = Json::array();
  for (const GgufScalar& scalar : array.first) {
    first.push_back(scalar_json(scalar));
  }
  return {{"type", to_string(array.element)},
          {"count", array.count},
          {"first", std::move(first)}};
}

std::vector<GgufTemplate> gguf_templates(const GgufFile& file) {
  std::vector<GgufTemplate> templates;
  for (const GgufEntry& entry : file.entries) {
    if (!entry.key.starts_with("tokenizer.chat_template") ||
        entry.type != GgufType::string) {
      continue;
    }
    const GgufScalar scalar = first_of(entry);
    if (const auto* text = std::get_if<std::string>(&scalar)) {
      templates.push_back({entry.key, *text, entry.offset});
    }
  }
  return templates;
}

}  // namespace impound
