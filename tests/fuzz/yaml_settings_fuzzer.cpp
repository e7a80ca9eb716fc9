// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The reader of YAML settings on arbitrary text: it ends, within its bounds.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/formats/settings/yaml_settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  const YamlSettings yaml = read_yaml(text);
  if (yaml.settings.size() > text.size() + 1) std::abort();
  return 0;
}
