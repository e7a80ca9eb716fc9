// SPDX-License-Identifier: Apache-2.0
#include "core/formats/gguf/gguf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_set>

#include "core/base/text.hpp"
#include "core/formats/gguf/gguf_layout.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMaxArrayElements = 1ULL << 30U;  // llama.cpp's bound
constexpr std::uint64_t kMaxKey = 65'535;
constexpr std::size_t kKeptElements = 16;
constexpr std::uint64_t kKeptElementText = 1024;
constexpr std::size_t kMaxProblems = 1'000;
/// Bytes of the shortest entry (key of one letter, one byte) and tensor.
constexpr std::uint64_t kSmallestEntry = 8 + 1 + 4 + 1;
constexpr std::uint64_t kSmallestTensor = 8 + 4 + 4 + 8;

GgufScalar scalar_of(GgufType type, std::uint64_t raw) {
  switch (type) {
    case GgufType::i8:
      return std::int64_t{static_cast<std::int8_t>(raw)};
    case GgufType::i16:
      return std::int64_t{static_cast<std::int16_t>(raw)};
    case GgufType::i32:
      return std::int64_t{static_cast<std::int32_t>(raw)};
    case GgufType::i64:
      return static_cast<std::int64_t>(raw);
    case GgufType::f32:
      return double{std::bit_cast<float>(static_cast<std::uint32_t>(raw))};
    case GgufType::f64:
      return std::bit_cast<double>(raw);
    case GgufType::boolean:
      return raw != 0;
    case GgufType::u8:
    case GgufType::u16:
    case GgufType::u32:
    case GgufType::u64:
    case GgufType::string:
    case GgufType::array:
      break;
  }
  return raw;
}

