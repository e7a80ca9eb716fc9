// SPDX-License-Identifier: Apache-2.0
#include "core/formats/settings/png_texts.hpp"

#include <algorithm>
#include <optional>

namespace impound {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::size_t kMaxTexts = 1000;
/// Chunks of a picture are of 8 KiB and more; of hostile ones, of nothing.
constexpr std::size_t kMaxChunks = 1'000'000;
/// Keyword, language and translated keyword come before the text.
constexpr std::uint64_t kMaxHead = 4096;
constexpr std::size_t kMaxKeyword = 79;

/// The text of one chunk, whose bytes are at `offset`.
std::optional<PngText> text_of(const ByteSource& source, std::string_view type,
                               std::uint64_t offset, std::uint64_t size) {
  const Bytes bytes = source.head(offset, std::min(size, kMaxHead));
  const std::string_view head = as_text(bytes);
  const std::size_t end = head.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  PngText text;
  text.keyword = std::string(head.substr(0, std::min(end, kMaxKeyword)));
  std::size_t begin = end + 1;
  if (type == "zTXt") {
    ++begin;  // the method; there is one
    text.is_packed = true;
  } else if (type == "iTXt") {
    if (begin + 2 > head.size()) return std::nullopt;
    text.is_packed = head[begin] != 0;
    begin += 2;
    for (int i = 0; i < 2; ++i) {
      const std::size_t next = head.find('\0', begin);
      if (next == std::string_view::npos) return std::nullopt;
      begin = next + 1;
    }
  }
  if (begin > size) return std::nullopt;
  text.offset = offset + begin;
  text.size = size - begin;
  return text;
}

}  // namespace

bool is_png(ByteView head) noexcept {
  return as_text(head).starts_with(kSignature);
}

std::vector<PngText> read_png_texts(const ByteSource& source) {
  std::vector<PngText> texts;
  std::uint64_t at = kSignature.size();
  constexpr std::uint64_t kFrame = 8;
  for (std::size_t i = 0; i < kMaxChunks && texts.size() < kMaxTexts; ++i) {
    const Bytes frame = source.head(at, kFrame);
    if (frame.size() != kFrame) break;
    std::uint64_t size = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      size = size << 8U | std::to_integer<std::uint64_t>(frame[k]);
    }
    const std::string_view type = as_text(frame).substr(4);
    at += kFrame;
    const std::uint64_t left = source.size() - at;
    const bool is_cut = size > left;
    size = std::min(size, left);
    if (type == "tEXt" || type == "zTXt" || type == "iTXt") {
      if (auto text = text_of(source, type, at, size)) {
        texts.push_back(std::move(*text));
      }
    }
    if (is_cut) break;
    at += std::min<std::uint64_t>(size + 4, left);
  }
  return texts;
}

}  // namespace impound
