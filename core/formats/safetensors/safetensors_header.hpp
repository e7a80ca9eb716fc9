// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The JSON header of a safetensors file, parsed event by event so that
/// duplicate keys and wrong types are seen before anything is built from them.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/formats/problem.hpp"
#include "core/formats/tensor.hpp"

namespace impound {

/// Problems up to a bound: a hostile file breaks a rule a million times.
class ProblemList {
 public:
  explicit ProblemList(Problems& out) : out_(out) {}

  void add(std::string_view rule, Severity severity, std::uint64_t offset,
           std::string message);
  /// Says how many were left out, if any were.
  void finish();

 private:
  static constexpr std::size_t kMost = 1000;
  Problems& out_;
  std::uint64_t left_out_ = 0;
  Severity worst_left_out_ = Severity::info;
};

/// One entry as the header states it: nothing is checked against the file yet.
struct HeaderTensor {
  std::string name;
  Dtype dtype = Dtype::unknown;
  std::string dtype_text;  ///< as written
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  ///< data_offsets[0]
  std::uint64_t end = 0;
};

struct HeaderContent {
  std::vector<HeaderTensor> tensors;  ///< those with all three fields usable
  std::vector<std::pair<std::string, std::string>> metadata;
  bool is_complete = false;  ///< the JSON text was read to its end
};

/// Parses `header` (the N bytes at offset 8 of the file).
[[nodiscard]] HeaderContent parse_safetensors_header(std::string_view header,
                                                     ProblemList& problems);

}  // namespace impound
