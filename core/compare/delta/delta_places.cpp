// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_places.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

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

Payload read_payload(const TensorBytes& after, ChangedRange range,
                     unsigned bits) {
  const std::size_t width = traits(after.dtype).block_bits / 8;
  // An element whose low bits happened to be the payload's already looks
  // unchanged: the true start lies a little before the first change, mostly at
  // the tensor's first element.
  constexpr std::uint64_t kMostSlack = 64;
  const std::uint64_t slack =
      range.first < kMostSlack ? range.first : std::uint64_t{16};
  Payload best;
  best.bits = bits;
  for (std::uint64_t back = 0; back <= slack; ++back) {
    // The tensor's start is the likeliest, then the first change, then between.
    const std::uint64_t start =
        range.first < kMostSlack ? back : range.first - back;
    for (const bool low_first : {true, false}) {
      constexpr std::size_t kProbe = 64;
      const std::uint64_t length = range.last - start + 1;
      Bytes probe(
          static_cast<std::size_t>(std::min<std::uint64_t>(length, kProbe)) *
          width);
      after.source->read(after.offset + start * width, probe);
      const std::string magic =
          magic_of(pack_low_bits(probe, width, bits, low_first));
      const bool is_first = best.packing.empty();
      if (!is_first && (magic.empty() || !best.magic.empty())) continue;
      best.first = start;
      best.packing = low_first ? "low bit first" : "high bit first";
      best.magic = magic;
    }
  }
  const std::uint64_t length = range.last - best.first + 1;
  best.size = length * bits / 8;
  const std::uint64_t looked_at =
      std::min(length, kMostPayloadBytes * 8 / bits);
  Bytes elements;
  constexpr std::uint64_t kStep = 1U << 18U;  // elements; a multiple of 8
  for (std::uint64_t at = 0; at < looked_at; at += kStep) {
    const std::uint64_t some = std::min(kStep, looked_at - at);
    elements.resize(static_cast<std::size_t>(some) * width);
    after.source->read(after.offset + (best.first + at) * width, elements);
    const Bytes packed =
        pack_low_bits(elements, width, bits, best.packing == "low bit first");
    best.stream.insert(best.stream.end(), packed.begin(), packed.end());
  }
  best.entropy = byte_entropy(best.stream);
  best.is_constant =
      !best.stream.empty() &&
      (best.stream[0] == std::byte{0} || best.stream[0] == std::byte{0xFF}) &&
      std::all_of(best.stream.begin(), best.stream.end(),
                  [&](std::byte b) { return b == best.stream[0]; });
  return best;
}

}  // namespace impound
