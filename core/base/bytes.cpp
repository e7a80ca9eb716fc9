// SPDX-License-Identifier: Apache-2.0
#include "core/base/bytes.hpp"

#include <array>

namespace impound {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::array<int, 256> base64_values() {
  std::array<int, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<int>(i);
  }
  return values;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    hex += kHexDigits[value >> 4U];
    hex += kHexDigits[value & 15U];
  }
  return hex;
}

Bytes from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) {
    throw Error(Errc::malformed,
                "hexadecimal text of odd length " + std::to_string(hex.size()));
  }
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) {
      throw Error(Errc::malformed, "not a hexadecimal digit at position " +
                                       std::to_string(high < 0 ? i : i + 1));
    }
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

std::string to_base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group <<= 8U;
      if (k < left) group |= std::to_integer<std::uint32_t>(bytes[i + k]);
    }
    text += kBase64[(group >> 18U) & 63U];
    text += kBase64[(group >> 12U) & 63U];
    text += left > 1 ? kBase64[(group >> 6U) & 63U] : '=';
    text += left > 2 ? kBase64[group & 63U] : '=';
  }
  return text;
}

Bytes from_base64(std::string_view text) {
  static const std::array<int, 256> kValues = base64_values();
  if (text.size() % 4 != 0) {
    throw Error(Errc::malformed, "base64 text of length " +
                                     std::to_string(text.size()) +
                                     ", expected a multiple of 4");
  }
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() &&
         text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (i < text.size() - padding) {
      value = kValues[static_cast<unsigned char>(text[i])];
      if (value < 0) {
        throw Error(Errc::malformed,
                    "not base64 at position " + std::to_string(i));
      }
    }
    group = (group << 6U) | static_cast<std::uint32_t>(value);
    if (i % 4 == 3) {
      bytes.push_back(static_cast<std::byte>((group >> 16U) & 255U));
      bytes.push_back(static_cast<std::byte>((group >> 8U) & 255U));
      bytes.push_back(static_cast<std::byte>(group & 255U));
      group = 0;
    }
  }
  for (; padding > 0; --padding) bytes.pop_back();
  return bytes;
}

}  // namespace impound
