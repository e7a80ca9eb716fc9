// SPDX-License-Identifier: Apache-2.0
/// How the pickle machine reads: its window, its memo, constants and lines.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/base/text.hpp"
#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;

}  // namespace

PickleWindow::PickleWindow(const ByteSource& source)
    : source_(source),
      capacity_(static_cast<std::size_t>(
          std::min<std::uint64_t>(kSize, source.size()))),
      data_(new std::byte[capacity_ + kLookAhead]) {}

void PickleWindow::load(std::uint64_t offset) {
  begin_ = std::min(offset, source_.size());
  filled_ = static_cast<std::size_t>(
      std::min<std::uint64_t>(capacity_, source_.size() - begin_));
  source_.read(begin_, {data_.get(), filled_});
  std::memset(data_.get() + filled_, 0, kLookAhead);
  at = data_.get();
  end = data_.get() + filled_;
}

void PickleWindow::seek(std::uint64_t offset) {
  if (offset >= begin_ && offset <= begin_ + filled_ && end != nullptr) {
    at = data_.get() + (offset - begin_);
    return;
  }
  load(offset);
}

void PickleWindow::refill() {
  if (!reaches_end()) load(offset_of(at));
}

void PickleMemo::clear() {
  dense_.clear();
  sparse_.clear();
  count_ = 0;
}

bool PickleMemo::put_far(std::uint64_t index, PickleCell value) {
  if (count_ >= kMaxEntries) return false;
  // Writers number from 0 on; a jump is kept apart, so that it costs nothing.
  if (index <= dense_.size() + 1024 && index < kMaxEntries && sparse_.empty()) {
    while (dense_.size() < index) {
      dense_.push(PickleCell::of(Kind::absent, 0));
    }
    dense_.push(value);
    ++count_;
    return true;
  }
  if (sparse_.insert_or_assign(index, value).second) ++count_;
  return sparse_.size() < kMaxEntries / 8;
}

PickleCell PickleMemo::get_beyond(std::uint64_t index) const {
  const auto found = sparse_.find(index);
  return found == sparse_.end() ? PickleCell::of(Kind::absent, 0)
                                : found->second;
}

void PickleMachine::State::sized_constant(Kind kind, std::uint64_t size) {
  const std::uint64_t offset = window.offset_of(window.at);
  const std::uint64_t left = window.source().size() - offset;
  if (offset > window.source().size() || size > left) {
    result.is_cut_off = true;
    broken(fmt::format("{} bytes announced, {} left", size, left));
  }
  if (size >= 8) note_constant(kind, offset, size, window.at);
  push({.kind = kind,
        .length = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(size, 0xffffffffU)),
        .payload = offset});
  if (size <= static_cast<std::uint64_t>(window.end - window.at)) {
    window.at += size;
  } else {
    window.seek(offset + size);
    edge = window.at;
  }
}

PickleLine PickleMachine::State::line() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto left = static_cast<std::size_t>(window.end - window.at);
    const void* const found =
        left == 0 ? nullptr : std::memchr(window.at, '\n', left);
    if (found != nullptr) {
      const auto* const stop = static_cast<const std::byte*>(found);
      PickleLine line;
      line.offset = window.offset_of(window.at);
      line.text = as_text({window.at, stop});
      line.size = line.text.size();
      window.at = stop + 1;
      return line;
    }
    if (attempt == 0) {
      window.refill();
      edge = window.at;
    }
  }
  return long_line();
}

