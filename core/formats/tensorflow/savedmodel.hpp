// SPDX-License-Identifier: Apache-2.0
#pragma once
/// TensorFlow graphs: SavedModel and frozen GraphDef, binary and as text.
/// Operators in all graphs and functions that reach beyond computing, with the
/// constant texts that reach them.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/problem.hpp"

namespace impound {

/// What an operator reaches for.
enum class TfReach : std::uint8_t {
  none,
  file_read,
  file_write,
  checkpoint,  ///< save and restore: ordinary, unless the path is constant
  table_file,  ///< a lookup table from a file: ordinary for assets
  python,      ///< calls back into Python
  process,     ///< would start programs
  print,       ///< ordinary, unless it prints into a file
  debug,       ///< sends values to an address
  custom,      ///< from a library that is not TensorFlow: "Package>Op"
};

[[nodiscard]] TfReach tf_reach(std::string_view op) noexcept;

/// One node with a reach.
struct TfUse {
  TfReach reach = TfReach::none;
  std::string op;
  std::string node;
  std::string where;  ///< "graph" or "function f"
  std::uint64_t offset = 0;
  /// Constant texts that come in (paths, contents), and text attributes.
  std::vector<std::string> texts;
};

struct TfModel {
  std::map<std::string, std::uint64_t> operators;  ///< op → count
  /// Functions of the library: a node may name one as its operator.
  std::set<std::string, std::less<>> function_names;
  std::vector<TfUse> uses;
  std::vector<std::string> assets;    ///< asset_file_def[].filename
  std::vector<std::string> init_ops;  ///< names of what runs at load
  std::uint64_t nodes = 0;
  std::uint64_t functions = 0;
  bool complete = false;
  Problems problems;  ///< "savedmodel-…"
};

enum class TfKind : std::uint8_t {
  none,
  saved_model,
  graph,
  saved_model_text,
  graph_text,
};

/// Decides by content; reads little.
[[nodiscard]] TfKind recognise_tensorflow_file(const ByteSource& source);

/// @throws only what source.read() throws.
[[nodiscard]] TfModel read_tensorflow(const ByteSource& source, TfKind kind);

/// Bytes of a text graph that are read; a larger one is incomplete.
inline constexpr std::uint64_t kMaxTfText = 256ULL * 1024 * 1024;

}  // namespace impound
