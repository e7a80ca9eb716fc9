// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_places.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>

#include "core/formats/numbers.hpp"

namespace impound {
namespace {

/// DRAM is managed in pages: flips of one page come from one row.
constexpr std::uint64_t kPage = 4096;

struct Magic {
  std::string_view name;
  std::string_view bytes;
};

using namespace std::string_view_literals;
constexpr std::array kMagics = {Magic{"ELF",
                                      "\x7f"
                                      "ELF"sv},
                                Magic{"PE", "MZ\x90\0"sv},
                                Magic{"ZIP", "PK\x03\x04"sv},
                                Magic{"7z", "7z\xbc\xaf\x27\x1c"sv},
                                Magic{"gzip", "\x1f\x8b\x08"sv},
                                Magic{"xz",
                                      "\xfd"
                                      "7zXZ\0"sv},
                                Magic{"zstd", "\x28\xb5\x2f\xfd"sv},
                                Magic{"PDF", "%PDF-"sv},
                                Magic{"script", "#!/"sv},
                                Magic{"pickle", "\x80\x04\x95"sv}};

std::string magic_of(ByteView stream) {
  for (const Magic& each : kMagics) {
    if (as_text(stream).starts_with(each.bytes)) return std::string(each.name);
  }
  return {};
}

std::uint64_t word_at(ByteView bytes, std::size_t index, std::size_t width) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes.data() + index * width, width);
  return word;
}

/// The elements of one tile, on both sides.
struct TilePair {
  std::uint64_t first = 0;
  std::size_t count = 0;
  std::vector<double> before;
  std::vector<double> after;
  Bytes before_raw;
  Bytes after_raw;
};

/// Tiles hold whole blocks of every type, so a tile begins at a byte.
void read_side(const TensorBytes& tensor, TilePair& tile, Bytes& raw,
               std::vector<double>& values) {
  const DtypeTraits& type = traits(tensor.dtype);
  const std::uint64_t parts = type.kind == NumberKind::complex ? 2 : 1;
  const auto bytes = [&](std::uint64_t numbers) {
    if (type.block_bits < 8) return numbers * type.block_bits / 8;
    return numbers / parts / type.block_elements * (type.block_bits / 8);
  };
  raw.resize(static_cast<std::size_t>(bytes(tile.count)));
  tensor.source->read(tensor.offset + bytes(tile.first), raw);
  values.resize(tile.count);
  decode_doubles(tensor.dtype, raw, values);
}

TilePair read_tile(const TensorBytes& before, const TensorBytes& after,
                   std::size_t index) {
  TilePair tile;
  tile.first = index * kTileElements;
  tile.count = static_cast<std::size_t>(
      std::min<std::uint64_t>(kTileElements, before.numbers() - tile.first));
  read_side(before, tile, tile.before_raw, tile.before);
  read_side(after, tile, tile.after_raw, tile.after);
  return tile;
}

bool differs(const TilePair& tile, std::size_t i, std::size_t width) {
  if (width != 0) {
    return std::memcmp(tile.before_raw.data() + i * width,
                       tile.after_raw.data() + i * width, width) != 0;
  }
  const bool one = std::isnan(tile.before[i]);
  const bool two = std::isnan(tile.after[i]);
  return one != two || (!one && tile.before[i] != tile.after[i]);
}

/// Bytes of one element where bits can be compared, else 0.
std::size_t width_of(const DeltaStatistics& statistics) {
  return statistics.bits_are_comparable
             ? static_cast<std::size_t>(statistics.bits / 8)
             : 0;
}

}  // namespace

Bytes pack_low_bits(ByteView elements, std::size_t width, unsigned bits,
                    bool low_first) {
  const std::size_t count = elements.size() / width;
  Bytes stream;
  stream.reserve(count * bits / 8 + 1);
  std::uint64_t pending = 0;
  unsigned held = 0;
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t low = word_at(elements, i, width) & mask;
    pending = low_first ? pending | (low << held) : (pending << bits) | low;
    held += bits;
    while (held >= 8) {
      const std::uint64_t byte =
          low_first ? pending & 0xFFU : (pending >> (held - 8)) & 0xFFU;
      stream.push_back(static_cast<std::byte>(byte));
      held -= 8;
      pending = low_first ? pending >> 8U
                          : pending & ((std::uint64_t{1} << held) - 1);
    }
  }
  return stream;
}

