// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which names a pickle may import: the lists of the scanner, as data.

#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/json.hpp"
#include "core/formats/pickle/pickle_heap.hpp"

namespace impound {

/// Names of one module. `module` may end in ".*": all its submodules too.
/// `names` are separated by blanks; "*" stands for every name.
struct NameList {
  std::string_view module;
  std::string_view names;
};

/// torch/_weights_only_unpickler.py: what weights_only=True accepts.
[[nodiscard]] std::span<const NameList> weights_only_names();
/// Names that ordinary checkpoints import and that do no harm when called.
[[nodiscard]] std::span<const NameList> allowed_names();
/// Class names of scikit-learn and torch.nn: allowed in any of their modules,
/// because those move between releases.
[[nodiscard]] std::span<const NameList> library_classes();
/// Code execution, files, network, processes, or a way around a scanner.
[[nodiscard]] std::span<const NameList> dangerous_names();
/// Names that are dangerous in whatever module they are found.
[[nodiscard]] std::string_view dangerous_anywhere();

/// The judgement of a name as Python would look it up.
[[nodiscard]] GlobalJudgement judge_global(std::string_view module,
                                           std::string_view name);

/// Whether getattr() of these is what ordinary checkpoints write: members of
/// enumerations, and the static methods on a list.
[[nodiscard]] bool is_known_attribute(std::string_view class_name,
                                      std::string_view attribute);

/// {"weights_only":{module:[names]}, "allowed":…, "dangerous":…}.
[[nodiscard]] Json lists_to_json();

}  // namespace impound
