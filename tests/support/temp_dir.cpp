// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temp_dir.hpp"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace impound::test {

namespace fs = std::filesystem;

TempDir::TempDir() {
  std::string name =
      (fs::temp_directory_path() / "impound-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("mkdtemp failed");
  }
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a test may have taken permissions away
  fs::remove_all(path_, ignored);
}

fs::path TempDir::write(std::string_view name, std::string_view content) const {
  const fs::path file = path_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file.string());
  return file;
}

std::string TempDir::read(std::string_view name) const {
  std::ifstream in(path_ / name, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + std::string(name));
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace impound::test
