// SPDX-License-Identifier: Apache-2.0
/// Constants that may be files of their own: pickles, packed data, models, as
/// they are or as base64 or hexadecimal digits.

#include <algorithm>
#include <array>
#include <cstring>

#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"
#include "core/formats/pickle/pickle_text.hpp"

namespace impound {
namespace {

constexpr std::size_t kHead = 128;

int base64_digit(std::byte byte) {
  const char c = static_cast<char>(byte);
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

int hex_digit(std::byte byte) {
  const char c = static_cast<char>(byte);
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Bytes decode_base64(ByteView text) {
  Bytes out;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const std::byte byte : text) {
    const char c = static_cast<char>(byte);
    if (c == '\n' || c == '\r') continue;
    const int digit = base64_digit(byte);
    if (digit < 0) break;  // '=' too: the end
    group = group << 6U | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::byte>(group >> bits & 0xffU));
    }
  }
  return out;
}

Bytes decode_hex(ByteView text) {
  Bytes out;
  for (std::size_t i = 0; i + 2 <= text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return out;
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

/// Bytes that were written as text, one character a byte: how protocols 0 to 2
/// write them.
Bytes decode_latin1(ByteView text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(text[i]);
    if (byte < 0x80) {
      out.push_back(text[i]);
    } else if ((byte == 0xc2 || byte == 0xc3) && i + 1 < text.size()) {
      const auto next = std::to_integer<unsigned>(text[++i]);
      out.push_back(static_cast<std::byte>((byte & 3U) << 6U | (next & 0x3fU)));
    } else {
      break;
    }
  }
  return out;
}

/// MARKs, then GLOBAL or INST with two lines that are names.
bool is_text_pickle(ByteView head) {
  std::size_t at = 0;
  while (at < head.size() && at < 16 &&
         std::to_integer<int>(head[at]) == pickle_op::kMark) {
    ++at;
  }
  if (at >= head.size() ||
      (std::to_integer<int>(head[at]) != pickle_op::kGlobal &&
       std::to_integer<int>(head[at]) != pickle_op::kInst)) {
    return false;
  }
  const std::string_view text = as_text(head.subspan(at + 1));
  const std::size_t first = text.find('\n');
  if (first == std::string_view::npos) return false;
  const std::size_t second = text.find('\n', first + 1);
  if (second == std::string_view::npos) return false;
  return is_python_path(text.substr(0, first)) &&
         is_python_path(text.substr(first + 1, second - first - 1));
}

bool is_file_head(ByteView head) {
  if (head.size() < 4) return false;
  const auto byte = [&](std::size_t i) {
    return std::to_integer<int>(head[i]);
  };
  switch (byte(0)) {
    case 0x80:
      return byte(1) <= 5 &&
             !pickle_opcode_name(std::to_integer<std::uint8_t>(head[2]))
                  .empty();
    case 0x1f:
      return byte(1) == 0x8b && byte(2) == 8;
    case 0x78:  // zlib: CMF and FLG are a multiple of 31
      return (0x7800 + byte(1)) % 31 == 0 && (byte(1) & 0x20) == 0;
    case 'P':
      return as_text(head).starts_with("PK\x03\x04");
    case 0x93:
      return as_text(head).starts_with("\x93NUMPY");
    case '(':
    case 'c':
    case 'i':
      return is_text_pickle(head);
    default:
      return false;
  }
}

/// First characters that the heads above have in base64 and in hexadecimal.
constexpr std::array<bool, 256> first_bytes() {
  std::array<bool, 256> wanted{};
  constexpr std::string_view kRaw = "\x80\x1f\x78\x50\x93\x28\x63\x69\xc2";
  constexpr std::string_view kBase64 = "gHeUkKYa";
  constexpr std::string_view kHex = "8175926";
  for (const std::string_view list : {kRaw, kBase64, kHex}) {
    for (const char c : list) wanted[static_cast<unsigned char>(c)] = true;
  }
  return wanted;
}

}  // namespace

Bytes decode_pickle_constant(const ByteSource& source,
                             const PickleConstant& constant,
                             std::uint64_t limit) {
  Bytes text = source.head(constant.offset, std::min(constant.size, limit));
  switch (constant.coding) {
    case PickleConstant::Coding::raw:
      return text;
    case PickleConstant::Coding::latin1:
      return decode_latin1(text);
    case PickleConstant::Coding::base64:
      return decode_base64(text);
    case PickleConstant::Coding::hex:
      return decode_hex(text);
  }
  return text;
}

const std::array<bool, 256> PickleMachine::State::kNoteworthy = first_bytes();

void PickleMachine::State::note_constant(PickleValue::Kind kind,
                                         std::uint64_t offset,
                                         std::uint64_t size,
                                         const std::byte* first) {
  if (kind == PickleValue::Kind::big_integer) return;
  if (first < window.end && !is_worth_noting(*first)) return;
  const auto in_window =
      static_cast<std::uint64_t>(window.end > first ? window.end - first : 0);
  const std::uint64_t wanted = std::min<std::uint64_t>(size, kHead);
  Bytes beyond;
  ByteView head(first, static_cast<std::size_t>(std::min(in_window, wanted)));
  if (in_window < wanted) {
    beyond = window.source().head(offset, wanted);
    head = beyond;
  }
  PickleConstant found{
      .coding = PickleConstant::Coding::raw, .offset = offset, .size = size};
  if (!is_file_head(head)) {
    if (kind != PickleValue::Kind::bytes && is_file_head(decode_latin1(head))) {
      found.coding = PickleConstant::Coding::latin1;
    } else if (is_file_head(decode_base64(head))) {
      found.coding = PickleConstant::Coding::base64;
    } else if (is_file_head(decode_hex(head))) {
      found.coding = PickleConstant::Coding::hex;
    } else {
      return;
    }
  }
  if (result.constants.size() < PickleRun::kMaxConstants) {
    result.constants.push_back(found);
  } else if (result.constants.size() == PickleRun::kMaxConstants) {
    result.constants.push_back(found);
    problem("pickle-limit", Severity::medium, offset,
            "more constants that look like files than are searched");
  }
}

}  // namespace impound
