// SPDX-License-Identifier: Apache-2.0
#pragma once
/// ONNX models (onnx.proto3): tensors wherever they stand, data in other
/// files, operators that are not ONNX's own.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// Where an external tensor says its bytes are.
struct OnnxExternal {
  std::string location;  ///< as written
  std::optional<std::uint64_t> offset;
  std::optional<std::uint64_t> length;
  std::string checksum;
};

/// Numbers in a field of their own type instead of raw_data.
struct OnnxTyped {
  std::uint32_t field = 0;  ///< 4 float_data, 5 int32_data, 6 string_data, …
  std::uint64_t offset = 0;
  std::uint64_t size = 0;    ///< bytes, packed
  std::uint64_t pieces = 0;  ///< one if they stand together
  bool is_packed = true;     ///< false: each number has its own tag
};

struct OnnxTensor {
  TensorInfo info;        ///< offset and size of raw_data; 0 if it has none
  std::int64_t type = 0;  ///< TensorProto.DataType
  std::string where;      ///< "graph", "graph/loop_1.body", "function f" …
  std::optional<std::uint64_t> expected;  ///< bytes that type and shape need
  std::optional<OnnxExternal> external;
  std::optional<OnnxTyped> typed;
};

/// An operator from a domain that is not ONNX's or ONNX Runtime's.
struct OnnxCustomOp {
  std::string domain;
  std::string op_type;
  std::string first_node;  ///< name of the first node that uses it
  std::uint64_t offset = 0;
  std::uint64_t count = 0;
  bool is_python = false;  ///< runs Python: PythonOp, PyOp …
};

struct OnnxModel {
  std::uint64_t ir_version = 0;
  std::string producer;                         ///< name and version
  std::map<std::string, std::uint64_t> opsets;  ///< domain → version
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::uint64_t> operators;  ///< "domain::type" → count
  std::vector<OnnxTensor> tensors;
  std::vector<OnnxCustomOp> custom_ops;
  std::uint64_t nodes = 0;
  std::uint64_t functions = 0;
  bool complete = false;
  Problems problems;  ///< "onnx-…"
};

inline constexpr std::size_t kMaxOnnxTensors = 1'000'000;

/// True if the top level is that of a ModelProto; reads only the tags.
[[nodiscard]] bool is_onnx(const ByteSource& source);

/// @throws only what source.read() throws.
[[nodiscard]] OnnxModel read_onnx(const ByteSource& source);

/// What is wrong with an external location as text: absolute, drive, UNC, a
/// ".." component under either separator. Empty if it stays in the folder.
[[nodiscard]] std::optional<Problem> check_external_location(
    std::string_view location, std::uint64_t offset);

/// Number type of a TensorProto.DataType.
[[nodiscard]] Dtype onnx_dtype(std::int64_t type) noexcept;

}  // namespace impound
