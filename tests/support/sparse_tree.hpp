// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A Tree over sparse files of any size that live in memory, and count what is
/// read of them.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/holes.hpp"
#include "core/evidence/tree.hpp"

namespace impound::test {

/// Whether whoever reads a file is told where its holes are: a file of which
/// the zeros were written has the same bytes and no holes.
enum class Zeros : std::uint8_t { holes, written };

struct SparseContent {
  std::uint64_t size = 0;
  std::map<std::uint64_t, std::string> data;  ///< by place; they do not touch
  Zeros zeros = Zeros::holes;
};

class SparseContentSource final : public SparseSource {
 public:
  SparseContentSource(const SparseContent& content,
                      std::atomic<std::uint64_t>& read)
      : content_(content), read_(read) {}

  [[nodiscard]] std::uint64_t size() const override { return content_.size; }
  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      throw Error(Errc::malformed, "a read behind the end");
    }
    read_ += out.size();
    std::ranges::fill(out, std::byte{0});
    for (const auto& [at, bytes] : content_.data) {
      const std::uint64_t from = std::max(at, offset);
      const std::uint64_t to = std::min(at + bytes.size(), offset + out.size());
      if (from >= to) continue;
      std::memcpy(out.data() + (from - offset), bytes.data() + (from - at),
                  static_cast<std::size_t>(to - from));
    }
  }
  [[nodiscard]] std::uint64_t next_data(std::uint64_t offset) const override {
    if (content_.zeros == Zeros::written) return std::min(offset, size());
    for (const auto& [at, bytes] : content_.data) {
      if (offset < at + bytes.size()) return std::max(at, offset);
    }
    return size();
  }
  [[nodiscard]] std::uint64_t next_hole(std::uint64_t offset) const override {
    if (content_.zeros == Zeros::written) return size();
    for (const auto& [at, bytes] : content_.data) {
      if (offset < at) return offset;
      if (offset < at + bytes.size()) return at + bytes.size();
    }
    return std::min(offset, size());
  }

 private:
  const SparseContent& content_;
  std::atomic<std::uint64_t>& read_;
};

class SparseTree final : public Tree {
 public:
  explicit SparseTree(std::map<std::string, SparseContent> contents)
      : contents_(std::move(contents)) {
    for (const auto& [name, content] : contents_) {
      TreeFile file;
      file.name = name;
      file.size = content.size;
      file.mode = 0644;
      files_.push_back(file);
    }
  }

  /// Bytes that were read so far, of all files.
  [[nodiscard]] std::uint64_t bytes_read() const { return read_; }

  [[nodiscard]] std::string_view kind() const override { return "folder"; }
  [[nodiscard]] std::string locator() const override { return "/sparse"; }
  [[nodiscard]] const std::vector<TreeFile>& files() const override {
    return files_;
  }
  [[nodiscard]] const std::vector<std::string>& problems() const override {
    return problems_;
  }
  [[nodiscard]] std::unique_ptr<ByteSource> open(
      const TreeFile& file) const override {
    return std::make_unique<SparseContentSource>(contents_.at(file.name),
                                                 read_);
  }

 private:
  std::map<std::string, SparseContent> contents_;
  std::vector<TreeFile> files_;
  std::vector<std::string> problems_;
  mutable std::atomic<std::uint64_t> read_ = 0;
};

}  // namespace impound::test
