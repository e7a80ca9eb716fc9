// SPDX-License-Identifier: Apache-2.0
/// Arrays in plain pickles and joblib files: what scikit-learn learnt. The
/// pickle is walked, never run.

#include "core/base/text.hpp"
#include "core/formats/pickle/pickled_arrays.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

/// Nothing is called here, so nothing is judged: that is what scan does. Only
/// an allowed NumpyArrayWrapper is followed to its bytes.
GlobalJudgement judge_nothing(std::string_view /*module*/,
                              std::string_view /*name*/) {
  return {.verdict = GlobalClass::allowed, .rule = {}};
}

}  // namespace

void view_pickle(const WeightsFile& file, FoundTensors& found) {
  PickleOptions options;
  options.judge = judge_nothing;
  options.max_opcodes = 400'000'000;
  PickleMachine machine(file.source, options);
  const PickleRun run = machine.run(0);
  if (!run.has_stopped) {
    found.problems.push_back(
        {"pickle-incomplete", Severity::medium, run.end,
         "the pickle does not end: arrays may be missing here"});
  }
  for (const PickledArray& array :
       pickled_arrays(file.source, machine.heap(), run)) {
    if (!array.missing.empty()) {
      found.unviewed(array.info, array.missing);
      continue;
    }
    ViewTensor view = ViewTensor::in_place(array.info);
    const std::uint64_t swap = array.is_big_endian ? swap_width(view.dtype) : 0;
    const bool is_turned = array.is_fortran && view.shape.size() > 1;
    if (view.size > 0 && (swap > 1 || is_turned)) {
      view.access.emplace().order =
          StridedLayout{.item = traits(view.dtype).block_bits / 8U,
                        .shape = view.shape,
                        .strides = is_turned ? fortran_strides(view.shape)
                                             : row_major_strides(view.shape),
                        .swap = swap};
    }
    found.tensors.push_back(std::move(view));
  }
}

}  // namespace impound
