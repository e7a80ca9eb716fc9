// SPDX-License-Identifier: Apache-2.0
/// Arrays of .npy files and .npz archives. A packed member is unpacked as it is
/// read, in bounded memory.

#include <fmt/format.h>

#include "core/base/text.hpp"
#include "core/formats/numpy/numpy.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

/// `shift` is where the array begins in the file.
void add_array(const NumpyArray& array, const std::string& name,
               std::uint64_t shift, const ZipMember* packed,
               FoundTensors& found) {
  TensorInfo info = array.info;
  info.name = name;
  info.offset += shift;
  if (!array.is_understood) {
    return found.unviewed(info, "its header is not understood");
  }
  if (array.has_objects) {
    return found.unviewed(info, "its elements are Python objects, a pickle");
  }
  const auto size = tensor_bytes(info.dtype, info.shape);
  if (!size || info.dtype == Dtype::unknown) {
    return found.unviewed(
        info, "its type " + printable(array.descr) + " is no number");
  }
  if (*size != info.size) return found.unviewed(info, "it is cut off");
  ViewTensor view = ViewTensor::in_place(std::move(info));
  if (packed != nullptr) view.access.emplace().member = *packed;
  const std::uint64_t swap = array.is_big_endian ? swap_width(view.dtype) : 0;
  if (view.size > 0 &&
      (swap > 1 || (array.is_fortran && view.shape.size() > 1))) {
    if (!view.access) view.access.emplace();
    view.access->order = StridedLayout{
        .item = array.item_size,
        .shape = view.shape,
        .strides = array.is_fortran ? fortran_strides(view.shape)
                                    : row_major_strides(view.shape),
        .swap = swap};
  }
  found.tensors.push_back(std::move(view));
}

}  // namespace

void view_numpy(const WeightsFile& file, FoundTensors& found) {
  const NumpyArray array = read_numpy(file.source);
  found.add_problems(array.problems);
  std::string name(file.path.substr(file.path.rfind('/') + 1));
  if (name.ends_with(".npy")) name.resize(name.size() - 4);
  add_array(array, name, 0, nullptr, found);
}

bool view_npz(const WeightsFile& file, const ZipArchive& archive,
              FoundTensors& found) {
  bool is_npz = false;
  for (const ZipMember& member : archive.members) {
    if (member.is_folder || !member.has_header) continue;
    std::string name = member.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    // The header first: a member that is no array is not unpacked.
    ZipContent head = open_zip_member(file.source, member, 4096);
    if (head.source == nullptr || !looks_like_numpy(head.source->head(0, 8))) {
      if (head.source == nullptr && member.name.ends_with(".npy")) {
        found.unviewed({.name = name,
                        .dtype = Dtype::unknown,
                        .shape = {},
                        .offset = member.data_offset,
                        .size = 0},
                       "its member cannot be unpacked");
      }
      continue;
    }
    is_npz = true;
    if (head.is_stored) {
      const NumpyArray array = read_numpy(*head.source);
      found.add_problems(array.problems);
      add_array(array, name, member.data_offset, nullptr, found);
      continue;
    }
    // Of the size that the member announces, with only its front at hand.
    class Front final : public ByteSource {
     public:
      Front(const ByteSource& front, std::uint64_t size)
          : front_(front), size_(size) {}
      [[nodiscard]] std::uint64_t size() const override { return size_; }
      void read(std::uint64_t offset, std::span<std::byte> out) const override {
        front_.read(offset, out);
      }

     private:
      const ByteSource& front_;
      std::uint64_t size_;
    };
    const std::uint64_t front = head.source->size();
    const Front whole(*head.source, std::max(front, member.size));
    try {
      const NumpyArray array = read_numpy(whole);
      found.add_problems(array.problems);
      add_array(array, name, 0, &member, found);
    } catch (const Error& error) {
      found.unviewed({.name = name,
                      .dtype = Dtype::unknown,
                      .shape = {},
                      .offset = member.data_offset,
                      .size = 0},
                     error.what());
    }
  }
  if (is_npz) found.format = "NumPy archive";
  return is_npz;
}

}  // namespace impound
