// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The values that follow_content() moves through a chat template.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound::flow {

/// What a value is made of; several may hold.
enum Origin : std::uint8_t {
  kContent = 1,   ///< what somebody wrote
  kPart = 2,      ///< one element of a list content ({type, text} or a letter)
  kMessages = 4,  ///< the conversation, or one message of it
  kRole = 8,
  kClock = 16,
  kLength = 32,  ///< a length or count of content
  kRandom = 64,
  kCount = 128,  ///< how many messages there are, or which one this is
};

/// Literal text, with the conditions that led to it.
struct Fragment {
  std::string text;
  std::vector<std::size_t> conditions;
};

struct Value {
  std::uint32_t origin = 0;
  std::vector<std::string> literals;    ///< strings content was held against
  std::vector<std::size_t> conditions;  ///< that its truth depends on
  std::vector<Fragment> fragments;
  std::vector<std::string> whose;  ///< roles whose content it is, if known
  bool is_function_of_literals = false;  ///< content cut or replaced by words

  [[nodiscard]] bool has(std::uint32_t bits) const {
    return (origin & bits) != 0;
  }
};

/// Bounds on one value: hostile templates must not make sets explode.
inline constexpr std::size_t kMaxFragments = 64;
inline constexpr std::size_t kMaxLiterals = 64;

void add_unique(std::vector<std::size_t>& into,
                const std::vector<std::size_t>& more);
void add_unique(std::vector<std::string>& into,
                const std::vector<std::string>& more);

/// Adds all of `more` to `into`.
void merge(Value& into, const Value& more);

/// A literal that marks structure, not speech: "<think>", "[INST]",
/// "/no_think",
/// "```", "\n".
[[nodiscard]] bool is_markup(std::string_view literal);

/// Keys that elements of a list content have.
[[nodiscard]] bool is_part_key(std::string_view literal);

}  // namespace impound::flow
