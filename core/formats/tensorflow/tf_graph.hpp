// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Gathers the nodes of one TensorFlow graph after the other, from whichever
/// encoding, and follows constant texts to the operators that they reach.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/tensorflow/savedmodel.hpp"

namespace impound {

struct TfNode {
  std::string name;
  std::string op;
  std::vector<std::string> inputs;  ///< as written: "a:0", "^control"
  std::vector<std::string> texts;   ///< text attributes and constant values
  std::uint64_t offset = 0;
};

class TfGraphs {
 public:
  explicit TfGraphs(TfModel& model) : model_(model) {}

  void begin(std::string where);
  void begin_function(const std::string& name);
  void add(TfNode node);
  /// Resolves what the graph's operators are given.
  void end();

  static constexpr std::size_t kMaxInputs = 16;
  static constexpr std::size_t kMaxTexts = 64;     // of one node
  static constexpr std::uint64_t kMaxText = 4096;  // bytes of one text

 private:
  void gather(const std::string& input, int depth,
              std::vector<std::string>& texts, int& budget) const;

  TfModel& model_;
  std::string where_;
  /// Constants and what hands them on: the rest need not be kept.
  std::map<std::string, TfNode, std::less<>> carriers_;
  std::vector<TfNode> reaching_;
};

}  // namespace impound
