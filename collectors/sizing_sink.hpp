// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A sink for dry runs: counts what a collector would hand in, reads nothing.
/// Of sparse files the data count, not the size that somebody gave them.

#include <cstdint>

#include "core/base/fs.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/sparse_file.hpp"

namespace impound {

class SizingSink final : public EvidenceSink {
 public:
  void file(const FileRequest& request) override {
    const Links links = request.follow_link ? Links::follow : Links::refuse;
    const auto stat = stat_path(request.path, links);
    if (!stat || stat->kind != FileKind::regular) return;
    ++files_;
    if (request.ranges.empty()) {
      bytes_ += bytes_to_take(request.path, links, *stat);
    }
    for (const ByteRange& range : request.ranges) bytes_ += range.length;
  }
  void entry(std::string_view, const std::filesystem::path&) override {}
  void bytes(const BytesRequest& request) override {
    bytes_ += request.content.size();
  }
  void gap(std::string_view, Outcome, std::string_view) override { ++gaps_; }
  [[nodiscard]] bool must_stop() const override { return false; }

  [[nodiscard]] std::uint64_t files_seen() const { return files_; }
  [[nodiscard]] std::uint64_t bytes_seen() const { return bytes_; }
  [[nodiscard]] std::uint64_t gaps_seen() const { return gaps_; }

 private:
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t gaps_ = 0;
};

}  // namespace impound
