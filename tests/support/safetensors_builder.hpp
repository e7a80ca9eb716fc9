// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Makes safetensors files, good ones and broken ones, in memory.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.hpp"
#include "core/formats/tensor.hpp"

namespace impound::test {

/// `header` as it is, behind its length, before `data`.
[[nodiscard]] inline std::string raw_safetensors(std::string_view header,
                                                 std::string_view data) {
  std::string file;
  for (unsigned i = 0; i < 8; ++i) {
    file += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  }
  return file.append(header).append(data);
}

/// A well-formed file, tensor by tensor.
class SafetensorsBuilder {
 public:
  SafetensorsBuilder& metadata(const std::string& key,
                               const std::string& value) {
    header_["__metadata__"][key] = value;
    return *this;
  }
  SafetensorsBuilder& tensor(const std::string& name, Dtype dtype,
                             const std::vector<std::uint64_t>& shape,
                             std::string_view bytes) {
    header_[name] = {
        {"dtype", to_string(dtype)},
        {"shape", shape},
        {"data_offsets", {data_.size(), data_.size() + bytes.size()}}};
    data_ += bytes;
    return *this;
  }
  [[nodiscard]] std::string build() const {
    std::string header = dump_line(header_);
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return raw_safetensors(header, data_);
  }

 private:
  Json header_ = Json::object();
  std::string data_;
};

}  // namespace impound::test
