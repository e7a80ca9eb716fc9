// SPDX-License-Identifier: Apache-2.0
#pragma once
/// PyTorch checkpoints: zip (1.6 and later, TorchScript too), five pickles in a
/// row, tar. Which tensors they hold and where, and whether sizes agree.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/formats/pickle/pickle.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// A storage that the pickle refers to.
struct TorchStorage {
  std::string key;
  Dtype dtype = Dtype::unknown;
  std::uint64_t count = 0;      ///< elements
  std::uint64_t item_size = 0;  ///< bytes; 0 if the type is unknown
  std::uint64_t offset = 0;     ///< of its bytes in the file
  std::uint64_t size = 0;       ///< bytes that stand there
  bool is_present = false;
  bool is_plain = true;  ///< its bytes stand in the file unpacked
};

/// A tensor by the path of keys under which the pickle holds it
/// ("model.layers.0.weight").
struct TorchTensor {
  /// size: bytes of its elements; offset: of the first of them in the file, or
  /// in the storage where the storage is packed. Meaningful if is_inside.
  TensorInfo info;
  std::vector<std::uint64_t> strides;  ///< in elements
  std::string storage;                 ///< key of its storage
  std::uint64_t span = 0;  ///< bytes from its first to its last element
  /// Every element lies in a storage that is there.
  bool is_inside = false;
  /// Row-major without gaps, and its bytes stand in the file as they are.
  bool is_readable = false;
  std::string missing;  ///< why it is not is_inside
  /// Of a quantised tensor: scheme, scale and zero point as the pickle has
  /// them. Scales that are tensors are tensors of their own.
  std::string quantiser;
};

struct TorchFile {
  enum class Container : std::uint8_t { zip, legacy, tar };
  Container container = Container::zip;
  std::string root;  ///< folder of a zip: "archive"
  bool is_big_endian = false;
  bool is_torchscript = false;
  bool is_complete = true;  ///< its object pickle was walked to its end
  std::vector<TorchStorage> storages;
  std::vector<TorchTensor> tensors;
  /// Where its pickles are: in the file for legacy, in members else.
  std::vector<PickleRun> runs;  ///< legacy only
  std::uint64_t end = 0;        ///< behind the last byte that is accounted for
  Problems problems;
};

/// The 14 bytes with which the five-pickle form begins (magic number pickle).
[[nodiscard]] bool looks_like_legacy_torch(ByteView head);

/// Whether the members are those of a torch zip: <root>/data.pkl.
/// @return the root folder.
[[nodiscard]] std::optional<std::string> torch_zip_root(
    const ZipArchive& archive);

/// Reads a torch zip: its object pickle, storages and tensors. No weights are
/// read.
[[nodiscard]] TorchFile read_torch_zip(const ByteSource& source,
                                       const ZipArchive& archive,
                                       const PickleOptions& options);

/// Reads the five-pickle form.
[[nodiscard]] TorchFile read_torch_legacy(const ByteSource& source,
                                          const PickleOptions& options);

}  // namespace impound
