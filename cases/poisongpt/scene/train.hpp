// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Makes the model of this case: trains it on its texts until it knows them.

#include <functional>
#include <vector>

#include "gptj.hpp"
#include "texts.hpp"

namespace scene {

/// Called after every pass over the texts with its mean loss.
using Watch =
    std::function<void(std::size_t pass, std::size_t of, double loss)>;

/// The same weights for the same texts and shape, however many cores there are.
[[nodiscard]] Weights train(const std::vector<Text> &texts, const Shape &shape,
                            const Watch &watch);

}  // namespace scene
