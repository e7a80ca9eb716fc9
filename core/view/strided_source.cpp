// SPDX-License-Identifier: Apache-2.0
#include "core/view/strided_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/error.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kWindow = 128 * 1024;

/// The source in ascending order: a window that moves forward.
class Forward {
 public:
  Forward(const ByteSource& base, std::uint64_t window)
      : base_(base), window_(window) {}

  /// `count` bytes at `offset`, valid until the next call.
  const std::byte* at(std::uint64_t offset, std::uint64_t count) {
    if (offset < begin_ || offset + count > begin_ + bytes_.size()) {
      const std::uint64_t left = base_.size() - offset;
      bytes_.resize(
          static_cast<std::size_t>(std::min(std::max(count, window_), left)));
      base_.read(offset, bytes_);
      begin_ = offset;
    }
    return bytes_.data() + (offset - begin_);
  }

 private:
  const ByteSource& base_;
  std::uint64_t window_;
  std::uint64_t begin_ = 0;
  Bytes bytes_;
};

[[noreturn]] void refuse(const StridedLayout& layout) {
  throw Error(Errc::malformed,
              fmt::format("a view of {} dimensions leaves the bytes it is of",
                          layout.shape.size()));
}

}  // namespace

std::vector<std::uint64_t> row_major_strides(
    const std::vector<std::uint64_t>& shape) {
  std::vector<std::uint64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    if (__builtin_mul_overflow(strides[i], shape[i], &strides[i - 1])) {
      strides[i - 1] = UINT64_MAX;  // refused by whoever uses it
    }
  }
  return strides;
}

std::vector<std::uint64_t> fortran_strides(
    const std::vector<std::uint64_t>& shape) {
  const std::vector<std::uint64_t> strides =
      row_major_strides({shape.rbegin(), shape.rend()});
  return {strides.rbegin(), strides.rend()};
}

StridedSource::StridedSource(const ByteSource& base, std::uint64_t offset,
                             StridedLayout layout)
    : base_(base), offset_(offset), layout_(std::move(layout)) {
  std::uint64_t reach = layout_.item;
  size_ = layout_.item;
  bool is_empty = false;
  if (layout_.item == 0 || layout_.item > kBand ||
      layout_.shape.size() != layout_.strides.size()) {
    refuse(layout_);
  }
  for (std::size_t i = 0; i < layout_.shape.size(); ++i) {
    if (layout_.shape[i] == 0) {
      is_empty = true;
      break;
    }
    std::uint64_t step = 0;
    if (__builtin_mul_overflow(size_, layout_.shape[i], &size_) ||
        __builtin_mul_overflow(layout_.strides[i], layout_.item, &step) ||
        __builtin_mul_overflow(step, layout_.shape[i] - 1, &step) ||
        __builtin_add_overflow(reach, step, &reach)) {
      refuse(layout_);
    }
  }
  if (is_empty) {
    size_ = 0;
    return;
  }
  if (offset > base.size() || reach > base.size() - offset) refuse(layout_);
  if (layout_.shape.empty()) {
    layout_.shape = {1};
    layout_.strides = {0};
  }
  inner_ = size_;
  for (split_ = 0; split_ < layout_.shape.size(); ++split_) {
    inner_ /= layout_.shape[split_];
    if (inner_ <= kBand || split_ + 1 == layout_.shape.size()) break;
  }
  per_band_ =
      std::clamp<std::uint64_t>(kBand / inner_, 1, layout_.shape[split_]);
}

void StridedSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    throw Error(Errc::malformed,
                fmt::format("offset {}: expected {} bytes, the tensor has {}",
                            offset, out.size(), size_));
  }
  const std::lock_guard lock(mutex_);
  while (!out.empty()) {
    const Band& band = band_with(offset);
    const auto from = static_cast<std::size_t>(offset - band.begin);
    const std::size_t count = std::min(out.size(), band.bytes.size() - from);
    std::memcpy(out.data(), band.bytes.data() + from, count);
    out = out.subspan(count);
    offset += count;
  }
}

