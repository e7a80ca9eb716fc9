// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A sealed bundle taken apart, to be put together again otherwise: frames,
/// checksums, table and pointer are right whatever the metadata say, so that
/// only the check that a test is about can tell.

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/layout.hpp"
#include "core/storage/frames.hpp"
#include "core/storage/tar.hpp"

namespace impound::test {

class ForgedBundle {
 public:
  explicit ForgedBundle(std::filesystem::path bundle)
      : path_(std::move(bundle)) {
    const auto file = open_source(path_);
    const FrameIndex index = read_frame_index(*file, "bundle");
    const TarSource tar(*file, index, "bundle");
    payload = tar.head(0, index.meta.tar_offset);
    for (std::uint64_t at = index.meta.tar_offset;
         !is_zero_block(tar.head(at, kTarBlock));) {
      const TarHeaders headers = read_tar_headers(tar, at, "bundle");
      const std::uint64_t size = headers.member.size;
      const Bytes content = tar.head(at + headers.size, size);
      tags.emplace_back(headers.member, std::string(as_text(content)));
      at += headers.size + size + tar_padding(size);
    }
  }

  /// The content of a metadata member, "bag-info.txt".
  std::string& tag(std::string_view name) {
    for (auto& [member, content] : tags) {
      if (member.name == std::string(layout::kRoot) + std::string(name)) {
        return content;
      }
    }
    throw Error(Errc::bad_input, "no member " + std::string(name));
  }
  /// Makes the tag manifest say what the other members are.
  void list_tags_anew() {
    std::vector<std::pair<std::string, Digest>> lines;
    for (const auto& [member, content] : tags) {
      const std::string name = member.name.substr(layout::kRoot.size());
      if (name != layout::kTagManifest) {
        lines.emplace_back(name, sha256(content));
      }
    }
    tag(layout::kTagManifest) = layout::manifest_text(std::move(lines));
  }

  /// Writes it over the bundle that it was.
  void write() {
    file_.clear();
    entries_.clear();
    if (begins_empty) add_frame({});
    add_frames(payload);
    layout::MetaPointer meta;
    meta.first_frame = static_cast<std::uint32_t>(entries_.size());
    meta.tar_offset = payload.size();
    Bytes tar;
    for (auto& [member, content] : tags) {
      member.size = content.size();
      append(tar, encode_tar_headers(member, 0));
      append(tar, as_bytes(content));
      tar.resize(tar.size() + tar_padding(content.size()));
    }
    tar.resize(tar.size() + layout::kTarEnd);
    add_frames(tar);
    meta.tar_size = payload.size() + tar.size();
    if (edit_pointer) edit_pointer(meta);
    const Bytes pointer = layout::encode_pointer(meta);
    entries_.push_back({.offset = file_.size(),
                        .stored = static_cast<std::uint32_t>(pointer.size()),
                        .content = 0,
                        .checksum = 0});
    append(file_, pointer);
    append(file_, encode_seek_table(entries_));
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(as_text(file_).data(),
               static_cast<std::streamsize>(file_.size()));
  }

  Bytes payload;  ///< the tar up to the metadata
  std::vector<std::pair<TarMember, std::string>> tags;
  std::function<void(layout::MetaPointer&)> edit_pointer;
  bool begins_empty = false;  ///< a frame that holds nothing comes first

 private:
  static void append(Bytes& to, ByteView what) {
    to.insert(to.end(), what.begin(), what.end());
  }
  void add_frames(ByteView tar) {
    while (!tar.empty()) {
      const std::size_t size =
          std::min<std::size_t>(tar.size(), limits::kFrameContent);
      add_frame(tar.first(size));
      tar = tar.subspan(size);
    }
  }
  void add_frame(ByteView content) {
    Bytes frame(FrameEncoder::bound(content.size()));
    frame.resize(FrameEncoder().encode(content, 3, frame));
    entries_.push_back({.offset = file_.size(),
                        .stored = static_cast<std::uint32_t>(frame.size()),
                        .content = static_cast<std::uint32_t>(content.size()),
                        .checksum = frame_checksum(frame)});
    append(file_, frame);
  }

  std::filesystem::path path_;
  Bytes file_;
  std::vector<FrameEntry> entries_;
};

}  // namespace impound::test
