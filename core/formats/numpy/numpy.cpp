// SPDX-License-Identifier: Apache-2.0
#include "core/formats/numpy/numpy.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/formats/numpy/numpy_literal.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kPreamble = 10;  // magic, version, u16 length
/// numpy.lib.format refuses more unless told otherwise.
constexpr std::uint64_t kUsualHeader = 10'000;
constexpr std::uint64_t kMaxHeader = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxDimensions = 64;

struct Item {
  std::uint64_t size = 0;
  bool has_objects = false;
};

/// "<f8", "|O", "<U10", "|V16", "<M8[ns]".
std::optional<Item> item_of(std::string_view code) {
  if (!code.empty() &&
      std::string_view("<>|=").find(code.front()) != std::string_view::npos) {
    code.remove_prefix(1);
  }
  if (code.empty()) return std::nullopt;
  const char kind = code.front();
  if (std::string_view("?biufcmMOSaUV").find(kind) == std::string_view::npos) {
    return std::nullopt;
  }
  code.remove_prefix(1);
  Item item;
  item.has_objects = kind == 'O';
  const auto parsed =
      std::from_chars(code.data(), code.data() + code.size(), item.size);
  if (parsed.ec != std::errc{}) {
    if (!code.empty()) return std::nullopt;
    item.size = kind == 'O' ? 8 : kind == '?' ? 1 : 0;
  } else if (parsed.ptr != code.data() + code.size() && *parsed.ptr != '[') {
    return std::nullopt;
  }
  if (kind == 'U' && __builtin_mul_overflow(item.size, 4U, &item.size)) {
    return std::nullopt;
  }
  return item;
}

/// A descr: text, a list of fields, or (descr, shape).
std::optional<Item> item_of(const PythonLiteral& descr, int depth) {
  if (depth > 16) return std::nullopt;
  if (descr.kind == PythonLiteral::Kind::text) return item_of(descr.text);
  if (descr.kind != PythonLiteral::Kind::list) return std::nullopt;
  Item whole;
  for (const PythonLiteral& field : descr.items) {
    if (field.kind != PythonLiteral::Kind::list || field.items.size() < 2) {
      // (base, shape): a sub-array.
      return descr.items.empty() ? std::nullopt
                                 : item_of(descr.items.front(), depth + 1);
    }
    std::optional<Item> part = item_of(field.items[1], depth + 1);
    if (!part) return std::nullopt;
    if (field.items.size() > 2) {
      const PythonLiteral& shape = field.items[2];
      const auto multiply = [&part](const PythonLiteral& n) {
        return n.kind == PythonLiteral::Kind::integer && n.number >= 0 &&
               !__builtin_mul_overflow(part->size,
                                       static_cast<std::uint64_t>(n.number),
                                       &part->size);
      };
      if (shape.kind == PythonLiteral::Kind::integer) {
        if (!multiply(shape)) return std::nullopt;
      }
      for (const PythonLiteral& n : shape.items) {
        if (!multiply(n)) return std::nullopt;
      }
    }
    whole.has_objects = whole.has_objects || part->has_objects;
    if (__builtin_add_overflow(whole.size, part->size, &whole.size)) {
      return std::nullopt;
    }
  }
  return whole;
}

Dtype dtype_of(std::string_view code) {
  if (code.size() < 2) return Dtype::unknown;
  const std::string_view bare = code.substr(1);
  if (bare == "f4") return Dtype::f32;
  if (bare == "f8") return Dtype::f64;
  if (bare == "f2") return Dtype::f16;
  if (bare == "i1") return Dtype::i8;
  if (bare == "i2") return Dtype::i16;
  if (bare == "i4") return Dtype::i32;
  if (bare == "i8") return Dtype::i64;
  if (bare == "u1") return Dtype::u8;
  if (bare == "u2") return Dtype::u16;
  if (bare == "u4") return Dtype::u32;
  if (bare == "u8") return Dtype::u64;
  if (bare == "b1") return Dtype::boolean;
  if (bare == "c8") return Dtype::c64;
  if (bare == "c16") return Dtype::c128;
  return Dtype::unknown;
}

class HeaderReader {
 public:
  explicit HeaderReader(const ByteSource& source) : source_(source) {}

