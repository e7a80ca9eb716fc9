// SPDX-License-Identifier: Apache-2.0
/// Datasets of HDF5 files (.h5, and model.weights.h5 inside a .keras file)
/// whose bytes stand together. Chunks are named and not read.

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "core/formats/hdf5/hdf5.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

/// `shift` is where the HDF5 file begins in the file of the view.
void add_datasets(const Hdf5File& file, std::uint64_t shift,
                  FoundTensors& found) {
  found.add_problems(file.problems);
  if (!file.groups_read) {
    found.problems.push_back(
        {"hdf5-incomplete", Severity::medium, shift,
         "not every group could be walked: datasets may be missing here"});
  }
  for (const Hdf5Dataset& set : file.datasets) {
    TensorInfo info = set.info;
    if (info.name.starts_with('/')) info.name.erase(0, 1);
    info.offset += shift;
    if (!set.missing.empty()) {
      // Texts and tables beside the weights are not tensors.
      if (set.is_number || info.dtype != Dtype::unknown) {
        found.unviewed(info, printable(set.missing));
      }
      continue;
    }
    ViewTensor view = ViewTensor::in_place(std::move(info));
    if (set.is_big_endian && swap_width(view.dtype) > 1 && view.size > 0) {
      view.access.emplace().order = swapped_layout(set.info);
    }
    found.tensors.push_back(std::move(view));
  }
}

}  // namespace

void view_hdf5(const WeightsFile& file, FoundTensors& found) {
  add_datasets(read_hdf5(file.source), 0, found);
}

bool view_keras_zip(const WeightsFile& file, const ZipArchive& archive,
                    FoundTensors& found) {
  bool has_weights = false;
  for (const ZipMember& member : archive.members) {
    if (member.is_folder || !member.has_header) continue;
    const ZipContent content = open_zip_member(file.source, member, 4096);
    std::uint64_t offset = 0;
    if (content.source == nullptr || !find_hdf5(*content.source, offset)) {
      continue;
    }
    has_weights = true;
    if (!content.is_stored) {
      found.problems.push_back(
          {"tensor-not-viewed", Severity::medium, member.data_offset,
           fmt::format("{} is packed: its datasets are not compared",
                       printable(member.name))});
      continue;
    }
    const std::uint64_t size = file.source.size();
    if (member.data_offset > size || member.size > size - member.data_offset) {
      found.problems.push_back({"tensor-not-viewed", Severity::medium,
                                member.header_offset,
                                printable(member.name) + " is cut off"});
      continue;
    }
    const SubSource inner(file.source, member.data_offset, member.size);
    add_datasets(read_hdf5(inner), member.data_offset, found);
  }
  if (has_weights) found.format = "Keras";
  return has_weights;
}

}  // namespace impound