/// A line that the window does not hold: loaders know no longest line.
PickleLine PickleMachine::State::long_line() {
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
  PickleLine line;
  line.offset = window.offset_of(window.at);
  line.is_in_window = false;
  line.has_end = false;
  held_line.clear();
  std::uint64_t next = line.offset;
  while (!line.has_end) {
    const Bytes block = window.source().head(next, kBlock);
    if (block.empty()) break;
    const std::string_view text = as_text(block);
    const std::string_view part = text.substr(0, text.find('\n'));
    line.has_end = part.size() < text.size();
    line.size += part.size();
    held_line += part.substr(0, kMaxHeldLine - held_line.size());
    next += text.size();
    result.line_bytes += text.size();
    if (line.size > options.max_line) {
      throw PickleBroken{
          "pickle-limit",
          fmt::format("a line of more than {} bytes", options.max_line)};
    }
  }
  line.text = held_line;
  window.seek(line.offset + line.size + (line.has_end ? 1 : 0));
  edge = window.at;
  if (!line.has_end) {
    result.is_cut_off = true;
    // Lib/pickle.py takes what there is, and the last byte off it.
    if (line.size != 0) --line.size;
    if (line.text.size() > line.size) line.text.remove_suffix(1);
  }
  return line;
}

PickleNumber PickleMachine::State::line_number(std::uint8_t opcode) {
  const PickleLine argument = line();
  if (!argument.has_end) broken("a line without end");
  if (!argument.is_whole()) {
    throw PickleBroken{
        "pickle-limit",
        fmt::format("a number of more than {} bytes", kMaxHeldLine)};
  }
  PickleNumber number = read_pickle_number(opcode, argument.text);
  if (number.is_disputed) {
    problem(
        "pickle-loaders-differ", Severity::medium, opcode_offset,
        fmt::format("'{}': one of CPython's unpicklers refuses this number, "
                    "the other goes on",
                    printable(argument.text.substr(0, 80))));
  }
  return number;
}

void PickleMachine::State::push_line_number(std::uint8_t opcode) {
  const PickleNumber number = line_number(opcode);
  switch (number.kind) {
    case PickleNumber::Kind::refused:
      broken(opcode == pickle_op::kFloat ? "FLOAT without a number"
                                         : "INT or LONG without a number");
    case PickleNumber::Kind::boolean:
      push({.kind = Kind::boolean,
            .length = 0,
            .payload = static_cast<std::uint64_t>(number.integer)});
      return;
    case PickleNumber::Kind::integer:
      push({.kind = Kind::integer,
            .length = 0,
            .payload = static_cast<std::uint64_t>(number.integer)});
      return;
    case PickleNumber::Kind::big_integer:
      push({.kind = Kind::unknown});
      return;
    case PickleNumber::Kind::real:
      push({.kind = Kind::real,
            .length = 0,
            .payload = std::bit_cast<std::uint64_t>(number.real)});
      return;
  }
}

std::uint64_t PickleMachine::State::line_index(std::uint8_t opcode) {
  PickleNumber number = line_number(opcode);
  if (number.kind == PickleNumber::Kind::integer) {
    return static_cast<std::uint64_t>(number.integer);
  }
  if (number.kind != PickleNumber::Kind::big_integer) {
    broken("GET or PUT without a number");
  }
  // Above what any other opcode can name.
  constexpr std::uint64_t kFirstFar = std::uint64_t{1} << 63U;
  if (far_indices.size() >= kMaxFarIndices || number.digits.size() > 4096) {
    throw PickleBroken{"pickle-limit", "more memo numbers above 64 bits"};
  }
  return far_indices
      .try_emplace(std::move(number.digits), kFirstFar + far_indices.size())
      .first->second;
}

void PickleMachine::State::push_line_text(std::uint8_t opcode) {
  const PickleLine argument = line();
  if (!argument.has_end) broken("a line without end");
  const bool is_quoted = opcode == pickle_op::kString;
  if (argument.size >= 8) {
    const std::size_t quote = is_quoted ? 1 : 0;
    note_constant(Kind::text, argument.offset + quote,
                  argument.size - 2 * quote,
                  argument.is_in_window ? as_bytes(argument.text).data() + quote
                                        : window.end);
  }
  push({.kind = is_quoted ? Kind::quoted : Kind::raw_unicode,
        .length = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(argument.size, 0xffffffffU)),
        .payload = argument.offset});
}

}  // namespace impound
