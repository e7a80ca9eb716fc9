// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The sources in a TorchScript archive (code/**.py): which operators and
/// custom classes they use. They look like Python and are run by torch's own
/// interpreter, which knows torch.save().

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// An operator, or a class that native code registered, at its first use.
struct TorchScriptUse {
  std::string name;  ///< "torch.save", "ops.image.read_file",
                     ///< "__torch__.torch.classes.ns.Name", "^function"
  std::uint64_t offset = 0;
  std::uint32_t line = 0;
  std::string text;  ///< the line, trimmed, cut

  static constexpr std::size_t kMaxDistinct = 5000;
};

/// Bytes of one source that are read.
inline constexpr std::size_t kMaxTorchScript = std::size_t{64} << 20U;

/// Distinct names in the order of their first use.
[[nodiscard]] std::vector<TorchScriptUse> read_torchscript(
    std::string_view text);

}  // namespace impound
