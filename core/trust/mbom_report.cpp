// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/trust/mbom.hpp"

namespace impound {

std::string_view to_string(ClaimState state) noexcept {
  switch (state) {
    case ClaimState::holds:
      return "holds";
    case ClaimState::fails:
      return "fails";
    case ClaimState::unchecked:
      return "unchecked";
  }
  return "unchecked";
}

std::size_t MbomReport::count(ClaimState state) const {
  return static_cast<std::size_t>(std::count_if(
      claims.begin(), claims.end(),
      [&](const MbomClaim& claim) { return claim.state == state; }));
}

Json MbomReport::to_json() const {
  Json list = Json::array();
  for (const MbomClaim& claim : claims) {
    Json one = {{"at", lossless_utf8(claim.at)},
                {"kind", claim.kind},
                {"state", to_string(claim.state)},
                {"stated", lossless_utf8(claim.stated)}};
    if (!claim.found.empty()) one["found"] = lossless_utf8(claim.found);
    one["reason"] = lossless_utf8(claim.reason);
    list.push_back(std::move(one));
  }
  return {{"serial_number", lossless_utf8(serial)},
          {"spec_version", lossless_utf8(spec)},
          {"holds", count(ClaimState::holds)},
          {"fails", count(ClaimState::fails)},
          {"unchecked", count(ClaimState::unchecked) + left_out},
          {"claims", std::move(list)},
          {"claims_left_out", left_out}};
}

std::string MbomReport::to_text() const {
  std::string text = fmt::format(
      "bill of material {} (CycloneDX {}): {} statements hold, {} fail, {} "
      "cannot be checked against bytes\n",
      printable(serial.empty() ? "without a serial number" : serial),
      printable(spec), count(ClaimState::holds), count(ClaimState::fails),
      count(ClaimState::unchecked) + left_out);
  std::vector<std::vector<std::string>> rows;
  for (const MbomClaim& claim : claims) {
    if (claim.state != ClaimState::fails) continue;
    rows.push_back(
        {"  FAILS", printable(claim.at), claim.kind,
         fmt::format("says {}, found {} ({})", printable(claim.stated),
                     printable(claim.found), printable(claim.reason))});
  }
  for (const MbomClaim& claim : claims) {
    if (claim.state != ClaimState::unchecked) continue;
    rows.push_back({"  unchecked", printable(claim.at), claim.kind,
                    fmt::format("{}: {}", printable(claim.stated),
                                printable(claim.reason))});
  }
  constexpr std::size_t kMostRows = 200;
  const std::size_t more =
      rows.size() > kMostRows ? rows.size() - kMostRows : 0;
  rows.resize(std::min(rows.size(), kMostRows));
  if (!rows.empty()) text += format_table(rows);
  if (more > 0) text += fmt::format("  … and {} more (--json)\n", more);
  return text;
}

}  // namespace impound
