// SPDX-License-Identifier: Apache-2.0
#include "core/view/tensor_access.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// Varints as numbers of one width (ONNX int32_data, int64_data). Where every
/// kStep-th begins is noted, the rest is decoded when it is read.
class VarintSource final : public ByteSource {
 public:
  VarintSource(const ByteSource& base, std::uint64_t offset,
               std::uint64_t packed, std::uint64_t width)
      : packed_(base, offset, packed), width_(width) {
    Walk walk(packed_, 0);
    while (walk.at() < packed_.size()) {
      if (count_ % kStep == 0) starts_.push_back(walk.at());
      static_cast<void>(walk.next());
      ++count_;
    }
  }

  [[nodiscard]] std::uint64_t size() const override { return count_ * width_; }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      throw Error(Errc::malformed, "a read behind the last number");
    }
    if (out.empty()) return;
    std::uint64_t index = offset / width_;
    std::uint64_t skipped = offset % width_;
    Walk walk(packed_, starts_[static_cast<std::size_t>(index / kStep)]);
    for (std::uint64_t i = index / kStep * kStep; i < index; ++i) {
      static_cast<void>(walk.next());
    }
    for (std::size_t done = 0; done < out.size();) {
      const std::uint64_t value = walk.next();
      for (std::uint64_t i = skipped; i < width_ && done < out.size(); ++i) {
        out[done++] = static_cast<std::byte>((value >> (8 * i)) & 0xFFU);
      }
      skipped = 0;
    }
  }

 private:
  static constexpr std::uint64_t kStep = 8192;

  class Walk {
   public:
    Walk(const ByteSource& source, std::uint64_t at)
        : source_(source), at_(at) {}
    [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
    std::uint64_t next() {
      std::uint64_t value = 0;
      for (unsigned shift = 0; shift < 70; shift += 7) {
        const auto byte = std::to_integer<std::uint64_t>(this->byte());
        if (shift < 64) value |= (byte & 0x7FU) << shift;
        if ((byte & 0x80U) == 0) return value;
      }
      throw Error(Errc::malformed, "a varint of more than ten bytes");
    }

   private:
    std::byte byte() {
      if (at_ < begin_ || at_ - begin_ >= window_.size()) {
        window_ = source_.head(at_, 64 * 1024);
        begin_ = at_;
        if (window_.empty()) throw Error(Errc::malformed, "a varint is cut");
      }
      return window_[static_cast<std::size_t>(at_++ - begin_)];
    }
    const ByteSource& source_;
    std::uint64_t at_;
    std::uint64_t begin_ = 0;
    Bytes window_;
  };

  SubSource packed_;
  std::uint64_t width_;
  std::uint64_t count_ = 0;
  std::vector<std::uint64_t> starts_;
};

}  // namespace

std::string TensorAccess::how() const {
  std::string text;
  const auto add = [&](std::string_view what) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", what);
  };
  if (!data_file.empty()) add("in " + printable(data_file));
  if (member) add("packed in " + printable(member->name));
  if (varint_bytes > 0) add("kept as varints");
  if (order && order->swap > 1) add("big-endian");
  if (order && order->strides != row_major_strides(order->shape)) {
    add("with strides");
  }
  return text;
}

TensorStream::TensorStream(const ByteSource& file, std::uint64_t offset,
                           std::uint64_t size)
    : TensorStream(file, TensorAccess{}, offset, size) {}

TensorStream::TensorStream(const ByteSource& file, const TensorAccess& access,
                           std::uint64_t offset, std::uint64_t size)
    : last_(&file), offset_(offset) {
  if (access.member) {
    ZipContent content =
        open_zip_member(file, *access.member, access.member->size);
    if (content.source == nullptr) {
      throw Error(Errc::unsupported,
                  printable(access.member->name) + " cannot be unpacked");
    }
    take(std::move(content.source), offset);
  }
  if (access.varint_bytes > 0) {
    take(std::make_unique<VarintSource>(*last_, offset_, access.varint_bytes,
                                        access.varint_width),
         0);
  }
  if (access.order) reorder(*access.order);
  if (offset_ > last_->size() || size > last_->size() - offset_) {
    throw Error(Errc::malformed,
                fmt::format("a tensor of {} bytes at {}, {} are there", size,
                            offset_, last_->size()));
  }
}

void TensorStream::reorder(StridedLayout layout) {
  take(std::make_unique<StridedSource>(*last_, offset_, std::move(layout)), 0);
}

void TensorStream::take(std::unique_ptr<ByteSource> source,
                        std::uint64_t offset) {
  chain_.push_back(std::move(source));
  last_ = chain_.back().get();
  offset_ = offset;
}

}  // namespace impound
