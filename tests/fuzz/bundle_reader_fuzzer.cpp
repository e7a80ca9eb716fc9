// SPDX-License-Identifier: Apache-2.0
// rooms: evidence
/// Bundles: any bytes are refused in words or read within bounds, and what
/// verification calls whole can be read and has its digest.
///
/// Checksums keep random bytes away from the metadata, so every input is tried
/// a second time as the tar of a bundle that is well made otherwise: two bytes
/// that say at which block the metadata begin, then the tar.

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/evidence/frame_recovery.hpp"
#include "core/evidence/layout.hpp"
#include "core/evidence/verify.hpp"

using namespace impound;

namespace {

/// More is not read of one item: a frame says with few bytes that it has many.
constexpr std::uint64_t kMostRead = limits::kFrameContent;

/// The bytes as a file.
class MemoryFile {
 public:
  explicit MemoryFile(ByteView bytes)
      : fd_(::memfd_create("bundle", MFD_CLOEXEC)) {
    if (!fd_.is_open()) std::abort();
    write_all(fd_, bytes, path());
  }
  [[nodiscard]] fs::path path() const {
    return fmt::format("/proc/self/fd/{}", fd_.get());
  }

 private:
  UniqueFd fd_;
};

bool reads_whole(const BundleReader& reader, const Item& item) {
  if (item.kind != FileKind::regular) return true;
  const auto source = reader.open(item);
  if (source->size() > kMostRead) return true;
  return sha256(source->head(0, source->size())) == item.sha256;
}

void read_and_verify(ByteView bytes) {
  const MemoryFile file(bytes);
  const Cancellation never;
  SilentProgress silent;
  VerifyOptions options;
  options.threads = 1;
  const VerifyReport report =
      verify_bundle(file.path(), options, never, silent);
  if (report.ok()) std::abort();  // nothing lies beside it
  static_cast<void>(report.to_json().dump());
  try {
    const BundleReader reader(file.path());
    for (const std::string& name : reader.meta_names()) {
      static_cast<void>(reader.meta(name));
    }
    for (const Item& item : reader.items()) {
      const bool is_whole =
          std::ranges::find(report.whole, item.number) != report.whole.end();
      try {
        if (!reads_whole(reader, item) && is_whole) std::abort();
      } catch (const Error&) {
        if (is_whole) std::abort();
      }
    }
  } catch (const Error&) {  // refused in words
  }
}

void append_frames(Bytes& bundle, std::vector<FrameEntry>& frames,
                   ByteView content) {
  FrameEncoder encoder;
  while (!content.empty()) {
    const ByteView part =
        content.first(std::min(content.size(), limits::kFrameContent));
    Bytes stored(FrameEncoder::bound(part.size()));
    stored.resize(encoder.encode(part, -5, stored));
    FrameEntry frame;
    frame.stored = static_cast<std::uint32_t>(stored.size());
    frame.content = static_cast<std::uint32_t>(part.size());
    frame.checksum = frame_checksum(stored);
    frames.push_back(frame);
    bundle.insert(bundle.end(), stored.begin(), stored.end());
    content = content.subspan(part.size());
  }
}

Bytes bundle_around(ByteView tar, std::size_t metadata_at) {
  Bytes bundle;
  std::vector<FrameEntry> frames;
  append_frames(bundle, frames, tar.first(metadata_at));
  layout::MetaPointer pointer;
  pointer.first_frame = static_cast<std::uint32_t>(frames.size());
  pointer.tar_offset = metadata_at;
  pointer.tar_size = tar.size();
  append_frames(bundle, frames, tar.subspan(metadata_at));
  const Bytes skippable = layout::encode_pointer(pointer);
  FrameEntry last;
  last.stored = static_cast<std::uint32_t>(skippable.size());
  frames.push_back(last);
  const Bytes table = encode_seek_table(frames);
  bundle.insert(bundle.end(), skippable.begin(), skippable.end());
  bundle.insert(bundle.end(), table.begin(), table.end());
  return bundle;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  read_and_verify(bytes);
  static_cast<void>(frames_from_seal(as_text(bytes)));
  if (size < 2) return 0;
  const ByteView tar = bytes.subspan(2);
  const std::size_t block = data[0] + 256U * data[1];
  read_and_verify(bundle_around(tar, std::min(tar.size(), block * 512)));
  return 0;
}
