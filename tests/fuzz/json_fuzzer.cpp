// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// The JSON reader: any bytes either parse or are refused with Error, and what
/// parses survives a round trip.

#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const impound::ByteView bytes = std::as_bytes(std::span(data, size));
  try {
    const impound::Json json =
        impound::parse_json(impound::as_text(bytes), "fuzz");
    const std::string line = impound::dump_line(json);
    const impound::Json again = impound::parse_json(line, "fuzz");
    if (impound::dump_line(again) != line) std::abort();
  } catch (const impound::Error&) {
    return 0;  // refused: the expected answer to most inputs
  }
  return 0;
}
