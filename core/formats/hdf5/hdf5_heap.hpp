// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Fractal heaps of HDF5 with the version 2 B-tree that lists their objects:
/// where a group keeps many links, and an object many or large attributes. HDF5
/// File Format Specification 3.0, III.A.2 and III.G.

#include <functional>

#include "core/formats/hdf5/hdf5_layout.hpp"

namespace impound {

/// Calls `visit` for every object of the fractal heap at address `heap` that
/// the B-tree at address `index` lists; `type` becomes the type of the
/// messages.
/// @return false if not everything was reached: damage, filters, the bound on
/// steps.
[[nodiscard]] bool visit_hdf5_heap(
    Hdf5Layout& layout, std::uint64_t heap, std::uint64_t index,
    Hdf5Message::Type type,
    const std::function<void(const Hdf5Message&)>& visit);

}  // namespace impound
