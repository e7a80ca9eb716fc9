// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Tensors of a view as numbers that can be measured: opened, decoded, in the
/// order of the other side.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/compare/delta/code_grid.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/compare/tensor_diff.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// A tensor and everything it is read through.
struct OpenTensor {
  std::shared_ptr<ByteSource> file;
  std::unique_ptr<TensorStream> stream;
  // Of a weight that several tensors hold (packed_weights.hpp).
  std::unique_ptr<ByteSource> decoded;
  std::shared_ptr<const CodeGrid> grid;
  TensorBytes bytes;
  bool is_in_place = true;  ///< offsets are those of its file
};

/// The files of one side, each opened once and kept open while a tensor of it
/// is: a model of a thousand files does not run out of descriptors.
class OpenTensors {
 public:
  explicit OpenTensors(const ModelView& view) : view_(view) {}

  /// @throws Error{malformed}, Error{unsupported}, Error{io}.
  [[nodiscard]] OpenTensor open(const ViewTensor& tensor,
                                const std::optional<StridedLayout>& order);

 private:
  const ModelView& view_;
  std::map<std::string, std::shared_ptr<ByteSource>> sources_;
};

/// Both sides of a change in one order.
struct OpenPair {
  OpenTensor before;
  OpenTensor after;
  /// What was done to the order; empty where nothing was, or where the numbers
  /// fit better as they stand (a file that was not reordered when it was made).
  std::optional<TensorReorder> reorder;
};

[[nodiscard]] OpenPair open_pair(const TensorChange& change,
                                 OpenTensors& before, OpenTensors& after);

/// Numbers as they are after being quantised and decoded: what an unedited
/// tensor of a quantised file holds. `numbers` outlives the source.
/// Precondition: has_one_quantiser(through), rows of whole blocks.
[[nodiscard]] std::unique_ptr<ByteSource> requantised(
    const TensorBytes& numbers, Dtype through);

}  // namespace impound
