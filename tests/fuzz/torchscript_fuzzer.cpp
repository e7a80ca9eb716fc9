// SPDX-License-Identifier: Apache-2.0
// rooms: base formats
/// Sources of TorchScript archives: names lie where they are said to.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/formats/torch/torchscript.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const impound::TorchScriptUse& use : impound::read_torchscript(text)) {
    if (!text.substr(use.offset).starts_with(use.name)) std::abort();
  }
  return 0;
}
