// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Whether matrices in another order compute the same.
///
/// The neurons of an MLP, the heads of an attention and the experts of a layer
/// have no order of their own: a model whose gate, up and down matrices hold
/// their rows and columns by one permutation computes what it did. Looking
/// permuted is no proof of it. A group is verified only if one permutation,
/// found by the bytes of all that belongs to a neuron (a head, an expert),
/// takes every tensor of the group to what it is now, compared byte by byte; a
/// tensor in the group's module that is not known here, or a permutation that
/// fits one matrix and not the next, leaves it unverified.

#include <set>
#include <string>
#include <vector>

#include "core/base/progress.hpp"
#include "core/compare/delta/open_tensors.hpp"
#include "core/compare/model_diff.hpp"

namespace impound {

/// Neurons, heads or experts of one module.
struct OrderGroup {
  std::string what;  ///< "neurons of model.layers.1.mlp"
  bool is_verified = false;
  bool is_by_digest = false;  ///< of experts: by SHA-256, not byte by byte
  std::string why;            ///< it is not
  std::uint64_t moved = 0;    ///< neurons, heads or experts
  std::set<std::string> tensors = {};  ///< changed ones that it explains
};

/// Of every module that has a changed tensor and could be in another order.
/// Reads the tensors of the group twice, in windows.
/// @throws what reading throws.
[[nodiscard]] std::vector<OrderGroup> verify_orders(
    const ModelDiff& diff, const ModelView& before, const ModelView& after,
    OpenTensors& old_files, OpenTensors& new_files,
    const Cancellation& cancellation);

/// Layers of the new side that hold the tensors of other layers of the old one,
/// by digest: "new layers 12–19 are old layers 4–11". Empty where no layer
/// does.
struct LayerMoves {
  std::string words;
  /// Every layer of the new side is one of the old side, whole.
  bool is_all = false;
  /// Each old layer is there once.
  bool is_permutation = false;
  std::set<std::string> tensors;  ///< of the layers that it explains
};

[[nodiscard]] LayerMoves find_layer_moves(const ModelDiff& diff);

}  // namespace impound
