// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/outcome.hpp"

#include <array>

namespace impound {
namespace {

constexpr std::array<std::string_view, 8> kNames{
    "ok",    "partial", "short_read", "missing",
    "empty", "denied",  "failed",     "rolled_back"};

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  return kNames[static_cast<std::size_t>(outcome)];
}

std::optional<Outcome> outcome_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

}  // namespace impound
