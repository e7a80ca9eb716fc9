// SPDX-License-Identifier: Apache-2.0
// rooms: base formats
/// Python sources and JSON of model folders: no crash, no endless loop, and
/// nothing longer than what came in.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/formats/python_source.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const impound::PythonSource source = impound::read_python_source(text);
  if (source.calls.size() > impound::PythonSource::kMaxCalls ||
      source.lines > size + 1) {
    std::abort();
  }
  for (const impound::PythonCall& call : source.calls) {
    if (call.offset >= size || call.text.size() > size) std::abort();
  }
  return 0;
}
