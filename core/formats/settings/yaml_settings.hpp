// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A YAML document as the settings in it, one after the other.
///
/// The parser's events are taken, not its tree: an alias is an alias, so that
/// a document that names its own parts a billion times costs what it weighs.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace impound {

/// The tag of a value that is an alias of a list or a mapping.
inline constexpr const char* kYamlAlias = "*";

/// One scalar, or the tag of a list or a mapping.
struct YamlSetting {
  std::string path;  ///< "model.encoder[2]._target_"
  std::string key;   ///< the last key of the path; "" at the top
  std::string
      tag;  ///< "!!python/object:os.system", "!" or "?": none of its own
  std::string value;  ///< of a scalar
  std::uint64_t offset = 0;
  std::uint64_t line = 0;  ///< from 1
  bool is_scalar = true;
};

struct YamlSettings {
  std::vector<YamlSetting> settings;
  std::string problem;  ///< why it was not read to its end; "" = it was
  std::uint64_t problem_offset = 0;
};

/// Bytes of one document, settings kept of it, and levels of nesting.
inline constexpr std::size_t kMaxYaml = std::size_t{8} << 20U;
inline constexpr std::size_t kMaxYamlSettings = 500'000;
inline constexpr std::size_t kMaxYamlDepth = 100;

/// All documents of a stream. Never throws for anything in `text`.
[[nodiscard]] YamlSettings read_yaml(std::string_view text);

}  // namespace impound
