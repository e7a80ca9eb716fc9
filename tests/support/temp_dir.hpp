// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A folder for one test, gone afterwards.

#include <filesystem>
#include <string>
#include <string_view>

namespace impound::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file, with the folders above it, and returns its path.
  std::filesystem::path write(std::string_view name,
                              std::string_view content) const;
  [[nodiscard]] std::string read(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

}  // namespace impound::test
