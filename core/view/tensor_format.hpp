// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One reader per model format: which tensors and texts a file holds and where
/// their bytes are. What a file is, core/formats/recognise.hpp decides, for
/// scanning and comparing alike; no reader touches the bytes of weights.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/formats/packed/zip.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/safetensors/safetensors.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// A file whose tensors are looked for.
struct WeightsFile {
  const ByteSource& source;
  ByteView head;          ///< its first bytes, as FormatSubject has them
  std::string_view path;  ///< in the view
};

/// What one file contributes to a view. ViewTensor::file is set by the view.
struct FoundTensors {
  std::string_view format;  ///< "GGUF", "PyTorch zip": for people
  std::vector<ViewTensor> tensors;
  std::vector<ViewMetadata> metadata;
  Problems problems;

  /// A tensor that is there but whose bytes cannot be viewed: said, not shown.
  void unviewed(const TensorInfo& tensor, std::string_view why);
  /// Those that matter to a comparison; `impound scan` tells all of them.
  void add_problems(const Problems& found);
  void add_text(std::string key, std::string type, std::string value);
};

struct TensorFormat {
  Format format;
  std::string_view name;  ///< for people
  void (*read)(const WeightsFile& file, FoundTensors& found);
};

/// Every format whose tensors can be viewed. Of a file that is several, the
/// first one here is.
[[nodiscard]] std::span<const TensorFormat> tensor_formats();
/// The reader for a format; nullptr where there is none.
[[nodiscard]] const TensorFormat* find_tensor_format(Format format);

// view_<format>.cpp, one each.
#define IMPOUND_VIEW_view(id) \
  void view_##id(const WeightsFile& file, FoundTensors& found);
#define IMPOUND_VIEW_no_view(id)
#define IMPOUND_FORMAT(id, name, kind, role, view, ...) IMPOUND_VIEW_##view(id)
#include "core/formats/formats.inc"
#undef IMPOUND_FORMAT
#undef IMPOUND_VIEW_view
#undef IMPOUND_VIEW_no_view

// Members of a zip, told apart by view_zip().
void view_torch_members(const WeightsFile& file, const ZipArchive& archive,
                        FoundTensors& found);
/// @return whether any member was an array.
bool view_npz(const WeightsFile& file, const ZipArchive& archive,
              FoundTensors& found);
/// @return whether any member was an HDF5 file.
bool view_keras_zip(const WeightsFile& file, const ZipArchive& archive,
                    FoundTensors& found);

/// Bytes that are reversed to make numbers of a big-endian type little-endian:
/// half of a complex number; 0 where there is nothing to reverse.
[[nodiscard]] std::uint64_t swap_width(Dtype dtype);
/// The order of elements that stand without gaps but in the other byte order.
[[nodiscard]] StridedLayout swapped_layout(const TensorInfo& tensor);

}  // namespace impound
