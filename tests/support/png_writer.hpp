// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A PNG of chunks, without a picture and with wrong checksums.

#include <string>
#include <utility>
#include <vector>

namespace impound::test {

inline std::string png_of(
    const std::vector<std::pair<std::string, std::string>>& chunks) {
  std::string out = "\x89PNG\r\n\x1a\n";
  for (const auto& [type, bytes] : chunks) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      out += static_cast<char>(bytes.size() >> static_cast<unsigned>(shift));
    }
    out += type + bytes + "CRC!";
  }
  return out;
}

}  // namespace impound::test
