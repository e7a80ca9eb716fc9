// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/row_table.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/reader.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kMagic = "IMPROWS\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kInMemory = std::uint64_t{64} << 20U;
constexpr std::size_t kBlock = 16384;  // rows read at once

template <typename T>
void put(std::span<std::byte> out, std::size_t at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[at + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

template <typename T>
T get(ByteView bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    value = static_cast<T>((value << 8U) | std::to_integer<T>(bytes[at + i]));
  }
  return value;
}

}  // namespace

void encode_row(const RowRecord& record, std::span<std::byte> out) {
  std::ranges::copy(record.row, out.begin());
  put(out, 16, record.key);
  put(out, 24, record.text);
  put(out, 32, record.sketch);
  put(out, 40, record.label);
}

RowRecord decode_row(ByteView bytes) {
  RowRecord record;
  std::ranges::copy(bytes.first(16), record.row.begin());
  record.key = get<std::uint64_t>(bytes, 16);
  record.text = get<std::uint64_t>(bytes, 24);
  record.sketch = get<std::uint64_t>(bytes, 32);
  record.label = get<std::uint32_t>(bytes, 40);
  return record;
}

Bytes row_file_header(std::uint64_t rows) {
  Bytes header(kRowFileHeader);
  std::ranges::copy(as_bytes(kMagic), header.begin());
  put(std::span(header), 8, kVersion);
  put(std::span(header), 12, static_cast<std::uint32_t>(kRowRecordSize));
  put(std::span(header), 16, rows);
  return header;
}

std::uint64_t parse_row_file_header(ByteView header, std::uint64_t file_size,
                                    std::string_view source) {
  Reader reader(header, source);
  if (as_text(reader.take(kMagic.size(), "the magic")) != kMagic) {
    throw Error(Errc::malformed,
                fmt::format("{}: no row file of a dataset baseline", source));
  }
  if (const std::uint32_t version = reader.u32(); version != kVersion) {
    throw Error(Errc::unsupported,
                fmt::format("{}: row file version {}, this build reads {}",
                            source, version, kVersion));
  }
  const std::uint32_t record = reader.u32();
  const std::uint64_t rows = reader.u64();
  if (record != kRowRecordSize ||
      rows > (file_size - std::min<std::uint64_t>(file_size, kRowFileHeader)) /
                 kRowRecordSize ||
      kRowFileHeader + rows * kRowRecordSize != file_size) {
    throw Error(Errc::malformed,
                fmt::format("{}: {} rows of {} bytes do not fill a file of {} "
                            "bytes",
                            source, rows, record, file_size));
  }
  return rows;
}

struct RowSpool::State {
  mutable std::mutex mutex;
  Bytes memory;
  UniqueFd spill;
  std::uint64_t size = 0;

  void write_at(std::uint64_t offset, ByteView bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(spill.get(), bytes.data(), bytes.size(),
                                     narrow<off_t>(offset));
      if (count <= 0) {
        throw Error(Errc::io,
                    "cannot write rows to a temporary file: the disk that "
                    "TMPDIR names is full or broken");
      }
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
  }

  void open_spill() {
    const std::string folder = std::filesystem::temp_directory_path().string();
    spill =
        UniqueFd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!spill.is_open()) {
      throw Error(Errc::io, fmt::format("cannot make a temporary file in {}",
                                        printable(folder)));
    }
    write_at(0, memory);
    memory = Bytes();
  }
};

RowSpool::RowSpool() : state_(std::make_unique<State>()) {}
RowSpool::~RowSpool() = default;

std::uint64_t RowSpool::append(ByteView bytes) {
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t offset = state_->size;
  state_->size += bytes.size();
  if (!state_->spill.is_open() && state_->size > kInMemory) {
    state_->open_spill();
  }
  if (state_->spill.is_open()) {
    state_->write_at(offset, bytes);
  } else {
    state_->memory.insert(state_->memory.end(), bytes.begin(), bytes.end());
  }
  return offset;
}

void RowSpool::read(std::uint64_t offset, std::span<std::byte> out) const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->spill.is_open()) {
    std::ranges::copy(
        ByteView(state_->memory)
            .subspan(static_cast<std::size_t>(offset), out.size()),
        out.begin());
    return;
  }
  const OsResult<std::size_t> got = read_at(state_->spill, offset, out);
  if (!got || *got != out.size()) {
    throw Error(Errc::io, "cannot read rows back from a temporary file");
  }
}

RowTable::RowTable(std::unique_ptr<RowSpool> spool,
                   const std::vector<RowExtent>& parts)
    : spool_(std::move(spool)) {
  for (const RowExtent& part : parts) {
    if (part.rows == 0) continue;
    parts_.push_back({rows_, part.offset, part.rows});
    rows_ += part.rows;
  }
}

RowTable::RowTable(std::unique_ptr<ByteSource> file, std::uint64_t rows)
    : file_(std::move(file)), parts_{{0, kRowFileHeader, rows}}, rows_(rows) {}

void RowTable::read(std::uint64_t first, std::span<RowRecord> out) const {
  if (first > rows_ || out.size() > rows_ - first) {
    throw Error(Errc::bad_input,
                fmt::format("no {} rows from row {} on", out.size(), first));
  }
  Bytes bytes;
  while (!out.empty()) {
    const auto next = std::upper_bound(
        parts_.begin(), parts_.end(), first,
        [](std::uint64_t row, const Part& part) { return row < part.first; });
    const Part& part = *std::prev(next);
    const std::uint64_t inside = first - part.first;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>({out.size(), part.rows - inside, kBlock}));
    bytes.resize(count * kRowRecordSize);
    const std::uint64_t offset = part.offset + inside * kRowRecordSize;
    if (spool_) {
      spool_->read(offset, bytes);
    } else {
      file_->read(offset, bytes);
    }
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = decode_row(
          ByteView(bytes).subspan(i * kRowRecordSize, kRowRecordSize));
    }
    out = out.subspan(count);
    first += count;
  }
}

void RowTable::each(const Visit& visit) const {
  std::vector<RowRecord> block;
  for (std::uint64_t first = 0; first < rows_; first += block.size()) {
    block.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(kBlock, rows_ - first)));
    read(first, block);
    visit(first, block);
  }
}

}  // namespace impound
