// SPDX-License-Identifier: Apache-2.0
#include "core/casefile/rights.hpp"

#include <utility>

#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array kWords{
    std::pair{Right::introduce, std::string_view("introduce")},
    std::pair{Right::approve, std::string_view("approve")},
    std::pair{Right::release, std::string_view("release")},
    std::pair{Right::act, std::string_view("act")},
};

}  // namespace

std::string_view to_string(Right right) noexcept {
  for (const auto& [known, word] : kWords) {
    if (known == right) return word;
  }
  return "?";
}

std::optional<Rights> Rights::from(std::string_view text) {
  Rights rights;
  for (const std::string& part : split(text, ',')) {
    const Right* found = nullptr;
    for (const auto& [known, word] : kWords) {
      if (word == part) found = &known;
    }
    if (found == nullptr || rights.has(*found)) return std::nullopt;
    rights.add(*found);
  }
  return rights;
}

std::string Rights::text() const {
  std::string text;
  for (const auto& [right, word] : kWords) {
    if (!has(right)) continue;
    text += text.empty() ? "" : ",";
    text += word;
  }
  return text;
}

}  // namespace impound
