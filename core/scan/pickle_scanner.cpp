// SPDX-License-Identifier: Apache-2.0
/// Raw pickles and joblib files.

#include "core/formats/pickle/pickle.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

bool recognise_pickle(const Subject& subject) {
  if (looks_like_legacy_torch(subject.head)) return false;
  if (looks_like_pickle(subject.head)) return true;
  // A beginning that was broken on purpose: what follows may be read by
  // somebody who knows where it is.
  if (subject.head.size() < 2 ||
      std::to_integer<int>(subject.head[0]) != 0x80 ||
      std::to_integer<int>(subject.head[1]) > 5) {
    return false;
  }
  const SpanSource head(subject.head);
  return !find_pickles(head, PickleOptions{.max_opcodes = 100'000}, 2)
              .runs.empty();
}

void scan_pickle(ScanContext& context, const Subject& subject) {
  scan_pickle_stream(context, subject.source);
}

}  // namespace impound
