// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weak_signal_scan.hpp"

#include "core/engine/model_sides.hpp"

namespace impound {

WeakSignals weak_signals_of(const std::string& subject,
                            const CaseFile* case_file, Progress& progress,
                            const Cancellation& cancellation) {
  constexpr unsigned kAllCores = 0;
  const ModelSide side = open_model_side(subject, case_file);
  const ModelView view = view_side(side, kAllCores, progress, cancellation);
  return find_weak_signals(view, kAllCores, progress, cancellation);
}

}  // namespace impound
