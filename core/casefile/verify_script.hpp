// SPDX-License-Identifier: Apache-2.0
#pragma once
/// VERIFY.sh: the check that SCHEMA.md lists, with an export's values in it.

#include <cstdint>
#include <string>
#include <vector>

namespace impound {

struct ScriptExhibit {
  std::string id;      ///< "E001"
  std::string bundle;  ///< "E001.tar.zst"
  std::string sha256;
  std::string manifest_sha256;
  std::string tagmanifest_sha256;
};

struct ScriptFacts {
  std::string case_id;
  std::string origin;  ///< first line of every head: "<org>/<case>"
  std::int64_t entries = 0;
  std::string head;
  bool with_exhibits = true;
  bool is_signed = true;  ///< by whoever exports it; else NOT-RECORDED.txt
  std::vector<ScriptExhibit> exhibits;
};

/// A POSIX shell script.
/// @throws Error{integrity} if a value is not of the plain form that a shell
///         cannot misread (they come from a case file, which may be hostile).
[[nodiscard]] std::string verify_script(const ScriptFacts& facts);

}  // namespace impound
