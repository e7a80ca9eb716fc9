// SPDX-License-Identifier: Apache-2.0
/// NumPy arrays: an array of objects is a pickle.

#include "core/formats/numpy/numpy.hpp"

#include "core/scan/pickle_report.hpp"
#include "core/scan/scanners.hpp"

namespace impound {

void scan_numpy(ScanContext& context, const Subject& subject) {
  const NumpyArray array = read_numpy(subject.source);
  context.add_problems(array.problems);
  const std::uint64_t size = subject.source.size();
  const std::uint64_t body = array.info.offset;
  if (body >= size) {
    // An array of no objects has a pickle too.
    if (array.has_objects) {
      context.report("numpy-truncated", Severity::medium, size,
                     "an array of objects without its pickle");
    }
    return;
  }
  if (array.has_objects || !array.is_understood) {
    const SubSource rest(subject.source, body, size - body);
    const ScanFinding finding{
        .rule = "numpy-objects",
        .severity = Severity::low,
        .offset = body,
        .member = {},
        .message = "an array of objects: allow_pickle=True runs its pickle",
        .evidence = {},
        .atlas = {}};
    context.add(finding);
    scan_pickle_stream(context, rest);
    return;
  }
  const std::uint64_t end = body + array.info.size;
  if (end < size) {
    const SubSource rest(subject.source, end, size - end);
    scan_pickle_rest(context, rest, end);
  }
}

}  // namespace impound
