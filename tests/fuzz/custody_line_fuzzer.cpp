// SPDX-License-Identifier: Apache-2.0
// rooms: casefile
/// One line of somebody's custody chain: it is judged, never believed. What the
/// check passes must still be what a stranger's sed reads.

#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/casefile/actions.hpp"
#include "core/casefile/line_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const std::string_view line = as_text(std::as_bytes(std::span(data, size)));
  const CheckedLine checked = check_line(1, line);
  if (checked.json.is_null()) {
    if (checked.problems.empty()) std::abort();  // refused without a reason
    return 0;
  }
  const ChainPlace place{.case_id = text_or(checked.json, "case", ""),
                         .nonce = text_or(checked.json["detail"], "nonce", ""),
                         .seq = 1,
                         .prev = genesis_prev()};
  std::vector<CustodyProblem> problems = checked.problems;
  check_place(place, line, checked.json, problems);
  if (signer_of(checked.json).size() > 64) std::abort();
  if (problems.empty() &&
      line.find("\"prev\":\"" + genesis_prev() + "\"") == line.npos) {
    std::abort();
  }
  return 0;
}