double byte_entropy(ByteView bytes) {
  std::array<std::uint64_t, 256> counts{};
  for (const std::byte each : bytes) {
    ++counts[std::to_integer<std::size_t>(each)];
  }
  double entropy = 0;
  for (const std::uint64_t count : counts) {
    if (count == 0) continue;
    const double share =
        static_cast<double>(count) / static_cast<double>(bytes.size());
    entropy -= share * std::log2(share);
  }
  return entropy;
}

Json ChangedElement::to_json() const {
  return {{"index", index},
          {"file_offset", file_offset},
          {"page_offset", file_offset % kPage},
          {"before_bits", fmt::format("0x{:x}", before_bits)},
          {"after_bits", fmt::format("0x{:x}", after_bits)},
          {"xor", fmt::format("0x{:x}", before_bits ^ after_bits)},
          {"before", before},
          {"after", after}};
}

ChangedRange find_changed_range(const TensorBytes& before,
                                const TensorBytes& after,
                                const DeltaStatistics& statistics) {
  const auto& density = statistics.density;
  const auto is_changed = [](std::uint16_t count) { return count > 0; };
  const auto head = static_cast<std::size_t>(
      std::find_if(density.begin(), density.end(), is_changed) -
      density.begin());
  const auto tail =
      density.size() - 1 -
      static_cast<std::size_t>(
          std::find_if(density.rbegin(), density.rend(), is_changed) -
          density.rbegin());
  const std::size_t width = width_of(statistics);
  ChangedRange range;
  const TilePair first = read_tile(before, after, head);
  for (std::size_t i = 0; i < first.count; ++i) {
    if (!differs(first, i, width)) continue;
    range.first = first.first + i;
    break;
  }
  const TilePair last = read_tile(before, after, tail);
  for (std::size_t i = last.count; i > 0; --i) {
    if (!differs(last, i - 1, width)) continue;
    range.last = last.first + i - 1;
    break;
  }
  return range;
}

std::vector<ChangedElement> list_changes(const TensorBytes& before,
                                         const TensorBytes& after,
                                         const DeltaStatistics& statistics,
                                         std::size_t most) {
  std::vector<ChangedElement> changes;
  const std::size_t width = width_of(statistics);
  for (std::size_t t = 0; t < statistics.density.size(); ++t) {
    if (statistics.density[t] == 0) continue;
    const TilePair tile = read_tile(before, after, t);
    for (std::size_t i = 0; i < tile.count; ++i) {
      if (!differs(tile, i, width)) continue;
      if (changes.size() == most) return changes;
      const std::uint64_t index = tile.first + i;
      changes.push_back({.index = index,
                         .file_offset = after.offset + index * width,
                         .before_bits = word_at(tile.before_raw, i, width),
                         .after_bits = word_at(tile.after_raw, i, width),
                         .before = tile.before[i],
                         .after = tile.after[i]});
    }
  }
  return changes;
}

