// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The numbers of text opcodes (INT, LONG, FLOAT, GET, PUT), as loaders spell
/// them.
///
/// CPython has two unpicklers and they do not agree. Modules/_pickle.c hands a
/// line to strtol(…, 0), PyLong_FromString or strtod, all of which end at a NUL
/// byte; Lib/pickle.py hands it to int() or float(), which take underscores and
/// white space on either side. What either of them goes on with is a number
/// here: a reader that stops where one loader goes on does not see what that
/// loader imports next.
///
///   INT      C: strtol base 0 ("010" is 8, "5\0…" is 5), else as LONG
///            Python: int(line, 0); "00" and "01" are False and True
///   LONG     a last L taken off, then base 0: 0x, 0o, 0b, 1_000
///   FLOAT    C: no white space, no underscore, ends at NUL, 1e999 refused
///            Python: float(line): " 1_0.5 ", "1e999"
///   GET PUT  base 10: " +5", "0_5"; negative ones are refused
///
/// Neither takes Arabic digits (a line is bytes). The limit of 4300 digits that
/// CPython has had since 3.10.7 is not applied: versions without it go on.

#include <cstdint>
#include <string>
#include <string_view>

namespace impound {

struct PickleNumber {
  enum class Kind : std::uint8_t {
    refused,  ///< by every loader
    boolean,
    integer,
    big_integer,  ///< outside of int64
    real,
  };
  Kind kind = Kind::refused;
  /// One of the loaders refuses it.
  bool is_disputed = false;
  std::int64_t integer = 0;
  double real = 0;
  /// GET, PUT: decimal digits of a big_integer, without zeros in front.
  std::string digits;
};

/// What `line`, without its newline, is as the argument of the opcode: one of
/// INT, LONG, FLOAT, GET, PUT.
[[nodiscard]] PickleNumber read_pickle_number(std::uint8_t opcode,
                                              std::string_view line);

}  // namespace impound
