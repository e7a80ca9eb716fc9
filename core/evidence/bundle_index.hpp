// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A bundle file taken apart into frames and metadata, before anything in it is
/// believed. The reader and the verifier share it.

#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/source.hpp"
#include "core/evidence/item.hpp"
#include "core/evidence/layout.hpp"
#include "core/storage/frames.hpp"
#include "core/storage/tar.hpp"

namespace impound {

/// A frame and where its content stands in the tar.
struct IndexedFrame {
  FrameEntry entry;
  std::uint64_t tar_offset = 0;
};

/// The frames of a bundle as its own seek table lists them.
struct FrameIndex {
  std::vector<IndexedFrame> frames;  ///< without the pointer frame
  layout::MetaPointer meta;
  std::uint64_t pointer_offset = 0;  ///< in the file
  std::uint64_t table_offset = 0;    ///< in the file
  std::uint64_t tar_size = 0;
};

/// @throws Error{malformed} naming `source`, offset and expectation,
///         Error{unsupported} for another format version, Error{limit}.
[[nodiscard]] FrameIndex read_frame_index(const ByteSource& file,
                                          std::string_view source);

/// The tar inside a bundle as a random-access source that decodes only frames
/// that are touched and keeps the last few. Thread-safe.
class TarSource final : public ByteSource {
 public:
  /// `file` and `index` outlive it.
  TarSource(const ByteSource& file, const FrameIndex& index,
            std::string source);
  ~TarSource() override;

  [[nodiscard]] std::uint64_t size() const override { return index_.tar_size; }
  /// @throws Error{integrity} naming the frame if it does not decode.
  void read(std::uint64_t offset, std::span<std::byte> out) const override;

 private:
  struct Cache;
  void decode(std::size_t frame, std::span<std::byte> out) const;
  [[nodiscard]] std::shared_ptr<const Bytes> fetch(std::size_t frame) const;

  const ByteSource& file_;
  const FrameIndex& index_;
  std::string source_;
  std::unique_ptr<Cache> cache_;
};

/// The headers of the member that begins at `offset`.
/// @throws Error{malformed}, Error{integrity}.
[[nodiscard]] TarHeaders read_tar_headers(const ByteSource& tar,
                                          std::uint64_t offset,
                                          std::string_view source);

/// Everything that is no payload, by name without "./".
using TagMembers = std::map<std::string, std::string, std::less<>>;

/// Reads the metadata members; payload is not touched.
/// @throws Error{malformed}, Error{integrity}, Error{limit}.
[[nodiscard]] TagMembers read_tag_members(const TarSource& tar,
                                          const FrameIndex& index,
                                          std::string_view source);

/// meta/files.jsonl; numbers must run 1, 2, 3 …, names must be unique.
/// @throws Error{malformed} naming `source` and the line.
[[nodiscard]] std::vector<Item> parse_items(std::string_view text,
                                            std::string_view source);
[[nodiscard]] std::vector<Gap> parse_gaps(std::string_view text,
                                          std::string_view source);

}  // namespace impound