bool is_plain_key(std::string_view key) {
  return std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

class HeaderReader {
 public:
  explicit HeaderReader(const ByteSource& source)
      : source_(source), cursor_(source, 0) {}

  GgufFile run() {
    if (cursor_.text(4, 4) != "GGUF") {
      problem("gguf-magic", Severity::high, 0, "no GGUF magic at the start");
      return std::move(file_);
    }
    if (!read_version()) return std::move(file_);
    const std::uint64_t tensors = cursor_.u64();
    const std::uint64_t entries = cursor_.u64();
    if (!cursor_.ok()) {
      truncated("the counts");
      return std::move(file_);
    }
    if (!check_count("tensors", tensors, kSmallestTensor, kMaxGgufTensors, 8) ||
        !check_count("metadata entries", entries, kSmallestEntry,
                     kMaxGgufEntries, 16)) {
      return std::move(file_);
    }
    if (!read_entries(entries)) return std::move(file_);
    read_alignment();
    if (!read_tensors(tensors)) {
      // Where the data begins is unknown: no tensor has a place.
      for (GgufTensor& tensor : file_.tensors) tensor.fits = false;
      return std::move(file_);
    }
    file_.complete = true;
    check_gguf_layout(source_, cursor_.offset(), file_);
    check_gguf_vocabulary(file_);
    return std::move(file_);
  }

 private:
  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    if (file_.problems.size() >= kMaxProblems) return;
    file_.problems.push_back(
        {std::string(rule), severity, offset, std::move(message)});
  }

  void truncated(std::string_view where) {
    problem("gguf-truncated", Severity::high, cursor_.offset(),
            fmt::format("the file ends in {}", where));
  }

  bool read_version() {
    std::uint32_t version = cursor_.u32();
    if (!cursor_.ok()) {
      truncated("the version");
      return false;
    }
    if (version != 0 && (version & 0xffffU) == 0) {
      file_.endian = Endian::big;
      cursor_.set_endian(Endian::big);
      version = ((version & 0xffU) << 24U) | ((version & 0xff00U) << 8U) |
                ((version >> 8U) & 0xff00U) | (version >> 24U);
      problem("gguf-big-endian", Severity::low, 4,
              "written big-endian: loaders on ordinary machines refuse it");
    }
    file_.version = version;
    if (version != 2 && version != 3) {
      problem("gguf-version", Severity::high, 4,
              fmt::format("version {}; 2 and 3 are known", version));
      return false;
    }
    return true;
  }

  bool check_count(std::string_view what, std::uint64_t count,
                   std::uint64_t smallest, std::uint64_t most,
                   std::uint64_t offset) {
    if (count <= cursor_.remaining() / smallest && count <= most) return true;
    problem("gguf-count", Severity::critical, offset,
            fmt::format("{} {} are declared, but {} bytes are left: a loader "
                        "that trusts the count reads or allocates beyond them "
                        "(CVE-2024-21802)",
                        count, what, cursor_.remaining()));
    return false;
  }

  /// A length and that many bytes. Empty if the file ends before.
  std::optional<std::string> read_string(std::string_view what,
                                         std::uint64_t keep) {
    const std::uint64_t at = cursor_.offset();
    const std::uint64_t length = cursor_.u64();
    if (!cursor_.ok()) {
      truncated(what);
      return std::nullopt;
    }
    if (length > cursor_.remaining()) {
      problem("gguf-string-length", Severity::critical, at,
              fmt::format("{} of {} bytes is declared, {} are left", what,
                          length, cursor_.remaining()));
      return std::nullopt;
    }
    text_size_ = length;
    const std::uint64_t allowed = std::min(keep, kMaxGgufKept - kept_);
    std::string text = cursor_.text(length, allowed);
    kept_ += text.size();
    if (text.size() < length && keep == kMaxGgufText) {
      problem("gguf-long-text", Severity::medium, at,
              fmt::format("{} has {} bytes; {} are looked at", what, length,
                          text.size()));
    }
    return text;
  }

  bool read_entries(std::uint64_t count) {
    std::unordered_set<std::string> seen;
    for (std::uint64_t i = 0; i < count; ++i) {
      GgufEntry entry;
      entry.offset = cursor_.offset();
      std::optional<std::string> key = read_string("a key", kMaxKey);
      if (!key) return false;
      entry.key = std::move(*key);
      check_key(entry, text_size_);
      if (!seen.insert(entry.key).second) {
        problem("gguf-duplicate-key", Severity::high, entry.offset,
                fmt::format("the key '{}' stands twice: loaders may take "
                            "either",
                            printable(entry.key)));
      }
      if (!read_value(entry)) return false;
      entry.size = cursor_.offset() - entry.offset;
      file_.entries.push_back(std::move(entry));
    }
    return true;
  }

  void check_key(const GgufEntry& entry, std::uint64_t length) {
    if (entry.key.empty()) {
      problem("gguf-key", Severity::medium, entry.offset, "an empty key");
    } else if (length > kMaxKey) {
      problem("gguf-key", Severity::medium, entry.offset,
              fmt::format("a key of {} bytes; 65535 are allowed", length));
    } else if (!is_plain_key(entry.key)) {
      problem("gguf-key", Severity::medium, entry.offset,
              fmt::format("the key '{}' has characters that keys may not have",
                          printable(entry.key)));
    }
  }

  bool read_value(GgufEntry& entry) {
    const std::uint64_t at = cursor_.offset();
    const std::uint32_t number = cursor_.u32();
    if (!cursor_.ok()) {
      truncated("the type of a value");
      return false;
    }
    entry.type = static_cast<GgufType>(number);
    if (number > 12) {
      problem("gguf-value-type", Severity::high, at,
              fmt::format("'{}' has the value type {}; 0 to 12 are known",
                          printable(entry.key), number));
      return false;
    }
    if (entry.type == GgufType::string) {
      std::optional<std::string> text =
          read_string("the text of " + printable(entry.key), kMaxGgufText);
      if (!text) return false;
      entry.text_size = text_size_;
      entry.value = GgufScalar(std::move(*text));
      return true;
    }
    if (entry.type == GgufType::array) return read_array(entry);
    const std::uint64_t raw = cursor_.integer(element_width(entry.type));
    if (!cursor_.ok()) {
      truncated("a value");
      return false;
    }
    if (entry.type == GgufType::boolean && raw > 1) {
      problem("gguf-bool", Severity::medium, at + 4,
              fmt::format("'{}' is the truth value {}; 0 and 1 are allowed",
                          printable(entry.key), raw));
    }
    entry.value = scalar_of(entry.type, raw);
    return true;
  }

  bool read_array(GgufEntry& entry) {
    const std::uint64_t at = cursor_.offset();
    GgufArray array;
    const std::uint32_t element = cursor_.u32();
    array.count = cursor_.u64();
    array.element = static_cast<GgufType>(element);
    array.offset = cursor_.offset();
    if (!cursor_.ok()) {
      truncated("the head of an array");
      return false;
    }
    if (element > 12 || array.element == GgufType::array) {
      problem("gguf-array-type", Severity::high, at,
              fmt::format("'{}' is an array of type {}, which readers refuse",
                          printable(entry.key), element));
      return false;
    }
    const std::size_t width = element_width(array.element);
    const std::uint64_t smallest = width == 0 ? 8 : width;
    if (array.count > cursor_.remaining() / smallest ||
        array.count > kMaxArrayElements ||
        (width == 0 && array.count > kMaxGgufStrings)) {
      problem(
          "gguf-array-length", Severity::critical, at + 4,
          fmt::format("'{}' declares {} elements, but {} bytes are left",
                      printable(entry.key), array.count, cursor_.remaining()));
      return false;
    }
    const bool read = width == 0 ? read_strings(entry, array)
                                 : read_numbers(entry, array, width);
    array.size = cursor_.offset() - array.offset;
    entry.value = std::move(array);
    return read;
  }

  bool read_strings(const GgufEntry& entry, GgufArray& array) {
    const bool is_vocabulary = entry.key == "tokenizer.ggml.tokens";
    for (std::uint64_t i = 0; i < array.count; ++i) {
      const std::uint64_t at = cursor_.offset();
      const bool keep = array.first.size() < kKeptElements;
      std::optional<std::string> text = read_string(
          "an element of " + printable(entry.key), keep ? kKeptElementText : 0);
      if (!text) return false;
      if (is_vocabulary && text_size_ > 65'536) {
        problem("gguf-token-length", Severity::high, at,
                fmt::format("token {} has {} bytes (CVE-2025-49847)", i,
                            text_size_));
      }
      if (keep) array.first.emplace_back(std::move(*text));
    }
    return true;
  }

  bool read_numbers(const GgufEntry& entry, GgufArray& array,
                    std::size_t width) {
    const std::uint64_t kept =
        std::min<std::uint64_t>(array.count, kKeptElements);
    for (std::uint64_t i = 0; i < kept; ++i) {
      array.first.push_back(scalar_of(array.element, cursor_.integer(width)));
    }
    if (array.element == GgufType::boolean) {
      const std::uint64_t at = array.offset;
      SourceCursor again(source_, at);
      for (std::uint64_t i = 0; i < array.count; ++i) {
        if (again.u8() > 1) {
          problem("gguf-bool", Severity::medium, again.offset() - 1,
                  fmt::format("'{}' holds a truth value other than 0 and 1",
                              printable(entry.key)));
          break;
        }
      }
    }
    cursor_.skip((array.count - kept) * width);
    if (!cursor_.ok()) truncated("an array");
    return cursor_.ok();
  }

  void read_alignment() {
    const GgufEntry* entry = file_.find("general.alignment");
    if (entry == nullptr) return;
    const std::optional<std::uint64_t> value =
        file_.number("general.alignment");
    if (entry->type != GgufType::u32 || !value || *value == 0 ||
        !std::has_single_bit(*value)) {
      problem("gguf-alignment", Severity::high, entry->offset,
              "general.alignment is no power of two of type u32");
      return;
    }
    if (*value % 8 != 0 || *value > 65'536) {
      problem("gguf-alignment", Severity::medium, entry->offset,
              fmt::format("general.alignment is {}", *value));
    }
    file_.alignment = *value;
  }

  bool read_tensors(std::uint64_t count) {
    std::unordered_set<std::string> seen;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = cursor_.offset();
      std::optional<std::string> name = read_string("a tensor's name", kMaxKey);
      if (!name) return false;
      GgufTensor tensor;
      tensor.info.name = std::move(*name);
      if (tensor.info.name.empty() || text_size_ >= 64) {
        problem("gguf-tensor-name", Severity::medium, at,
                fmt::format("a tensor's name has {} bytes; 1 to 63 are "
                            "allowed",
                            text_size_));
      }
      if (!seen.insert(tensor.info.name).second) {
        problem("gguf-duplicate-tensor", Severity::high, at,
                fmt::format("the tensor '{}' stands twice",
                            printable(tensor.info.name)));
      }
      if (!read_shape(tensor, at)) return false;
      tensor.type = cursor_.u32();
      tensor.declared_offset = cursor_.u64();
      if (!cursor_.ok()) {
        truncated("the description of a tensor");
        return false;
      }
      size_tensor(tensor, at);
      file_.tensors.push_back(std::move(tensor));
    }
    return true;
  }

  bool read_shape(GgufTensor& tensor, std::uint64_t at) {
    const std::uint32_t dimensions = cursor_.u32();
    if (!cursor_.ok()) {
      truncated("the description of a tensor");
      return false;
    }
    if (dimensions > 4) {
      problem("gguf-dimensions", Severity::critical, at,
              fmt::format("'{}' declares {} dimensions; 4 are allowed, and a "
                          "loader that copies them writes beyond its array "
                          "(CVE-2024-21802)",
                          printable(tensor.info.name), dimensions));
      return false;
    }
    for (std::uint32_t d = 0; d < dimensions; ++d) {
      tensor.info.shape.push_back(cursor_.u64());
    }
    std::ranges::reverse(tensor.info.shape);
    return true;
  }

  void size_tensor(GgufTensor& tensor, std::uint64_t at) {
    const std::string name = printable(tensor.info.name);
    const std::optional<std::uint64_t> elements =
        element_count(tensor.info.shape);
    constexpr auto kMost =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const bool negative = std::ranges::any_of(
        tensor.info.shape, [&](std::uint64_t n) { return n > kMost; });
    if (negative || !elements || *elements > kMost) {
      problem("gguf-shape", Severity::critical, at,
              fmt::format("the dimensions {} of '{}' overflow "
                          "(CVE-2025-53630)",
                          shape_text(tensor.info.shape), name));
      return;
    }
    const std::optional<Dtype> dtype = ggml_dtype(tensor.type);
    if (!dtype) {
      problem("gguf-tensor-type", Severity::high, at,
              fmt::format("'{}' has the tensor type {}, which is unknown or "
                          "was removed",
                          name, tensor.type));
      return;
    }
    tensor.info.dtype = *dtype;
    const std::uint32_t block = traits(*dtype).block_elements;
    const std::uint64_t row =
        tensor.info.shape.empty() ? 1 : tensor.info.shape.back();
    const std::optional<std::uint64_t> size =
        row % block == 0 ? tensor_bytes(*dtype, tensor.info.shape)
                         : std::nullopt;
    if (!size) {
      problem("gguf-shape", Severity::high, at,
              fmt::format("rows of {} elements do not fill blocks of {} "
                          "('{}', {})",
                          row, block, name, to_string(*dtype)));
      return;
    }
    tensor.info.size = *size;
    tensor.fits = true;  // until the layout says otherwise
  }

  const ByteSource& source_;
  SourceCursor cursor_;
  GgufFile file_;
  std::uint64_t text_size_ = 0;  // of the last string, in the file
  std::uint64_t kept_ = 0;
};

}  // namespace

std::size_t element_width(GgufType type) noexcept {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      return 0;
  }
  return 0;
}

bool is_gguf(ByteView head) noexcept {
  return as_text(head).starts_with("GGUF");
}

GgufFile read_gguf(const ByteSource& source) {
  return HeaderReader(source).run();
}

std::string_view why_gguf(const FormatSubject& subject) {
  return is_gguf(subject.head) ? "begins with \"GGUF\"" : "";
}

}  // namespace impound
