// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The table of SentencePiece that says what is rewritten to what, made for
/// tests: a double array as Darts-clone writes it, and the texts.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace impound::test {

/// @pre no text is empty on the left.
inline std::string charsmap(const std::map<std::string, std::string>& rules) {
  struct Node {
    std::map<unsigned char, std::size_t> next;
    std::int64_t text = -1;
  };
  std::vector<Node> nodes(1);
  std::string texts;
  for (const auto& [from, to] : rules) {
    std::size_t at = 0;
    for (const char c : from) {
      const auto byte = static_cast<unsigned char>(c);
      const auto [found, is_new] = nodes[at].next.emplace(byte, nodes.size());
      const std::size_t then = found->second;
      if (is_new) nodes.emplace_back();
      at = then;
    }
    nodes[at].text = static_cast<std::int64_t>(texts.size());
    texts += to + std::string(1, '\0');
  }
  // Every node has 256 places of its own: large, and plainly right.
  std::vector<std::uint32_t> units((nodes.size() + 1) * 256, 0x80000000U);
  std::vector<std::size_t> place(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::size_t base = (i + 1) * 256;
    const std::uint32_t label = units[place[i]] & 0xffU;
    units[place[i]] = static_cast<std::uint32_t>(place[i] ^ base) << 10U |
                      (i == 0 ? 0U : label) |
                      (nodes[i].text >= 0 ? 0x100U : 0U);
    if (nodes[i].text >= 0) {
      units[base] = 0x80000000U | static_cast<std::uint32_t>(nodes[i].text);
    }
    for (const auto& [byte, then] : nodes[i].next) {
      place[then] = base ^ byte;
      units[place[then]] = byte;
    }
  }
  std::string out;
  const auto put = [&](std::uint32_t value) {
    for (int i = 0; i < 4; ++i) {
      out += static_cast<char>(value >> (8 * i));
    }
  };
  put(static_cast<std::uint32_t>(units.size() * 4));
  for (const std::uint32_t unit : units) put(unit);
  return out + texts;
}

}  // namespace impound::test
