// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The frames of a bundle whose own table cannot be used, from what is left.

#include <optional>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/frame_stream.hpp"
#include "core/evidence/item.hpp"

namespace impound {

/// What a seal says about frames; nothing of it is believed without the bytes.
struct SealedFrames {
  std::vector<SealedFrame> frames;  ///< without the pointer frame
  layout::MetaPointer meta;
  std::uint64_t items = 0;
};

/// Reads E001.seal.json; empty if it is none or not plausible.
[[nodiscard]] std::optional<SealedFrames> sealed_frames(std::string_view seal);

/// The frame index that a seal describes.
[[nodiscard]] std::optional<FrameIndex> frames_from_seal(std::string_view seal);

/// Frames that follow each other from the start of the file, with the metadata
/// pointer behind them. Empty if the pointer is not reached: without it nobody
/// can say what the frames hold.
[[nodiscard]] std::optional<FrameIndex> frames_by_scanning(
    const ByteSource& file);

/// The frame list as a seal has it: `found` (digests as computed) with the
/// first item of each frame, and the pointer frame behind.
[[nodiscard]] std::vector<SealedFrame> frames_with_pointer(
    const ByteSource& file, const FrameIndex& index,
    const std::vector<SealedFrame>& found, const std::vector<Item>& items);

}  // namespace impound
