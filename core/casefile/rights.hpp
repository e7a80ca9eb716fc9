// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a signer may do in a case, beyond what everybody may who writes to it.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace impound {

enum class Right : std::uint8_t {
  introduce,  ///< say whose a key is: add, vouch, revoke
  approve,    ///< grant and deny what a case asks further people for
  release,    ///< give a deployment back that was contained
  act,        ///< collect, contain, run, find, close: all other acts
};

/// In the order in which they are written.
inline constexpr std::array kAllRights{Right::introduce, Right::approve,
                                       Right::release, Right::act};

[[nodiscard]] std::string_view to_string(Right right) noexcept;

/// A set of rights; empty unless filled.
class Rights {
 public:
  constexpr Rights() = default;
  [[nodiscard]] static constexpr Rights all() {
    Rights rights;
    for (const Right right : kAllRights) rights.add(right);
    return rights;
  }
  /// "introduce,approve": known words, each once, in any order.
  /// Empty for anything else, the empty text included.
  [[nodiscard]] static std::optional<Rights> from(std::string_view text);

  constexpr void add(Right right) { bits_ |= bit(right); }
  [[nodiscard]] constexpr bool has(Right right) const {
    return (bits_ & bit(right)) != 0;
  }
  /// "introduce,approve,release,act", in that order.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Rights&, const Rights&) = default;

 private:
  static constexpr std::uint8_t bit(Right right) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(right));
  }
  std::uint8_t bits_ = 0;
};

}  // namespace impound