namespace {

/// b = factor·a over one row.
void measure_factor(const TensorBytes& before, const TensorBytes& after,
                    ChangedRow& row) {
  constexpr std::uint64_t kMostColumns = 1U << 20U;
  const std::uint64_t columns = after.columns();
  for (const Dtype dtype : {before.dtype, after.dtype}) {
    if (columns % traits(dtype).block_elements != 0 ||
        columns * traits(dtype).block_bits % 8 != 0) {
      return;
    }
  }
  if (columns > kMostColumns) return;
  std::vector<float> a(static_cast<std::size_t>(columns));
  std::vector<float> b(a.size());
  before.read_floats(row.row * columns, a);
  after.read_floats(row.row * columns, b);
  double dot = 0;
  double old = 0;
  double now = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    old += static_cast<double>(a[i]) * a[i];
    now += static_cast<double>(b[i]) * b[i];
  }
  if (!(old > 0) || !std::isfinite(now)) return;
  const double factor = dot / old;
  row.rest = now > 0 ? std::sqrt(std::max(0.0, now - factor * dot) / now) : 0;
  // Quantised rows differ from their factor by the rounding of both: Q4_0, the
  // coarsest with an answer, by 0.12.
  constexpr double kMostRest = 0.15;
  constexpr double kClear = 0.02;
  if (row.rest <= kMostRest && std::abs(factor - 1) > kClear + row.rest) {
    row.factor = factor;
  }
}

std::string row_words(const ChangedRow& row, std::uint64_t columns) {
  if (row.changed == 1 && columns > 1) {
    return fmt::format("number {} of row {}", row.first, row.row);
  }
  if (row.factor)
    return fmt::format("row {} (times {:.3g})", row.row, *row.factor);
  return fmt::format("row {}", row.row);
}

}  // namespace

std::string ChangedLines::words() const {
  if (rows <= kMostNamedLines || 20 * rows <= all_rows) {
    std::string text;
    for (const ChangedRow& row : first_rows) {
      text += (text.empty() ? "" : ", ") + row_words(row, all_columns);
    }
    if (rows > first_rows.size()) {
      text += fmt::format(" and {} more rows", rows - first_rows.size());
    }
    return text;
  }
  if (columns <= kMostNamedLines || 20 * columns <= all_columns) {
    std::string text = first_columns.size() == 1 ? "column" : "columns";
    for (std::size_t i = 0; i < first_columns.size(); ++i) {
      text += fmt::format("{} {}", i == 0 ? "" : ",", first_columns[i]);
    }
    if (columns > first_columns.size()) {
      text += fmt::format(" and {} more", columns - first_columns.size());
    }
    return text;
  }
  return {};
}

Json ChangedLines::to_json() const {
  Json row_list = Json::array();
  for (const ChangedRow& row : first_rows) {
    Json json = {{"row", row.row}, {"changed", row.changed}};
    if (row.changed == 1) json["column"] = row.first;
    if (row.factor) {
      json["factor"] = *row.factor;
      json["rest"] = row.rest;
    }
    row_list.push_back(std::move(json));
  }
  return {{"rows", rows},
          {"columns", columns},
          {"first_rows", std::move(row_list)},
          {"first_columns", first_columns}};
}

std::optional<ChangedLines> find_changed_lines(
    const TensorBytes& before, const TensorBytes& after,
    const DeltaStatistics& statistics) {
  constexpr std::uint64_t kMostColumns = 4U << 20U;
  const std::uint64_t columns = after.columns();
  if (after.rows() < 2 || columns > kMostColumns) return std::nullopt;
  ChangedLines found;
  found.all_rows = after.rows();
  found.all_columns = columns;
  std::vector<bool> is_column(static_cast<std::size_t>(columns), false);
  const std::size_t width = width_of(statistics);
  std::uint64_t last_row = found.all_rows;
  for (std::size_t t = 0; t < statistics.density.size(); ++t) {
    if (statistics.density[t] == 0) continue;
    const TilePair tile = read_tile(before, after, t);
    for (std::size_t i = 0; i < tile.count; ++i) {
      if (!differs(tile, i, width)) continue;
      const std::uint64_t row = (tile.first + i) / columns;
      const std::uint64_t column = (tile.first + i) % columns;
      is_column[static_cast<std::size_t>(column)] = true;
      if (row != last_row) {
        last_row = row;
        ++found.rows;
        if (found.first_rows.size() < kMostNamedLines) {
          found.first_rows.push_back(
              {.row = row, .changed = 0, .first = column, .factor = {}});
        }
      }
      if (found.rows == found.first_rows.size()) {
        ++found.first_rows.back().changed;
      }
    }
  }
  for (std::size_t i = 0; i < is_column.size(); ++i) {
    if (!is_column[i]) continue;
    ++found.columns;
    if (found.first_columns.size() < kMostNamedLines) {
      found.first_columns.push_back(i);
    }
  }
  for (ChangedRow& row : found.first_rows) measure_factor(before, after, row);
  return found;
}

