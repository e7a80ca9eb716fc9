// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Writes protobuf messages field by field, for ONNX and TensorFlow models.

#include <cstdint>
#include <string>
#include <string_view>

namespace impound::test {

class ProtoWriter {
 public:
  ProtoWriter& number(std::uint32_t field, std::uint64_t value) {
    varint(std::uint64_t{field} << 3U);
    return varint(value);
  }
  ProtoWriter& text(std::uint32_t field, std::string_view value) {
    varint((std::uint64_t{field} << 3U) | 2U);
    varint(value.size());
    out_ += value;
    return *this;
  }
  ProtoWriter& message(std::uint32_t field, const ProtoWriter& value) {
    return text(field, value.out_);
  }
  ProtoWriter& raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return out_; }

 private:
  ProtoWriter& varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>((value & 0x7fU) | 0x80U));
      value >>= 7U;
    }
    out_.push_back(static_cast<char>(value));
    return *this;
  }

  std::string out_;
};

/// onnx.TensorProto of 32-bit floats with its bytes inside.
inline ProtoWriter onnx_tensor(std::string_view name, std::uint64_t elements,
                               std::string_view raw) {
  return ProtoWriter()
      .number(1, elements)
      .number(2, 1)
      .text(8, name)
      .text(9, raw);
}

/// The same with its bytes in another file.
inline ProtoWriter onnx_external(std::string_view name, std::uint64_t elements,
                                 std::string_view location,
                                 std::string_view offset = "0",
                                 std::string_view length = {}) {
  ProtoWriter out;
  out.number(1, elements).number(2, 1).text(8, name);
  const auto entry = [&](std::string_view key, std::string_view value) {
    out.message(13, ProtoWriter().text(1, key).text(2, value));
  };
  entry("location", location);
  entry("offset", offset);
  if (!length.empty()) entry("length", length);
  return out.number(14, 1);
}

inline ProtoWriter onnx_node(std::string_view name, std::string_view op_type,
                             std::string_view domain = {}) {
  ProtoWriter out;
  out.text(1, "x").text(2, "y").text(3, name).text(4, op_type);
  if (!domain.empty()) out.text(7, domain);
  return out;
}

/// onnx.ModelProto around a graph.
inline std::string onnx_model(const ProtoWriter& graph) {
  return ProtoWriter()
      .number(1, 8)
      .text(2, "pytorch")
      .text(3, "2.1")
      .message(7, graph)
      .message(8, ProtoWriter().text(1, "").number(2, 17))
      .bytes();
}

}  // namespace impound::test
