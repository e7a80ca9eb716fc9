// SPDX-License-Identifier: Apache-2.0
/// Raw pickles and joblib files.

#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

void scan_pickle(ScanContext& context, const Subject& subject) {
  scan_pickle_stream(context, subject.source);
}

}  // namespace impound
