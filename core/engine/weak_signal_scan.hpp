// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Weak signals in the weights of a path or an exhibit, beside a scan of it.

#include <string>

#include "core/compare/delta/weak_signals.hpp"
#include "core/engine/session.hpp"

namespace impound {

/// Reads and looks at the tensors of "E001" (of `case_file`, which may be
/// null), a bundle, folder, file or Hugging Face snapshot.
/// @throws what open_model_side() throws.
[[nodiscard]] WeakSignals weak_signals_of(const std::string& subject,
                                          const CaseFile* case_file,
                                          Progress& progress,
                                          const Cancellation& cancellation);

}  // namespace impound
