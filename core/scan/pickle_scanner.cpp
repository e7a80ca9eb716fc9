// SPDX-License-Identifier: Apache-2.0
/// Raw pickles and joblib files.

#include "core/formats/pickle.hpp"
#include "core/formats/torch.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

bool recognise_pickle(const Subject& subject) {
  return !looks_like_legacy_torch(subject.head) &&
         looks_like_pickle(subject.head);
}

void scan_pickle(ScanContext& context, const Subject& subject) {
  scan_pickle_stream(context, subject.source);
}

}  // namespace impound
