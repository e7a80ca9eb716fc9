// SPDX-License-Identifier: Apache-2.0
#include "core/formats/byte_stream.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "core/base/error.hpp"

namespace impound {
namespace {

constexpr std::size_t kPackedChunk = std::size_t{1} << 17U;
/// Below this many unpacked bytes nobody asks for the ratio.
constexpr std::uint64_t kFreeOfRatio = std::uint64_t{64} << 20U;

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(const ByteSource& source) : source_(source) {}

  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), source_.size() - at_));
    if (count == 0) return 0;
    source_.read(at_, out.first(count));
    at_ += count;
    return count;
  }

 private:
  const ByteSource& source_;
  std::uint64_t at_ = 0;
};

class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(const ByteSource& source) : source_(source) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) {
      throw Error(Errc::unsupported, "zlib refused to start inflating");
    }
  }
  ~GzipStream() override { inflateEnd(&stream_); }

  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    if (is_over_) return 0;
    const std::size_t room = std::min<std::size_t>(out.size(), 1U << 30U);
    stream_.next_out = reinterpret_cast<unsigned char*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    while (stream_.avail_out == room && !is_over_) step();
    return room - stream_.avail_out;
  }

  [[nodiscard]] std::string problem() const override { return problem_; }

 private:
  void step() {
    if (stream_.avail_in == 0) feed();
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) return next_member();
    if (result == Z_BUF_ERROR && stream_.avail_in == 0 &&
        at_ >= source_.size()) {
      return stop("the packed bytes end early");
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      stop(stream_.msg != nullptr ? stream_.msg : "the packed bytes are wrong");
    }
  }

  void feed() {
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(chunk_.size(), source_.size() - at_));
    if (count == 0) return;
    source_.read(at_, std::span(chunk_).first(count));
    at_ += count;
    stream_.next_in = reinterpret_cast<unsigned char*>(chunk_.data());
    stream_.avail_in = static_cast<uInt>(count);
  }

  /// A gzip file may be several members one after another; zeros behind the
  /// last one are padding of tapes.
  void next_member() {
    while (true) {
      if (stream_.avail_in == 0) feed();
      if (stream_.avail_in == 0) {
        is_over_ = true;
        return;
      }
      if (*stream_.next_in != 0) break;
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (*stream_.next_in != 0x1f) {
      return stop("bytes that are no gzip stand behind the packed ones");
    }
    inflateReset(&stream_);
  }

  void stop(const char* why) {
    problem_ = fmt::format("gzip, near packed byte {}: {}",
                           at_ - stream_.avail_in, why);
    is_over_ = true;
  }

  const ByteSource& source_;
  z_stream stream_{};
  Bytes chunk_ = Bytes(kPackedChunk);
  std::uint64_t at_ = 0;
  bool is_over_ = false;
  std::string problem_;
};

class EmptyStream final : public ByteStream {
 public:
  explicit EmptyStream(std::string why) : why_(std::move(why)) {}
  [[nodiscard]] std::size_t read(std::span<std::byte> /*out*/) override {
    return 0;
  }
  [[nodiscard]] std::string problem() const override { return why_; }

 private:
  std::string why_;
};

class BoundedStream final : public ByteStream {
 public:
  BoundedStream(std::unique_ptr<ByteStream> inner, std::uint64_t packed,
                const ExpansionLimits& limits)
      : inner_(std::move(inner)), packed_(packed), limits_(limits) {}

  [[nodiscard]] std::size_t read(std::span<std::byte> out) override {
    if (!problem_.empty()) return 0;
    const std::size_t count = inner_->read(out);
    done_ += count;
    if (done_ > limits_.total) {
      problem_ =
          fmt::format("unpacks to more than {} bytes, the limit for one file",
                      limits_.total);
    } else if (done_ > kFreeOfRatio && done_ / limits_.ratio > packed_) {
      problem_ = fmt::format(
          "unpacks to more than {} bytes for one packed byte: not read on",
          limits_.ratio);
    }
    return problem_.empty() ? count : 0;
  }

  [[nodiscard]] std::string problem() const override {
    return problem_.empty() ? inner_->problem() : problem_;
  }

 private:
  std::unique_ptr<ByteStream> inner_;
  std::uint64_t packed_;
  ExpansionLimits limits_;
  std::uint64_t done_ = 0;
  std::string problem_;
};

}  // namespace

std::string_view to_string(Packing packing) noexcept {
  switch (packing) {
    case Packing::none:
      return "none";
    case Packing::gzip:
      return "gzip";
    case Packing::zstd:
      return "zstd";
    case Packing::xz:
      return "xz";
    case Packing::bzip2:
      return "bzip2";
    case Packing::lz4:
      return "lz4";
  }
  return "none";
}

Packing packing_of(ByteView head) noexcept {
  const std::string_view text = as_text(head);
  using namespace std::string_view_literals;
  if (text.starts_with("\x1f\x8b\x08"sv)) return Packing::gzip;
  if (text.starts_with("\x28\xb5\x2f\xfd"sv)) return Packing::zstd;
  // A file of zstd frames may begin with a skippable one (RFC 8878, 3.1.2).
  if (text.size() >= 4 && (static_cast<unsigned char>(text[0]) & 0xf0U) == 80 &&
      text.substr(1, 3) == "\x2a\x4d\x18"sv) {
    return Packing::zstd;
  }
  if (text.starts_with("\xfd"
                       "7zXZ\0"sv)) {
    return Packing::xz;
  }
  // "BZh", the level, and the magic of a block or of the end.
  if (text.starts_with("BZh"sv) && text.size() >= 10 &&
      (text.substr(4, 6) == "1AY&SY"sv ||
       text.substr(4, 6) == "\x17\x72\x45\x38\x50\x90"sv)) {
    return Packing::bzip2;
  }
  if (text.starts_with("\x04\x22\x4d\x18"sv)) return Packing::lz4;
  return Packing::none;
}

std::unique_ptr<ByteStream> open_stream(const ByteSource& source,
                                        Packing packing,
                                        const StreamOpener* opener,
                                        const ExpansionLimits& limits) {
  if (packing == Packing::none) return std::make_unique<PlainStream>(source);
  std::unique_ptr<ByteStream> inner;
  if (packing == Packing::gzip) {
    inner = std::make_unique<GzipStream>(source);
  } else if (opener != nullptr) {
    inner = opener->open(source);
  } else {
    inner = std::make_unique<EmptyStream>(
        fmt::format("{} is not unpacked here", to_string(packing)));
  }
  return std::make_unique<BoundedStream>(std::move(inner), source.size(),
                                         limits);
}

}  // namespace impound
