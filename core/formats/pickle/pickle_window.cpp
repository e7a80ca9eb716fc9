// SPDX-License-Identifier: Apache-2.0
/// How the pickle machine reads: its window, its memo, constants and lines.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
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

std::string_view PickleMachine::State::line() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto left = static_cast<std::size_t>(window.end - window.at);
    const void* const found =
        left == 0 ? nullptr
                  : std::memchr(window.at, '\n', std::min(left, kMaxLine));
    if (found != nullptr) {
      const auto* const stop = static_cast<const std::byte*>(found);
      const std::string_view text = as_text({window.at, stop});
      window.at = stop + 1;
      return text;
    }
    if (attempt == 0) {
      window.refill();
      edge = window.at;
    }
  }
  broken("a line without end");
}

void PickleMachine::State::push_line_number(std::uint8_t opcode) {
  std::string_view text = trim(line());
  if (opcode == pickle_op::kFloat) {
    double value = 0;
    const std::string copy(text);
    const auto parsed =
        std::from_chars(copy.data(), copy.data() + copy.size(), value);
    if (copy.empty() || parsed.ptr != copy.data() + copy.size()) {
      broken("FLOAT without a number");
    }
    push({.kind = Kind::real,
          .length = 0,
          .payload = std::bit_cast<std::uint64_t>(value)});
    return;
  }
  if (opcode == pickle_op::kInt && (text == "00" || text == "01")) {
    push({.kind = Kind::boolean,
          .length = 0,
          .payload = text == "01" ? 1U : 0U});
    return;
  }
  if (opcode == pickle_op::kLong && !text.empty() && text.back() == 'L') {
    text.remove_suffix(1);
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc::result_out_of_range) {
    push({.kind = Kind::unknown});
    return;
  }
  if (text.empty() || parsed.ptr != text.data() + text.size()) {
    broken("INT or LONG without a number");
  }
  push({.kind = Kind::integer,
        .length = 0,
        .payload = static_cast<std::uint64_t>(value)});
}

}  // namespace impound
