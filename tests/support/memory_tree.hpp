// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Tree over files that live in memory.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/evidence/tree.hpp"

namespace impound::test {

class MemoryTree final : public Tree {
 public:
  using Files = std::map<std::string, std::string>;

  explicit MemoryTree(Files files, std::string kind = "folder",
                      std::string locator = "/memory")
      : contents_(std::move(files)),
        kind_(std::move(kind)),
        locator_(std::move(locator)) {
    for (const auto& [name, content] : contents_) {
      TreeFile file;
      file.name = name;
      file.size = content.size();
      file.mode = 0644;
      files_.push_back(file);
    }
  }

  /// Something that belongs here and could not be read.
  void add_lack(const std::string& path, const std::string& why) {
    lacks_.push_back({path, why});
  }
  [[nodiscard]] const std::vector<TreeLack>& lacks() const override {
    return lacks_;
  }

  /// A symbolic link, kept in order.
  void add_link(const std::string& name, const std::string& target) {
    TreeFile file;
    file.name = name;
    file.kind = FileKind::symlink;
    file.mode = 0777;
    file.link_target = target;
    files_.insert(std::lower_bound(files_.begin(), files_.end(), file,
                                   [](const TreeFile& a, const TreeFile& b) {
                                     return a.name < b.name;
                                   }),
                  file);
  }
  /// An exhibit's side that is one of its items.
  void be_one_item() { is_one_item_ = true; }
  /// Reading it fails from now on.
  void break_file(const std::string& name) { broken_ = name; }
  [[nodiscard]] TreeFile& file(const std::string& name) {
    for (TreeFile& each : files_) {
      if (each.name == name) return each;
    }
    throw Error(Errc::bad_input, "no file " + name);
  }

  [[nodiscard]] std::string_view kind() const override { return kind_; }
  [[nodiscard]] bool is_one_file() const override {
    return kind_ == "file" || is_one_item_;
  }
  [[nodiscard]] std::string locator() const override { return locator_; }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    if (file.name == broken_) throw Error(Errc::io, file.name + ": I/O error");
    return std::make_unique<SpanSource>(as_bytes(contents_.at(file.name)));
  }

 private:
  std::map<std::string, std::string> contents_;
  std::string kind_;
  std::string locator_;
  std::string broken_;
  bool is_one_item_ = false;
  std::vector<TreeFile> files_;
  std::vector<TreeLack> lacks_;
  std::vector<std::string> problems_;
};

}  // namespace impound::test
