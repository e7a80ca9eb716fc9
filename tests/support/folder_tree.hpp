// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Tree over files in memory or in a folder, for tests of what reads trees.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fs.hpp"
#include "core/evidence/tree.hpp"

namespace impound::test {

/// Files given as names and contents.
class BytesTree final : public Tree {
 public:
  explicit BytesTree(std::map<std::string, std::string> contents)
      : contents_(std::move(contents)) {
    for (const auto& [name, content] : contents_) {
      TreeFile file;
      file.name = name;
      file.size = content.size();
      files_.push_back(std::move(file));
    }
  }

  [[nodiscard]] std::string_view kind() const override { return "folder"; }
  [[nodiscard]] std::string locator() const override { return "memory"; }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    return std::make_unique<SpanSource>(as_bytes(contents_.at(file.name)));
  }

 private:
  std::map<std::string, std::string> contents_;
  std::vector<TreeFile> files_;
  std::vector<std::string> problems_;
};

/// The regular files below a folder.
class FolderTree final : public Tree {
 public:
  explicit FolderTree(fs::path root) : root_(std::move(root)) {
    if (fs::is_regular_file(root_)) {
      add(root_.filename().string(), fs::file_size(root_));
      root_ = root_.parent_path();
      return;
    }
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (!entry.is_regular_file()) continue;
      add(fs::relative(entry.path(), root_).string(), entry.file_size());
    }
    std::sort(
        files_.begin(), files_.end(),
        [](const TreeFile& a, const TreeFile& b) { return a.name < b.name; });
  }

  [[nodiscard]] std::string_view kind() const override { return "folder"; }
  [[nodiscard]] std::string locator() const override { return root_.string(); }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    return open_source(root_ / file.name);
  }

 private:
  void add(std::string name, std::uint64_t size) {
    TreeFile file;
    file.name = std::move(name);
    file.size = size;
    files_.push_back(std::move(file));
  }

  fs::path root_;
  std::vector<TreeFile> files_;
  std::vector<std::string> problems_;
};

}  // namespace impound::test
