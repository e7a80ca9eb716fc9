// SPDX-License-Identifier: Apache-2.0
// rooms: storage
/// Writes a seed for the fuzz target "frames": three frames and their table.

#include <filesystem>
#include <fstream>
#include <string>

#include "core/storage/frames.hpp"

using namespace impound;

void write_frames_seeds(const std::filesystem::path& folder) {
  FrameEncoder encoder;
  Bytes file;
  std::vector<FrameEntry> frames;
  const auto add = [&](const Bytes& stored, std::size_t content) {
    FrameEntry frame;
    frame.stored = static_cast<std::uint32_t>(stored.size());
    frame.content = static_cast<std::uint32_t>(content);
    frame.checksum = content == 0 ? 0 : frame_checksum(stored);
    frames.push_back(frame);
    file.insert(file.end(), stored.begin(), stored.end());
  };
  for (const std::string& text :
       {std::string(5000, 'a'),
        std::string("a short frame, stored as it is")}) {
    Bytes stored(FrameEncoder::bound(text.size()));
    stored.resize(encoder.encode(as_bytes(text), 1, stored));
    add(stored, text.size());
  }
  add(skippable_frame(0x184D2A5D, as_bytes("any payload")), 0);
  const Bytes table = encode_seek_table(frames);
  file.insert(file.end(), table.begin(), table.end());
  std::ofstream(folder / "file", std::ios::binary) << as_text(file);
}