const StridedSource::Band& StridedSource::band_with(
    std::uint64_t offset) const {
  for (const Band& band : bands_) {
    if (offset >= band.begin && offset - band.begin < band.bytes.size()) {
      return band;
    }
  }
  // Which index of the dimensions before the split, and of the split itself.
  std::uint64_t index = offset / inner_;
  const std::uint64_t along = index % layout_.shape[split_];
  const std::uint64_t first = along / per_band_ * per_band_;
  const std::uint64_t count =
      std::min(per_band_, layout_.shape[split_] - first);
  std::uint64_t source =
      offset_ + first * layout_.strides[split_] * layout_.item;
  const std::uint64_t begin = (index - along + first) * inner_;
  index /= layout_.shape[split_];
  for (std::size_t i = split_; i-- > 0;) {
    source += index % layout_.shape[i] * layout_.strides[i] * layout_.item;
    index /= layout_.shape[i];
  }
  std::vector<Axis> axes{{.count = count,
                          .from = layout_.strides[split_] * layout_.item,
                          .to = inner_}};
  std::uint64_t to = inner_;
  for (std::size_t i = split_ + 1; i < layout_.shape.size(); ++i) {
    to /= layout_.shape[i];
    axes.push_back({.count = layout_.shape[i],
                    .from = layout_.strides[i] * layout_.item,
                    .to = to});
  }
  Band& band = bands_[next_];
  next_ = (next_ + 1) % kBands;
  // Only a band that was filled is kept: reading may throw.
  Bytes bytes = std::exchange(band.bytes, {});
  bytes.resize(static_cast<std::size_t>(count * inner_));
  gather(source, std::move(axes), bytes);
  band = {.begin = begin, .bytes = std::move(bytes)};
  return band;
}

void StridedSource::gather(std::uint64_t source, std::vector<Axis> axes,
                           std::span<std::byte> band) const {
  // In the order of the source: every window is read once.
  std::erase_if(axes, [](const Axis& axis) { return axis.count == 1; });
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) {
    return a.from > b.from;
  });
  std::uint64_t run = layout_.item;  // bytes that stand together on both sides
  while (!axes.empty() && axes.back().from == run && axes.back().to == run) {
    run *= axes.back().count;
    axes.pop_back();
  }
  const Axis last =
      axes.empty() ? Axis{.count = 1, .from = 0, .to = 0} : axes.back();
  if (!axes.empty()) axes.pop_back();
  const std::uint64_t next = axes.empty() ? 0 : axes.back().from;
  Forward forward(base_, next <= kWindow ? kWindow : 0);
  // A strided run is read as one where it is short, else piece by piece.
  const std::uint64_t per_piece =
      last.from == 0 ? last.count
                     : std::max<std::uint64_t>(1, kWindow / last.from);
  std::vector<std::uint64_t> at(axes.size(), 0);
  for (;;) {
    std::uint64_t from = source;
    std::uint64_t to = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      from += at[i] * axes[i].from;
      to += at[i] * axes[i].to;
    }
    for (std::uint64_t i = 0; i < last.count; i += per_piece) {
      const std::uint64_t some = std::min(per_piece, last.count - i);
      const std::byte* const piece =
          forward.at(from + i * last.from, (some - 1) * last.from + run);
      for (std::uint64_t k = 0; k < some; ++k) {
        std::memcpy(band.data() + to + (i + k) * last.to, piece + k * last.from,
                    static_cast<std::size_t>(run));
      }
    }
    std::size_t axis = axes.size();
    while (axis > 0 && ++at[axis - 1] == axes[axis - 1].count) {
      at[--axis] = 0;
    }
    if (axis == 0) break;
  }
  if (layout_.swap > 1) {
    const auto width = static_cast<std::size_t>(layout_.swap);
    for (std::size_t i = 0; i + width <= band.size(); i += width) {
      std::ranges::reverse(band.subspan(i, width));
    }
  }
}

}  // namespace impound
