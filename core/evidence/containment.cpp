// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/containment.hpp"

#include <array>

#include "core/base/text.hpp"

namespace impound {

std::string_view to_string(Containedness measured) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"contained", "not contained",
                                                   "unknown"};
  return kNames[static_cast<std::size_t>(measured)];
}

Json MeasuredState::to_json() const {
  Json json = facts;
  json["contained"] = measured == Containedness::contained;
  json["measured"] = to_string(measured);
  json["why"] = lossless_utf8(why);
  json["holds_something"] = holds_something;
  json["by_record"] = is_by_record;
  json["held_by"] = lossless_utf8(held_by);
  return json;
}

}  // namespace impound
