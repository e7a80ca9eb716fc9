// SPDX-License-Identifier: Apache-2.0
/// FRAME: a promise about how many bytes belong together, which loaders keep in
/// three ways.
///
///   Lib/pickle.py   reads within the frame; an opcode that leaves it is an
///                   error
///   loads()         has all bytes at hand and looks only whether they are
///   there load(file)      of Modules/_pickle.c before 3.13.15 and 3.14.7: the
///   frame
///                   is the buffer; what does not fit is read from the file
///                   behind the frame, and what was left of the frame is gone
///                   (CPython gh-154848)
///
/// The machine walks as loads() does. Where an opcode straddles, it is walked a
/// second time as load() of a file that cannot be peeked into; a buffered file
/// does either, by where its blocks end, so that the pickle is one to review
/// whatever the two walks find.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"

namespace impound {
namespace {

/// Where the arguments of an opcode lie.
enum class Shape : std::uint8_t { none, fixed, sized, lines, frame };

struct Argument {
  Shape shape = Shape::none;
  std::uint8_t width = 0;  ///< of the number; lines: how many
};

Argument argument_of(std::uint8_t opcode) {
  using namespace pickle_op;
  switch (opcode) {
    case kBinInt1:
    case kBinGet:
    case kBinPut:
    case kProto:
    case kExt1:
      return {Shape::fixed, 1};
    case kBinInt2:
    case kExt2:
      return {Shape::fixed, 2};
    case kBinInt:
    case kLongBinGet:
    case kLongBinPut:
    case kExt4:
      return {Shape::fixed, 4};
    case kBinFloat:
    case kByteArray8:  // its bytes are taken from the frame and from behind it
      return {Shape::fixed, 8};
    case kShortBinString:
    case kShortBinBytes:
    case kShortBinUnicode:
    case kLong1:
      return {Shape::sized, 1};
    case kBinString:
    case kBinBytes:
    case kBinUnicode:
    case kLong4:
      return {Shape::sized, 4};
    case kBinUnicode8:
    case kBinBytes8:
      return {Shape::sized, 8};
    case kInt:
    case kLong:
    case kFloat:
    case kString:
    case kUnicode:
    case kPersId:
    case kGet:
    case kPut:
      return {Shape::lines, 1};
    case kGlobal:
    case kInst:
      return {Shape::lines, 2};
    case kFrame:
      return {Shape::frame, 8};
    default:
      return {};
  }
}

std::uint64_t little(const ByteSource& source, std::uint64_t offset,
                     std::size_t width) {
  const Bytes raw = source.head(offset, width);
  std::uint64_t value = 0;
  for (std::size_t i = raw.size(); i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(raw[i]);
  }
  return value;
}

/// Behind the first newline of [begin, end), or `end` + 1 if there is none.
std::uint64_t behind_line(const ByteSource& source, std::uint64_t begin,
                          std::uint64_t end) {
  constexpr std::uint64_t kBlock = 65536;
  while (begin < end) {
    const Bytes block = source.head(begin, std::min(kBlock, end - begin));
    if (block.empty()) break;
    const std::size_t found = as_text(block).find('\n');
    if (found != std::string_view::npos) return begin + found + 1;
    begin += block.size();
  }
  return end + 1;
}

}  // namespace

void SplicedSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  auto piece = std::upper_bound(
      pieces_.begin(), pieces_.end(), offset,
      [](std::uint64_t at, const Piece& each) { return at < each.begin; });
  while (!out.empty()) {
    const std::uint64_t end = piece == pieces_.end() ? size_ : piece->begin;
    const Piece& from = *std::prev(piece);
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), end - offset));
    whole_.read(from.from + (offset - from.begin), out.first(count));
    out = out.subspan(count);
    offset += count;
    if (piece == pieces_.end()) break;
    ++piece;
  }
}

void SplicedSource::cut(std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t from = whole_offset(end);
  size_ -= end - begin;
  if (pieces_.back().begin == begin) {
    pieces_.back().from = from;
  } else {
    pieces_.push_back({begin, from});
  }
}

std::uint64_t SplicedSource::whole_offset(std::uint64_t offset) const noexcept {
  const auto piece = std::upper_bound(
      pieces_.begin(), pieces_.end(), offset,
      [](std::uint64_t at, const Piece& each) { return at < each.begin; });
  const Piece& from = *std::prev(piece);
  return from.from + (offset - from.begin);
}

void PickleMachine::State::frame(std::uint64_t size) {
  const std::uint64_t begin = window.offset_of(window.at);
  const std::uint64_t left = window.source().size() - begin;
  edge = window.at;
  if (frame_end != 0 && spliced == nullptr) {
    problem("pickle-frame", Severity::medium, opcode_offset,
            "a FRAME begins inside another one");
  }
  if (size > left) {
    problem("pickle-frame", Severity::medium, opcode_offset,
            fmt::format("a FRAME announces {} bytes, {} are left", size, left));
    frame_end = 0;
    return;
  }
  // A frame within what is at hand changes nothing for whoever buffers.
  if (frame_end != 0 && begin < frame_end) {
    if (size <= frame_end - begin) return;
    result.straddles_frame = true;
  }
  frame_end = begin + size;
}

/// Takes out what a loader drops that reads the arguments of the next opcode
/// from behind the frame.
void PickleMachine::State::drop_what_straddles() {
  const ByteSource& source = window.source();
  const auto opcode = std::to_integer<std::uint8_t>(*window.at);
  const Argument argument = argument_of(opcode);
  std::uint64_t at = window.offset_of(window.at) + 1;
  if (argument.shape == Shape::none) return;
  /// Reads up to `end`. @return false if that ended the frame.
  const auto take = [&](std::uint64_t end) {
    if (end <= frame_end) {
      at = end;
      return true;
    }
    if (at < frame_end) {
      if (spliced->cuts() >= kMaxCuts) {
        throw PickleBroken{"pickle-limit",
                           "more opcodes that straddle frames than the limit"};
      }
      spliced->cut(at, frame_end);
      window.reload();
    }
    frame_end = at;
    return false;
  };
  if (argument.shape == Shape::lines) {
    for (int i = 0; i < argument.width; ++i) {
      if (!take(behind_line(source, at, frame_end))) return;
    }
    return;
  }
  const std::uint64_t number = at;
  if (!take(at + argument.width) || argument.shape == Shape::fixed) return;
  const std::uint64_t size = little(source, number, argument.width);
  // Of a frame within a frame too, what it holds must be at hand.
  static_cast<void>(take(size > source.size() ? source.size() + 1 : at + size));
}

PickleRun run_dropping_frames(const ByteSource& source,
                              const PickleOptions& options,
                              std::uint64_t offset) {
  SplicedSource spliced(source);
  PickleMachine machine(spliced, options);
  machine.state_->spliced = &spliced;
  PickleRun run = machine.run(offset);
  for (PickleGlobal& global : run.globals) {
    global.offset = spliced.whole_offset(global.offset);
  }
  for (PickleCall& call : run.calls) {
    call.offset = spliced.whole_offset(call.offset);
  }
  for (Problem& problem : run.problems) {
    problem.offset = spliced.whole_offset(problem.offset);
  }
  return run;
}

}  // namespace impound
