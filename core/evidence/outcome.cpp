// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/outcome.hpp"

#include <array>

namespace impound {
namespace {

struct Word {
  std::string_view name;
  int line_version;
};

constexpr std::array kWords{
    Word{"ok", 1},      Word{"partial", 1},     Word{"short_read", 1},
    Word{"missing", 1}, Word{"empty", 1},       Word{"denied", 1},
    Word{"failed", 1},  Word{"rolled_back", 1}, Word{"intended", 2},
    Word{"skipped", 2}, Word{"incomplete", 2},
};

const Word& word_of(Outcome outcome) noexcept {
  return kWords[static_cast<std::size_t>(outcome)];
}

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  return word_of(outcome).name;
}

std::optional<Outcome> outcome_from(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i].name == name) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

Outcome outcome_of(const OsFailure& failure) noexcept {
  if (failure.is_missing()) return Outcome::missing;
  return failure.is_denied() ? Outcome::denied : Outcome::failed;
}

int line_version_of(Outcome outcome) noexcept {
  return word_of(outcome).line_version;
}

bool is_item_outcome(Outcome outcome) noexcept {
  return outcome != Outcome::intended && outcome != Outcome::skipped;
}

}  // namespace impound
