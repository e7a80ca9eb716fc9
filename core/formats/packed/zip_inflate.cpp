// SPDX-License-Identifier: Apache-2.0
#include "core/formats/packed/zip_inflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/base/error.hpp"
#include "core/formats/packed/zip.hpp"

namespace impound {
namespace {

constexpr std::size_t kInput = 65536;
constexpr std::size_t kWindow = 32768;  // how far deflate looks back
constexpr std::uint64_t kKeepWhole = std::uint64_t{16} << 20U;
constexpr std::uint64_t kSpacing = std::uint64_t{4} << 20U;

int window_bits(DeflateWrapping wrapping) {
  switch (wrapping) {
    case DeflateWrapping::none:
      return -15;
    case DeflateWrapping::zlib:
      return 15;
    case DeflateWrapping::gzip:
      return 15 + 16;
  }
  return -15;
}

/// zlib's state, closed once. zlib keeps a pointer to it: it does not move.
class Inflater {
 public:
  explicit Inflater(int bits) {
    if (inflateInit2(&stream, bits) != Z_OK) {
      throw Error(Errc::unsupported, "zlib refused to start inflating");
    }
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
};

unsigned char* zbytes(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

/// A place between two deflate blocks from which unpacking can go on.
struct Checkpoint {
  std::uint64_t out = 0;  ///< bytes unpacked before it
  std::uint64_t in = 0;   ///< the next packed byte
  int bits = 0;           ///< bits of the byte before that are still to come
  Bytes window;           ///< empty: a stream of several begins here
};

}  // namespace

struct InflateSource::State {
  State(const ByteSource& from, std::uint64_t at, std::uint64_t size,
        DeflateWrapping how, std::uint64_t most)
      : packed(from),
        offset(at),
        packed_size(size),
        wrapping(how),
        limit(most),
        buffer(kInput) {}

  void feed(z_stream& stream, std::uint64_t& position) {
    if (stream.avail_in != 0 || position >= packed_size) return;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(kInput, packed_size - position));
    packed.read(offset + position, {buffer.data(), count});
    stream.next_in = zbytes(buffer.data());
    stream.avail_in = static_cast<uInt>(count);
    position += count;
  }

  void first_pass();
  void restart(std::uint64_t wanted);
  void produce(std::span<std::byte> out);

  const ByteSource& packed;
  std::uint64_t offset;
  std::uint64_t packed_size;
  DeflateWrapping wrapping;
  std::uint64_t limit;
  InflateOutcome outcome;
  Bytes whole;
  bool is_whole = true;
  std::vector<Checkpoint> checkpoints;

