// SPDX-License-Identifier: Apache-2.0
#include "core/storage/packed_stream.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/handle.hpp"

namespace impound {

struct PackedStream::State {
  static constexpr std::size_t kChunk = std::size_t{1} << 18U;

  explicit State(const ByteSource& packed) : source(packed) {}

  /// Bytes for libarchive. A failure of the source is kept and thrown again
  /// outside of C code.
  static la_ssize_t feed(archive* handle, void* context, const void** out) {
    auto* const state = static_cast<State*>(context);
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(kChunk, state->source.size() - state->at));
    try {
      state->source.read(state->at, {state->chunk.data(), count});
    } catch (const Error& error) {
      state->failure = error;
      archive_set_error(handle, EIO, "%s", error.what());
      return -1;
    }
    state->at += count;
    *out = state->chunk.data();
    return static_cast<la_ssize_t>(count);
  }

  void open() {
    reader.reset(archive_read_new());
    archive* const handle = reader.get();
    if (handle == nullptr) throw Error(Errc::io, "libarchive: out of memory");
    archive_read_support_filter_zstd(handle);
    archive_read_support_filter_xz(handle);
    archive_read_support_filter_bzip2(handle);
    archive_read_support_filter_lz4(handle);
    archive_read_support_filter_gzip(handle);
    archive_read_support_format_raw(handle);
    archive_read_support_format_empty(handle);
    archive_read_set_callback_data(handle, this);
    archive_read_set_read_callback(handle, feed);
    archive_entry* entry = nullptr;
    int result = archive_read_open1(handle);
    if (result == ARCHIVE_OK) result = archive_read_next_header(handle, &entry);
    check();
    if (result == ARCHIVE_EOF) {
      is_over = true;  // packed, and empty
    } else if (result < ARCHIVE_WARN) {
      stop();
    }
  }

  void check() const {
    if (failure) throw Error(*failure);
  }

  void stop() {
    const char* const words = archive_error_string(reader.get());
    problem = words != nullptr ? words : "cannot be unpacked";
    is_over = true;
  }

  const ByteSource& source;
  std::uint64_t at = 0;
  Bytes chunk = Bytes(kChunk);
  std::optional<Error> failure;
  std::string problem;
  bool is_over = false;
  // Last: it is closed first, while what it reads from is still there.
  Handle<archive, archive_read_free> reader;
};

PackedStream::PackedStream(const ByteSource& packed)
    : state_(std::make_unique<State>(packed)) {
  state_->open();
}

PackedStream::~PackedStream() = default;

std::size_t PackedStream::read(std::span<std::byte> out) {
  if (state_->is_over) return 0;
  const la_ssize_t got =
      archive_read_data(state_->reader.get(), out.data(), out.size());
  state_->check();
  if (got < 0) {
    state_->stop();
    return 0;
  }
  if (got == 0) state_->is_over = true;
  return static_cast<std::size_t>(got);
}

const std::string& PackedStream::problem() const noexcept {
  return state_->problem;
}

}  // namespace impound
