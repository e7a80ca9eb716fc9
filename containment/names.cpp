// SPDX-License-Identifier: Apache-2.0
#include "containment/names.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace impound {

std::string plain_name(std::string_view text, std::string_view also,
                       char otherwise) {
  std::string name;
  for (const char c : text.substr(0, 40)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || also.find(c) != also.npos;
    name += is_plain ? c : otherwise;
  }
  return name;
}

std::string name_hash(std::initializer_list<std::string_view> parts) {
  constexpr std::uint64_t kPrime = 1'099'511'628'211U;
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const std::string_view part : parts) {
    for (const char c : part) {
      hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
    }
    hash *= kPrime;
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace impound