std::string_view to_string(PayloadPlaces places) noexcept {
  switch (places) {
    case PayloadPlaces::contiguous:
      return "contiguous";
    case PayloadPlaces::stride:
      return "stride";
    case PayloadPlaces::scattered:
      return "scattered";
  }
  return "scattered";
}

PayloadPlaces LowBitChange::places() const {
  // Of bits that were written over by others, half stay as they were in each
  // place; less than a third of the elements is not written over.
  constexpr double kFewest = 1.0 / 3;
  const double share =
      static_cast<double>(changed) / static_cast<double>(elements());
  if (share < kFewest) return PayloadPlaces::scattered;
  return stride > 1 ? PayloadPlaces::stride : PayloadPlaces::contiguous;
}

LowBitChange measure_low_bits(const TensorBytes& before,
                              const TensorBytes& after,
                              const DeltaStatistics& statistics,
                              ChangedRange range) {
  const std::uint64_t mask = statistics.sums.xor_mask;
  LowBitChange low;
  low.lowest = static_cast<unsigned>(std::countr_zero(mask));
  low.bits = static_cast<unsigned>(std::bit_width(mask));
  low.range = range;
  const auto end = std::int64_t{1} << low.bits;
  const std::size_t width = width_of(statistics);
  for (std::size_t t = 0; t < statistics.density.size(); ++t) {
    if (statistics.density[t] == 0) continue;
    const TilePair tile = read_tile(before, after, t);
    for (std::size_t i = 0; i < tile.count; ++i) {
      const std::uint64_t one = word_at(tile.before_raw, i, width);
      const std::uint64_t two = word_at(tile.after_raw, i, width);
      if (one == two) continue;
      const auto from =
          static_cast<std::int64_t>(one & static_cast<std::uint64_t>(end - 1));
      const auto step =
          static_cast<std::int64_t>(two) - static_cast<std::int64_t>(one);
      const std::int64_t other = from - step;
      low.carries += other < 0 || other >= end ? 1U : 0U;
      low.up += step > 0 ? 1U : 0U;
      low.stride = std::gcd(low.stride, tile.first + i - range.first);
      ++low.changed;
    }
  }
  return low;
}

namespace {

/// The elements that a payload is read from, in order of address.
class PayloadElements {
 public:
  PayloadElements(const TensorBytes& after, std::size_t width, unsigned lowest)
      : after_(after), width_(width), lowest_(lowest) {}

  /// `count` elements from `first` on, every `stride`-th, shifted so that the
  /// payload's lowest bit is the lowest.
  [[nodiscard]] Bytes read(std::uint64_t first, std::uint64_t stride,
                           std::size_t count) const {
    constexpr std::uint64_t kAtOnce = 1U << 20U;  // bytes
    Bytes out;
    out.reserve(count * width_);
    const std::uint64_t per_read =
        std::max<std::uint64_t>(1, kAtOnce / (stride * width_));
    Bytes raw;
    for (std::uint64_t at = 0; at < count; at += per_read) {
      const std::uint64_t some = std::min<std::uint64_t>(per_read, count - at);
      raw.resize(static_cast<std::size_t>(((some - 1) * stride + 1) * width_));
      after_.source->read(after_.offset + (first + at * stride) * width_, raw);
      for (std::uint64_t i = 0; i < some; ++i) {
        add(word_at(raw, static_cast<std::size_t>(i * stride), width_), out);
      }
    }
    return out;
  }

  void add(std::uint64_t word, Bytes& out) const {
    word >>= lowest_;
    const ByteView bytes = std::as_bytes(std::span(&word, 1));
    out.insert(out.end(), bytes.begin(),
               bytes.begin() + static_cast<std::ptrdiff_t>(width_));
  }

