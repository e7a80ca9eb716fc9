// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Where the collector of model files puts what it takes. Written by the
/// collector, read by whoever looks for the model in an exhibit: the record of
/// who took an item tells a model's file from everything else, its name or its
/// neighbours do not.

#include <string_view>

namespace impound {

inline constexpr std::string_view kModelCollector = "model-files";
/// Files of the model lie below it, under their paths in the model.
inline constexpr std::string_view kModelFolder = "model";
/// The collector's own record of where the model came from: no part of it.
inline constexpr std::string_view kModelSourceFolder = "model-source";

}  // namespace impound
