// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Labels against the words that a user reads, in tests only: a test that
/// compares words also tests the table.

#include <ostream>
#include <string_view>

#include "core/compare/change_label.hpp"

namespace impound {

inline bool operator==(TensorLabel label, std::string_view text) {
  return to_string(label) == text;
}
inline bool operator==(ModelLabel label, std::string_view text) {
  return to_string(label) == text;
}
inline std::ostream& operator<<(std::ostream& out, TensorLabel label) {
  return out << to_string(label);
}
inline std::ostream& operator<<(std::ostream& out, ModelLabel label) {
  return out << to_string(label);
}

}  // namespace impound
