// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a Python source imports and calls, and which of it runs when it is only
/// imported. Lines, strings, comments and blocks are followed; nothing is
/// evaluated, so what a name stands for is what it is called here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// A call that no modelling code needs.
struct PythonCall {
  enum class Reach : std::uint8_t {
    program,  ///< starts another program
    code,     ///< runs text or bytes as code, loads native code
    network,  ///< talks to another machine
    unpack,   ///< unpickles or decodes what may be code
  };
  Reach reach = Reach::program;
  std::string name;  ///< "os.system"
  std::uint32_t line = 0;
  std::uint64_t offset = 0;  ///< of the line
  bool at_import = false;    ///< outside of every function
  std::string text;          ///< the line, trimmed, cut
};

struct PythonSource {
  std::vector<std::string> imports;  ///< modules by their first name, sorted
  std::vector<PythonCall> calls;     ///< at most kMaxCalls
  std::uint32_t lines = 0;
  bool is_cut = false;  ///< longer than is read

  static constexpr std::size_t kMaxCalls = 200;
  static constexpr std::size_t kMaxImports = 200;
  /// Bytes of a source that are looked at: the largest modelling files have
  /// half a megabyte.
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20U;
};

[[nodiscard]] PythonSource read_python_source(std::string_view text);

}  // namespace impound