  // Reading again: where the running inflater stands.
  std::mutex mutex;
  Bytes buffer;
  std::unique_ptr<Inflater> running;
  bool is_running_raw = false;  ///< without its wrapping: from within a stream
  std::uint64_t running_in = 0;
  std::uint64_t running_out = 0;
};

void InflateSource::State::first_pass() {
  Inflater inflater(window_bits(wrapping));
  z_stream& stream = inflater.stream;
  std::uint64_t position = 0;
  Bytes ring(kWindow);
  uLong crc = ::crc32(0L, nullptr, 0);
  while (true) {
    feed(stream, position);
    // Output goes to one window, always from its place in the ring, so that
    // the last 32 KiB are at hand when a block ends.
    const std::size_t at = static_cast<std::size_t>(outcome.unpacked % kWindow);
    const std::uint64_t room =
        std::min<std::uint64_t>(kWindow - at, limit - outcome.unpacked);
    if (room == 0) {
      outcome.is_over_limit = true;
      break;
    }
    stream.next_out = zbytes(ring.data() + at);
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_BLOCK);
    const std::size_t made = static_cast<std::size_t>(room) - stream.avail_out;
    crc = ::crc32(crc, zbytes(ring.data() + at), static_cast<uInt>(made));
    outcome.unpacked += made;
    outcome.packed_used = position - stream.avail_in;
    if (is_whole) {
      const auto* const first = ring.data() + at;
      whole.insert(whole.end(), first, first + made);
      if (whole.size() > kKeepWhole) {
        is_whole = false;
        whole = Bytes();
      }
    }
    if (result == Z_STREAM_END) {
      outcome.has_ended = true;
      const std::uint64_t next = outcome.packed_used;
      // gzip files may be several streams one after another.
      const Bytes magic =
          wrapping == DeflateWrapping::gzip && next + 2 <= packed_size
              ? packed.head(offset + next, 2)
              : Bytes();
      if (magic.size() == 2 && std::to_integer<int>(magic[0]) == 0x1f &&
          std::to_integer<int>(magic[1]) == 0x8b) {
        outcome.has_ended = false;
        inflateReset(&stream);
        const std::uint64_t noted =
            checkpoints.empty() ? 0 : checkpoints.back().out;
        if (outcome.unpacked >= noted + kSpacing) {
          checkpoints.push_back(
              {.out = outcome.unpacked, .in = next, .bits = 0, .window = {}});
        }
        continue;
      }
      break;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
      outcome.problem = stream.msg != nullptr ? stream.msg : "invalid data";
      break;
    }
    if (result == Z_BUF_ERROR && made == 0 && stream.avail_in == 0 &&
        position >= packed_size) {
      outcome.problem = "the packed data ends early";
      break;
    }
    const bool at_block =
        (stream.data_type & 128) != 0 && (stream.data_type & 64) == 0;
    const std::uint64_t last = checkpoints.empty() ? 0 : checkpoints.back().out;
    if (at_block && outcome.unpacked >= last + kSpacing) {
      Checkpoint point{.out = outcome.unpacked,
                       .in = outcome.packed_used,
                       .bits = stream.data_type & 7,
                       .window = Bytes(kWindow)};
      const std::size_t cut =
          static_cast<std::size_t>(outcome.unpacked % kWindow);
      std::copy(ring.begin() + static_cast<std::ptrdiff_t>(cut), ring.end(),
                point.window.begin());
      std::copy(
          ring.begin(), ring.begin() + static_cast<std::ptrdiff_t>(cut),
          point.window.begin() + static_cast<std::ptrdiff_t>(kWindow - cut));
      checkpoints.push_back(std::move(point));
    }
  }
  outcome.crc32 = static_cast<std::uint32_t>(crc);
}

void InflateSource::State::restart(std::uint64_t wanted) {
  const Checkpoint* from = nullptr;
  for (const Checkpoint& point : checkpoints) {
    if (point.out <= wanted) from = &point;
  }
  const std::uint64_t start = from != nullptr ? from->out : 0;
  if (running && running_out <= wanted && running_out >= start) return;
  if (from == nullptr) {
    running = std::make_unique<Inflater>(window_bits(wrapping));
    is_running_raw = false;
    running_in = 0;
    running_out = 0;
    return;
  }
  is_running_raw = !from->window.empty();
  running =
      std::make_unique<Inflater>(is_running_raw ? -15 : window_bits(wrapping));
  running_in = from->in;
  running_out = from->out;
  if (!is_running_raw) return;
  if (from->bits != 0) {
    const Bytes before = packed.head(offset + from->in - 1, 1);
    inflatePrime(&running->stream, from->bits,
                 std::to_integer<int>(before.at(0)) >> (8 - from->bits));
  }
  inflateSetDictionary(
      &running->stream,
      reinterpret_cast<const unsigned char*>(from->window.data()),
      static_cast<uInt>(from->window.size()));
}

void InflateSource::State::produce(std::span<std::byte> out) {
  constexpr std::uint64_t kTrailer = 8;  // of gzip, RFC 1952: CRC-32 and size
  while (!out.empty()) {
    z_stream& stream = running->stream;
    feed(stream, running_in);
    const std::size_t room = std::min<std::size_t>(out.size(), 1U << 30U);
    stream.next_out = zbytes(out.data());
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = room - stream.avail_out;
    running_out += made;
    out = out.subspan(made);
    if (out.empty()) return;
    if (result == Z_STREAM_END && wrapping == DeflateWrapping::gzip) {
      running_in =
          running_in - stream.avail_in + (is_running_raw ? kTrailer : 0);
      running = std::make_unique<Inflater>(window_bits(wrapping));
      is_running_raw = false;
      if (running_in >= packed_size) {
        throw Error(Errc::io, "packed data changed while it was read");
      }
      continue;
    }
    if (made == 0 && (result != Z_OK || stream.avail_in == 0) &&
        (result != Z_BUF_ERROR || running_in >= packed_size)) {
      throw Error(Errc::io, "packed data changed while it was read");
    }
  }
}

std::uint32_t zip_crc32(const ByteSource& source) {
  Bytes block;
  uLong crc = ::crc32(0L, nullptr, 0);
  for (std::uint64_t at = 0; at < source.size(); at += block.size()) {
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(kSpacing, source.size() - at)));
    source.read(at, block);
    crc = ::crc32(crc, zbytes(block.data()), static_cast<uInt>(block.size()));
  }
  return static_cast<std::uint32_t>(crc);
}

InflateSource::InflateSource(const ByteSource& packed, std::uint64_t offset,
                             std::uint64_t packed_size,
                             DeflateWrapping wrapping, std::uint64_t limit)
    : state_(std::make_unique<State>(packed, offset, packed_size, wrapping,
                                     limit)) {
  state_->first_pass();
}

InflateSource::~InflateSource() = default;

std::uint64_t InflateSource::size() const { return state_->outcome.unpacked; }

const InflateOutcome& InflateSource::outcome() const noexcept {
  return state_->outcome;
}

void InflateSource::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset > size() || out.size() > size() - offset) {
    throw Error(Errc::malformed, "read behind the end of unpacked data, at " +
                                     std::to_string(offset));
  }
  if (out.empty()) return;
  if (state_->is_whole) {
    std::memcpy(out.data(), state_->whole.data() + offset, out.size());
    return;
  }
  const std::scoped_lock lock(state_->mutex);
  state_->restart(offset);
  std::array<std::byte, 16384> skipped;
  while (state_->running_out < offset) {
    state_->produce(std::span(skipped).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(
            skipped.size(), offset - state_->running_out))));
  }
  state_->produce(out);
}

}  // namespace impound