 private:
  const TensorBytes& after_;
  std::size_t width_;
  unsigned lowest_;
};

void pack_and_look(const Bytes& elements, std::size_t width, Payload& payload) {
  for (const bool low_first : {true, false}) {
    Bytes stream = pack_low_bits(elements, width, payload.bits, low_first);
    const std::string magic = magic_of(stream);
    if (!payload.packing.empty() && (magic.empty() || !payload.magic.empty())) {
      continue;
    }
    payload.packing = low_first ? "low bit first" : "high bit first";
    payload.magic = magic;
    payload.stream = std::move(stream);
  }
}

}  // namespace

Payload read_payload(const TensorBytes& before, const TensorBytes& after,
                     const DeltaStatistics& statistics,
                     const LowBitChange& low) {
  const std::size_t width = traits(after.dtype).block_bits / 8;
  const PayloadElements reader(after, width, low.lowest);
  Payload best;
  best.lowest = low.lowest;
  best.bits = low.bits - low.lowest;
  best.places = low.places();
  best.changed = low.changed;
  const std::uint64_t most_elements = kMostPayloadBytes * 8 / best.bits;
  if (best.places == PayloadPlaces::scattered) {
    best.first = low.range.first;
    best.stride = 0;
    best.elements = low.changed;
    best.size = best.elements * best.bits / 8;
    Bytes elements;
    for (std::size_t t = 0; t < statistics.density.size(); ++t) {
      if (statistics.density[t] == 0) continue;
      const TilePair tile = read_tile(before, after, t);
      for (std::size_t i = 0; i < tile.count; ++i) {
        if (!differs(tile, i, width)) continue;
        if (best.positions.size() == most_elements) break;
        best.positions.push_back(tile.first + i);
        reader.add(word_at(tile.after_raw, i, width), elements);
      }
    }
    pack_and_look(elements, width, best);
    best.entropy = byte_entropy(best.stream);
    return best;
  }
  best.stride = std::max<std::uint64_t>(1, low.stride);
  // An element whose low bits happened to be the payload's already looks
  // unchanged: the true start lies a little before the first change, mostly at
  // the tensor's first element.
  constexpr std::uint64_t kMostSlack = 64;
  const std::uint64_t room = low.range.first / best.stride;
  const std::uint64_t slack = room < kMostSlack ? room : std::uint64_t{16};
  std::uint64_t chosen = low.range.first;
  bool is_first = true;
  for (std::uint64_t back = 0; back <= slack; ++back) {
    // The tensor's start is the likeliest, then the first change, then between.
    const std::uint64_t steps = room < kMostSlack ? room - back : back;
    const std::uint64_t start = low.range.first - steps * best.stride;
    constexpr std::size_t kProbe = 64;
    const std::uint64_t length = (low.range.last - start) / best.stride + 1;
    const Bytes probe = reader.read(
        start, best.stride,
        static_cast<std::size_t>(std::min<std::uint64_t>(length, kProbe)));
    Payload tried = best;
    pack_and_look(probe, width, tried);
    if (!is_first && tried.magic.empty()) continue;
    is_first = false;
    chosen = start;
    if (!tried.magic.empty()) break;
  }
  best.first = chosen;
  best.elements = (low.range.last - best.first) / best.stride + 1;
  best.size = best.elements * best.bits / 8;
  const auto looked_at =
      static_cast<std::size_t>(std::min(best.elements, most_elements));
  pack_and_look(reader.read(best.first, best.stride, looked_at), width, best);
  best.entropy = byte_entropy(best.stream);
  best.is_constant =
      !best.stream.empty() &&
      (best.stream[0] == std::byte{0} || best.stream[0] == std::byte{0xFF}) &&
      std::all_of(best.stream.begin(), best.stream.end(),
                  [&](std::byte b) { return b == best.stream[0]; });
  return best;
}

}  // namespace impound