  NumpyArray read() {
    const Bytes preamble = source_.head(0, 12);
    if (preamble.size() < kPreamble) {
      problem("numpy-broken", Severity::medium, 0, "the header is cut off");
      return std::move(array_);
    }
    array_.major = std::to_integer<int>(preamble[6]);
    array_.minor = std::to_integer<int>(preamble[7]);
    if (array_.major < 1 || array_.major > 3 || array_.minor != 0) {
      problem("numpy-broken", Severity::medium, 6,
              fmt::format("version {}.{}: 1.0, 2.0 and 3.0 are known",
                          array_.major, array_.minor));
    }
    const bool is_wide = array_.major >= 2;
    std::uint64_t length = 0;
    for (std::size_t i = is_wide ? 4 : 2; i-- > 0;) {
      if (8 + i >= preamble.size()) continue;
      length = length << 8U | std::to_integer<std::uint64_t>(preamble[8 + i]);
    }
    const std::uint64_t begin = is_wide ? 12 : kPreamble;
    if (begin > source_.size() || length > source_.size() - begin ||
        length > kMaxHeader) {
      problem("numpy-broken", Severity::medium, 8,
              fmt::format("a header of {} bytes, {} are left", length,
                          source_.size() - std::min(begin, source_.size())));
      return std::move(array_);
    }
    if (length > kUsualHeader) {
      problem("numpy-header", Severity::medium, 8,
              fmt::format("a header of {} bytes; numpy reads {} at most",
                          length, kUsualHeader));
    }
    const Bytes text = source_.head(begin, length);
    array_.header = std::string(as_text(text));
    array_.info.offset = begin + length;
    if ((begin + length) % 16 != 0) {
      problem("numpy-header", Severity::low, begin,
              "the body is not aligned as writers do");
    }
    try {
      interpret(parse_python_literal(array_.header), begin);
    } catch (const Error& error) {
      problem("numpy-broken", Severity::medium, begin, error.what());
    }
    return std::move(array_);
  }

 private:
  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    array_.problems.push_back({.rule = std::string(rule),
                               .severity = severity,
                               .offset = offset,
                               .message = std::move(message)});
  }

  void interpret(const PythonLiteral& dict, std::uint64_t begin) {
    const PythonLiteral* const descr = dict.find("descr");
    const PythonLiteral* const order = dict.find("fortran_order");
    const PythonLiteral* const shape = dict.find("shape");
    if (descr == nullptr || order == nullptr || shape == nullptr ||
        dict.items.size() != 6) {
      problem("numpy-header", Severity::medium, begin,
              "the keys are not exactly descr, fortran_order and shape");
      if (descr == nullptr || shape == nullptr) return;
    }
    array_.is_fortran = order != nullptr && order->number != 0;
    array_.descr = descr->kind == PythonLiteral::Kind::text
                       ? descr->text
                       : std::string("structured");
    array_.is_big_endian = array_.descr.starts_with('>');
    array_.info.dtype = dtype_of(array_.descr);
    const std::optional<Item> item = item_of(*descr, 0);
    if (!item) {
      // A type that is not understood may hold objects.
      array_.has_objects = array_.header.find('O') != std::string::npos;
      problem("numpy-header", Severity::medium, begin,
              fmt::format("the type {} is not understood",
                          printable(array_.descr)));
      return;
    }
    array_.item_size = item->size;
    array_.has_objects = item->has_objects;
    if (shape->kind != PythonLiteral::Kind::list ||
        shape->items.size() > kMaxDimensions) {
      problem("numpy-header", Severity::medium, begin, "an impossible shape");
      return;
    }
    std::uint64_t size = item->size;
    for (const PythonLiteral& n : shape->items) {
      if (n.kind != PythonLiteral::Kind::integer || n.number < 0 ||
          __builtin_mul_overflow(size, static_cast<std::uint64_t>(n.number),
                                 &size)) {
        problem("numpy-header", Severity::medium, begin, "an impossible shape");
        return;
      }
      array_.info.shape.push_back(static_cast<std::uint64_t>(n.number));
    }
    array_.is_understood = true;
    if (array_.has_objects) {
      array_.info.size = source_.size() - array_.info.offset;
      return;
    }
    array_.info.size = size;
    const std::uint64_t left = source_.size() - array_.info.offset;
    if (size > left) {
      problem("numpy-truncated", Severity::medium, array_.info.offset,
              fmt::format("{} bytes announced, {} left", size, left));
      array_.info.size = left;
    } else if (size < left) {
      problem("numpy-trailing", Severity::medium, array_.info.offset + size,
              fmt::format("{} bytes behind the array", left - size));
    }
  }

  const ByteSource& source_;
  NumpyArray array_;
};

}  // namespace

bool looks_like_numpy(ByteView head) {
  return as_text(head).starts_with("\x93NUMPY");
}

NumpyArray read_numpy(const ByteSource& source) {
  return HeaderReader(source).read();
}

std::string_view why_numpy(const FormatSubject& subject) {
  return looks_like_numpy(subject.head) ? "begins with \"\\x93NUMPY\"" : "";
}

}  // namespace impound
