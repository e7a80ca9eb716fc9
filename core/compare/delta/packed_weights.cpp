// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/packed_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"
#include "core/formats/bounded_json.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kMostCells = 16U << 20U;
/// Of eight columns of a word of AWQ, where the code of each stands.
constexpr std::array<std::uint64_t, 8> kAwqPlaces = {0, 4, 1, 5, 2, 6, 3, 7};

std::uint64_t count_of(const ViewTensor& tensor) {
  return element_count(tensor.shape).value_or(0);
}

std::uint64_t dimension(const ViewTensor& tensor, std::size_t at) {
  return at < tensor.shape.size() ? tensor.shape[at] : 1;
}

bool is_word(const ViewTensor& tensor) {
  return (tensor.dtype == Dtype::i32 || tensor.dtype == Dtype::u32) &&
         tensor.shape.size() == 2;
}

bool is_float(Dtype dtype) {
  return traits(dtype).kind == NumberKind::floating;
}

bool is_wide_float(const ViewTensor& tensor) {
  return tensor.dtype == Dtype::f16 || tensor.dtype == Dtype::bf16 ||
         tensor.dtype == Dtype::f32 || tensor.dtype == Dtype::f64;
}

bool is_f8(Dtype dtype) {
  return dtype == Dtype::f8_e4m3 || dtype == Dtype::f8_e5m2;
}

[[noreturn]] void misfit(const PackedWeight& packed, std::string_view what) {
  throw Error(Errc::malformed,
              fmt::format("{}: {}", printable(packed.codes.name), what));
}

/// Everything of a small tensor.
std::vector<float> numbers_in(OpenTensors& files, const ViewTensor& tensor) {
  if (count_of(tensor) > kMostCells) {
    throw Error(
        Errc::limit,
        fmt::format("{}: {} scales, at most {} are kept in memory",
                    printable(tensor.name), count_of(tensor), kMostCells));
  }
  const OpenTensor opened = files.open(tensor, std::nullopt);
  if (!is_measurable(opened.bytes)) {
    throw Error(Errc::malformed,
                fmt::format("{}: {} of shape {} does not fit its bytes",
                            printable(tensor.name), to_string(tensor.dtype),
                            shape_text(tensor.shape)));
  }
  std::vector<float> numbers(static_cast<std::size_t>(opened.bytes.numbers()));
  opened.bytes.read_floats(0, numbers);
  return numbers;
}

std::vector<std::uint32_t> words_in(OpenTensors& files,
                                    const ViewTensor& tensor) {
  if (count_of(tensor) > kMostCells ||
      tensor.size != count_of(tensor) * sizeof(std::uint32_t)) {
    throw Error(Errc::malformed,
                fmt::format("{}: {} bytes of shape {}", printable(tensor.name),
                            tensor.size, shape_text(tensor.shape)));
  }
  const OpenTensor opened = files.open(tensor, std::nullopt);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(count_of(tensor)));
  opened.bytes.source->read(opened.bytes.offset,
                            std::as_writable_bytes(std::span(words)));
  return words;
}

/// Code `index` of words of 32 bits.
std::uint32_t code_in(std::span<const std::uint32_t> words, std::uint64_t index,
                      unsigned bits) {
  const std::uint64_t per_word = 32 / bits;
  const std::uint32_t word = words[static_cast<std::size_t>(index / per_word)];
  return (word >> (bits * (index % per_word))) & ((1U << bits) - 1U);
}

/// The scales of one weight, and which number has which.
class PackedGrid final : public CodeGrid {
 public:
  [[nodiscard]] std::uint32_t cells() const override {
    return static_cast<std::uint32_t>(steps.size());
  }

  void cells_of(std::uint64_t first,
                std::span<std::uint32_t> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = cell_of(first + i);
    }
  }

  [[nodiscard]] BlockScale scale(std::uint32_t cell) const override {
    const float zero = zeros.empty() ? 0.0F : zeros[cell];
    return {steps[cell], -zero * steps[cell]};
  }

  [[nodiscard]] std::uint32_t cell_of(std::uint64_t number) const {
    if (run > 0) return static_cast<std::uint32_t>(number / run);
    const std::uint64_t row = number / columns;
    const std::uint64_t column = number % columns;
    if (by_group.empty()) {
      return static_cast<std::uint32_t>(row / cell_rows * row_stride +
                                        column / cell_columns * column_stride);
    }
    return static_cast<std::uint32_t>(
        row + by_group[static_cast<std::size_t>(column)] * column_stride);
  }

  std::vector<float> steps;
  std::vector<float> zeros;  ///< codes of the number 0
  std::uint64_t run = 0;     ///< numbers one behind the other
  std::uint64_t columns = 1;
  std::uint64_t cell_rows = 1;
  std::uint64_t cell_columns = 1;
  std::uint64_t row_stride = 1;
  std::uint64_t column_stride = 0;
  std::vector<std::uint32_t> by_group;  ///< GPTQ: the group of each column
};

/// Codes as numbers in F32, decoded at every read.
class PackedSource final : public ByteSource {
 public:
  PackedSource(const PackedWeight& packed, OpenTensor opened,
               std::shared_ptr<const PackedGrid> grid, std::vector<float> table)
      : layout_(packed.layout),
        bits_(packed.bits),
        rows_(packed.rows),
        columns_(packed.columns),
        opened_(std::move(opened)),
        grid_(std::move(grid)),
        table_(std::move(table)) {}

  [[nodiscard]] std::uint64_t size() const override {
    return rows_ * columns_ * sizeof(float);
  }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      throw Error(Errc::malformed, "a read behind the last number");
    }
    if (out.empty()) return;
    const std::uint64_t first = offset / sizeof(float);
    const std::uint64_t end =
        (offset + out.size() + sizeof(float) - 1) / sizeof(float);
    std::vector<float> numbers(static_cast<std::size_t>(end - first));
    std::vector<std::uint8_t> codes(numbers.size());
    for (std::uint64_t at = first; at < end;) {
      // Rows by themselves: words of most layouts lie along or across one.
      const std::uint64_t row_end =
          std::min(end, (at / columns_ + 1) * columns_);
      read_codes(
          at, std::span(codes).subspan(static_cast<std::size_t>(at - first),
                                       static_cast<std::size_t>(row_end - at)));
      at = row_end;
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::uint32_t cell = grid_->cell_of(first + i);
      const float zero = grid_->zeros.empty() ? 0.0F : grid_->zeros[cell];
      numbers[i] = (table_[codes[i]] - zero) * grid_->steps[cell];
    }
    std::memcpy(out.data(),
                std::as_bytes(std::span(numbers)).data() +
                    (offset - first * sizeof(float)),
                out.size());
  }

 private:
  /// Codes of numbers of one row, from number `first` on.
  void read_codes(std::uint64_t first, std::span<std::uint8_t> out) const {
    const std::uint64_t row = first / columns_;
    const std::uint64_t column = first % columns_;
    const std::uint64_t count = out.size();
    const ByteSource& source = *opened_.bytes.source;
    const std::uint64_t offset = opened_.bytes.offset;
    switch (layout_) {
      case PackedLayout::gptq:  // reordered to [out, in·bits/32]
      case PackedLayout::compressed: {
        const std::uint64_t per_word = 32 / bits_;
        const std::uint64_t row_words = columns_ / per_word;
        const std::uint64_t from = column / per_word;
        const std::uint64_t end = (column + count + per_word - 1) / per_word;
        std::vector<std::uint32_t> words(static_cast<std::size_t>(end - from));
        source.read(offset + (row * row_words + from) * 4,
                    std::as_writable_bytes(std::span(words)));
        for (std::uint64_t i = 0; i < count; ++i) {
          out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(
              code_in(words, column - from * per_word + i, bits_));
        }
        return;
      }
      case PackedLayout::awq: {  // reordered to [out/8, in]
        std::vector<std::uint32_t> words(static_cast<std::size_t>(count));
        source.read(offset + (row / 8 * columns_ + column) * 4,
                    std::as_writable_bytes(std::span(words)));
        const auto shift = static_cast<unsigned>(
            4 * kAwqPlaces[static_cast<std::size_t>(row % 8)]);
        for (std::uint64_t i = 0; i < count; ++i) {
          out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(
              (words[static_cast<std::size_t>(i)] >> shift) & 15U);
        }
        return;
      }
      case PackedLayout::scaled_f8:
      case PackedLayout::bitsandbytes_8bit:
        source.read(offset + first, std::as_writable_bytes(out));
        return;
      case PackedLayout::bitsandbytes_4bit: {
        Bytes bytes(
            static_cast<std::size_t>((first + count + 1) / 2 - first / 2));
        source.read(offset + first / 2, bytes);
        for (std::uint64_t i = 0; i < count; ++i) {
          const std::uint64_t at = first + i;
          const auto byte = std::to_integer<unsigned>(
              bytes[static_cast<std::size_t>(at / 2 - first / 2)]);
          out[static_cast<std::size_t>(i)] =
              static_cast<std::uint8_t>(at % 2 == 0 ? byte >> 4U : byte & 15U);
        }
        return;
      }
    }
  }

  PackedLayout layout_;
  unsigned bits_;
  std::uint64_t rows_;
  std::uint64_t columns_;
  OpenTensor opened_;
  std::shared_ptr<const PackedGrid> grid_;
  std::vector<float> table_;  ///< what each code stands for, without a scale
};

// Finding them.

/// The tensors of one side, by name.
using Side = std::map<std::string_view, const ViewTensor*>;

const ViewTensor* find_in(const Side& side, const std::string& name) {
  const auto found = side.find(name);
  return found == side.end() ? nullptr : found->second;
}

std::optional<ViewTensor> copied(const ViewTensor* tensor) {
  return tensor == nullptr ? std::nullopt : std::optional(*tensor);
}

/// GPTQ and AWQ, told apart by their shapes.
std::optional<PackedWeight> words_of(const Side& side,
                                     const std::string& module) {
  const ViewTensor* const codes = find_in(side, module + ".qweight");
  const ViewTensor* const zeros = find_in(side, module + ".qzeros");
  const ViewTensor* const scales = find_in(side, module + ".scales");
  if (codes == nullptr || zeros == nullptr || scales == nullptr ||
      !is_word(*codes) || !is_word(*zeros) || !is_float(scales->dtype) ||
      scales->shape.size() != 2 || scales->shape[0] != zeros->shape[0]) {
    return std::nullopt;
  }
  PackedWeight found;
  found.codes = *codes;
  found.scales = *scales;
  found.zeros = *zeros;
  found.rows = scales->shape[1];
  if (found.rows == 0 || zeros->shape[1] * 32 % found.rows != 0) return {};
  found.bits = static_cast<unsigned>(
      std::min<std::uint64_t>(zeros->shape[1] * 32 / found.rows, 32));
  const bool is_known = found.bits == 2 || found.bits == 4 || found.bits == 8;
  if (!is_known) return std::nullopt;
  if (codes->shape[1] == found.rows) {
    found.layout = PackedLayout::gptq;
    found.columns = codes->shape[0] * (32 / found.bits);
    found.order = copied(find_in(side, module + ".g_idx"));
    if (found.order && (found.order->dtype != Dtype::i32 ||
                        count_of(*found.order) != found.columns)) {
      return std::nullopt;
    }
    return found;
  }
  if (found.bits == 4 && codes->shape[1] * 8 == found.rows) {
    found.layout = PackedLayout::awq;
    found.columns = codes->shape[0];
    return found;
  }
  return std::nullopt;
}

std::optional<PackedWeight> compressed_of(const Side& side,
                                          const std::string& module) {
  const ViewTensor* const codes = find_in(side, module + ".weight_packed");
  const ViewTensor* const scales = find_in(side, module + ".weight_scale");
  if (codes == nullptr || scales == nullptr || !is_word(*codes) ||
      !is_wide_float(*scales) || scales->shape.size() != 2 ||
      scales->shape[0] != codes->shape[0] ||
      find_in(side, module + ".weight_zero_point") != nullptr ||
      find_in(side, module + ".weight_g_idx") != nullptr) {
    return std::nullopt;
  }
  // Four bits or eight: the groups must divide the columns.
  PackedWeight found;
  found.layout = PackedLayout::compressed;
  found.codes = *codes;
  found.scales = *scales;
  found.rows = codes->shape[0];
  const ViewTensor* const shape = find_in(side, module + ".weight_shape");
  if (shape == nullptr || count_of(*shape) != 2) return std::nullopt;
  found.zeros = *shape;  // read when it is opened
  found.columns = codes->shape[1] * 8;
  return found;
}

std::optional<PackedWeight> scaled_f8_of(const Side& side,
                                         const std::string& weight) {
  const ViewTensor* const codes = find_in(side, weight);
  if (codes == nullptr || !is_f8(codes->dtype) || codes->shape.size() != 2 ||
      codes->shape[1] == 0) {
    return std::nullopt;
  }
  const ViewTensor* scales = find_in(side, weight + "_scale_inv");
  if (scales == nullptr) scales = find_in(side, weight + "_scale");
  if (scales == nullptr || !is_wide_float(*scales)) return std::nullopt;
  PackedWeight found;
  found.layout = PackedLayout::scaled_f8;
  found.codes = *codes;
  found.scales = *scales;
  found.rows = codes->shape[0];
  found.columns = codes->shape[1];
  return found;
}

std::optional<PackedWeight> eight_bits_of(const Side& side,
                                          const std::string& module) {
  const ViewTensor* const codes = find_in(side, module + ".weight");
  const ViewTensor* const scales = find_in(side, module + ".SCB");
  if (codes == nullptr || scales == nullptr || codes->dtype != Dtype::i8 ||
      codes->shape.size() != 2 || !is_wide_float(*scales) ||
      count_of(*scales) != codes->shape[0]) {
    return std::nullopt;
  }
  PackedWeight found;
  found.layout = PackedLayout::bitsandbytes_8bit;
  found.codes = *codes;
  found.scales = *scales;
  found.rows = codes->shape[0];
  found.columns = codes->shape[1];
  return found;
}

std::optional<PackedWeight> four_bits_of(const Side& side,
                                         const std::string& weight) {
  const ViewTensor* const codes = find_in(side, weight);
  const ViewTensor* const scales = find_in(side, weight + ".absmax");
  const ViewTensor* const map = find_in(side, weight + ".quant_map");
  const ViewTensor* state =
      find_in(side, weight + ".quant_state.bitsandbytes__nf4");
  if (state == nullptr) {
    state = find_in(side, weight + ".quant_state.bitsandbytes__fp4");
  }
  if (codes == nullptr || scales == nullptr || map == nullptr ||
      state == nullptr || codes->dtype != Dtype::u8 ||
      map->dtype != Dtype::f32 || count_of(*map) != 16 ||
      state->dtype != Dtype::u8) {
    return std::nullopt;
  }
  PackedWeight found;
  found.layout = PackedLayout::bitsandbytes_4bit;
  found.codes = *codes;
  found.scales = *scales;
  found.quant_map = *map;
  found.state = *state;
  found.nested_scales = copied(find_in(side, weight + ".nested_absmax"));
  found.nested_map = copied(find_in(side, weight + ".nested_quant_map"));
  // Its shape stands in the state, which is read when it is opened.
  found.columns = codes->size * 2;
  found.rows = 1;
  return found;
}

/// Every packed weight of a side, by the name of the weight.
std::map<std::string, PackedWeight> find_packed(const Side& side) {
  std::map<std::string, PackedWeight> found;
  const auto add = [&](std::string name, std::optional<PackedWeight> packed) {
    if (packed && packed->rows > 0 && packed->columns > 0) {
      found.emplace(std::move(name), std::move(*packed));
    }
  };
  for (const auto& [view, tensor] : side) {
    const std::string name(view);
    const auto without = [&](std::string_view ending) {
      return name.substr(0, name.size() - ending.size());
    };
    if (name.ends_with(".qweight")) {
      add(without(".qweight") + ".weight", words_of(side, without(".qweight")));
    } else if (name.ends_with(".weight_packed")) {
      add(without("_packed"), compressed_of(side, without(".weight_packed")));
    } else if (name.ends_with("_scale_inv")) {
      add(without("_scale_inv"), scaled_f8_of(side, without("_scale_inv")));
    } else if (name.ends_with(".weight_scale")) {
      add(without("_scale"), scaled_f8_of(side, without("_scale")));
    } else if (name.ends_with(".SCB")) {
      add(without(".SCB") + ".weight", eight_bits_of(side, without(".SCB")));
    } else if (name.ends_with(".absmax")) {
      add(without(".absmax"), four_bits_of(side, without(".absmax")));
    }
  }
  return found;
}

/// The names of a packed weight's tensors but for the codes, and those too
/// where they have a name of their own.
std::vector<std::string> parts_of(const PackedWeight& packed,
                                  const std::string& weight) {
  std::vector<std::string> names;
  const auto add = [&](const std::optional<ViewTensor>& part) {
    if (part) names.push_back(part->name);
  };
  if (packed.codes.name != weight) names.push_back(packed.codes.name);
  names.push_back(packed.scales.name);
  for (const auto* part :
       {&packed.zeros, &packed.order, &packed.quant_map, &packed.state,
        &packed.nested_scales, &packed.nested_map}) {
    add(*part);
  }
  return names;
}

/// What a packed weight stands for, as a tensor of a view.
ViewTensor unpacked(const PackedWeight& packed, const std::string& name) {
  ViewTensor tensor;
  tensor.name = name;
  tensor.file = packed.codes.file;
  tensor.dtype = Dtype::f32;
  tensor.shape = {packed.rows, packed.columns};
  tensor.size = packed.rows * packed.columns * sizeof(float);
  return tensor;
}

// Opening them.

std::vector<float> integers(int low, int high) {
  std::vector<float> levels;
  for (int i = low; i <= high; ++i) levels.push_back(static_cast<float>(i));
  return levels;
}

struct Opened {
  std::shared_ptr<PackedGrid> grid;
  std::vector<float> table;
  std::optional<StridedLayout> order;  ///< of the codes
};

std::string group_words(std::uint64_t columns, std::uint64_t groups) {
  if (groups == 1) return "per row";
  return columns % groups == 0
             ? fmt::format("in groups of {}", columns / groups)
             : fmt::format("in {} groups", groups);
}

Opened open_words(const PackedWeight& packed, bool is_version_2,
                  OpenTensors& files) {
  const bool is_gptq = packed.layout == PackedLayout::gptq;
  const std::uint64_t groups = packed.scales.shape[0];
  if (groups == 0 || groups > packed.columns) {
    misfit(packed, "more groups than columns");
  }
  Opened opened;
  opened.grid = std::make_shared<PackedGrid>();
  PackedGrid& grid = *opened.grid;
  grid.steps = numbers_in(files, packed.scales);
  grid.columns = packed.columns;
  // Cell: group · rows + row.
  grid.column_stride = packed.rows;
  const std::vector<std::uint32_t> words = words_in(files, *packed.zeros);
  grid.zeros.resize(grid.steps.size());
  const std::uint64_t words_a_group = packed.zeros->shape[1];
  for (std::size_t i = 0; i < grid.steps.size(); ++i) {
    const std::uint64_t row = i % packed.rows;
    const auto line = std::span(words).subspan(
        static_cast<std::size_t>(i / packed.rows * words_a_group),
        static_cast<std::size_t>(words_a_group));
    const std::uint32_t code =
        is_gptq ? code_in(line, row, packed.bits)
                : code_in(line,
                          row / 8 * 8 +
                              kAwqPlaces[static_cast<std::size_t>(row % 8)],
                          4);
    grid.zeros[i] =
        static_cast<float>(code + (is_gptq && !is_version_2 ? 1 : 0));
  }
  grid.cell_columns = (packed.columns + groups - 1) / groups;
  if (packed.order) {
    const std::vector<std::uint32_t> order = words_in(files, *packed.order);
    for (const std::uint32_t group : order) {
      if (group >= groups) misfit(packed, "g_idx names a group without scales");
    }
    grid.by_group = order;
  }
  const int last = (1 << packed.bits) - 1;
  grid.levels = integers(0, last);
  opened.table = grid.levels;
  // Symmetric steps are max|x|/7.5 (AutoGPTQ) or max|x|/7.
  grid.most_scale = 1.01F;
  grid.words = fmt::format("{}{}, INT{} {}", is_gptq ? "GPTQ" : "AWQ",
                           is_gptq && is_version_2 ? " (version 2)" : "",
                           packed.bits, group_words(packed.columns, groups));
  opened.order =
      StridedLayout{.item = 4,
                    .shape = {packed.codes.shape[1], packed.codes.shape[0]},
                    .strides = {1, packed.codes.shape[1]},
                    .swap = 0};
  return opened;
}

Opened open_compressed(PackedWeight& packed, OpenTensors& files) {
  const std::vector<float> shape = numbers_in(files, *packed.zeros);
  packed.columns = static_cast<std::uint64_t>(shape[1]);
  const std::uint64_t words = packed.codes.shape[1];
  const std::uint64_t groups = packed.scales.shape[1];
  if (!(shape[1] > 0) || static_cast<std::uint64_t>(shape[0]) != packed.rows ||
      (packed.columns != words * 8 && packed.columns != words * 4) ||
      groups == 0 || packed.columns % groups != 0) {
    misfit(packed, "weight_shape does not fit the codes and scales");
  }
  packed.bits = packed.columns == words * 8 ? 4 : 8;
  Opened opened;
  opened.grid = std::make_shared<PackedGrid>();
  PackedGrid& grid = *opened.grid;
  grid.steps = numbers_in(files, packed.scales);
  grid.run = packed.columns / groups;
  const int half = 1 << (packed.bits - 1U);
  grid.levels = integers(-half, half - 1);
  grid.most_scale = 1.01F;
  opened.table = grid.levels;
  grid.words = fmt::format("compressed-tensors, INT{} {}", packed.bits,
                           group_words(packed.columns, groups));
  return opened;
}

Opened open_scaled_f8(const PackedWeight& packed, OpenTensors& files) {
  Opened opened;
  opened.grid = std::make_shared<PackedGrid>();
  PackedGrid& grid = *opened.grid;
  grid.steps = numbers_in(files, packed.scales);
  grid.columns = packed.columns;
  std::string how;
  const std::uint64_t count = count_of(packed.scales);
  constexpr std::uint64_t kBlock = 128;
  const std::uint64_t down = (packed.rows + kBlock - 1) / kBlock;
  const std::uint64_t across = (packed.columns + kBlock - 1) / kBlock;
  if (count == 1) {
    grid.run = packed.rows * packed.columns;
    how = "with a scale";
  } else if (count == packed.rows && (packed.scales.shape.size() == 1 ||
                                      dimension(packed.scales, 1) == 1)) {
    grid.run = packed.columns;
    how = "with a scale a row";
  } else if (packed.scales.shape.size() == 2 &&
             packed.scales.shape[0] == down &&
             packed.scales.shape[1] == across) {
    grid.cell_rows = kBlock;
    grid.cell_columns = kBlock;
    grid.row_stride = across;
    grid.column_stride = 1;
    how = "with a scale for 128 by 128";
  } else {
    misfit(packed, fmt::format("scales of shape {} fit no blocks of 128, rows "
                               "or tensor of {}",
                               shape_text(packed.scales.shape),
                               shape_text(packed.codes.shape)));
  }
  for (unsigned code = 0; code < 256; ++code) {
    const float value =
        from_small_float(packed.codes.dtype, static_cast<std::uint8_t>(code));
    opened.table.push_back(value);
    if (std::isfinite(value)) grid.levels.push_back(value);
  }
  std::sort(grid.levels.begin(), grid.levels.end());
  grid.levels.erase(std::unique(grid.levels.begin(), grid.levels.end()),
                    grid.levels.end());
  grid.is_even = false;
  // A scale that is a power of two is up to twice as large.
  grid.most_scale = 2.001F;
  grid.words = fmt::format("{} {}", to_string(packed.codes.dtype), how);
  return opened;
}

Opened open_eight_bits(const PackedWeight& packed, OpenTensors& files) {
  Opened opened;
  opened.grid = std::make_shared<PackedGrid>();
  PackedGrid& grid = *opened.grid;
  grid.steps = numbers_in(files, packed.scales);
  for (float& each : grid.steps) each /= 127.0F;
  grid.run = packed.columns;
  grid.levels = integers(-128, 127);
  grid.words = "bitsandbytes, INT8 per row";
  for (unsigned code = 0; code < 256; ++code) {
    opened.table.push_back(static_cast<float>(
        static_cast<std::int8_t>(static_cast<std::uint8_t>(code))));
  }
  return opened;
}

Opened open_four_bits(PackedWeight& packed, OpenTensors& files) {
  constexpr std::uint64_t kMostState = 65'536;
  if (packed.state->size > kMostState) misfit(packed, "its state is too long");
  const OpenTensor text = files.open(*packed.state, std::nullopt);
  std::string state(static_cast<std::size_t>(packed.state->size), '\0');
  text.bytes.source->read(text.bytes.offset,
                          std::as_writable_bytes(std::span(state)));
  const Json json = parse_bounded_json(state, packed.state->name);
  const auto number = [&](const char* key) -> std::uint64_t {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() &&
                   found->is_number_unsigned()
               ? found->get<std::uint64_t>()
               : 0;
  };
  const std::uint64_t block = number("blocksize");
  if (!json.is_object() || !json.contains("shape") ||
      !json["shape"].is_array() || json["shape"].size() != 2 ||
      !json["shape"][0].is_number_unsigned() ||
      !json["shape"][1].is_number_unsigned() || block == 0) {
    misfit(packed, "its quant_state has no shape and block size");
  }
  packed.rows = json["shape"][0].get<std::uint64_t>();
  packed.columns = json["shape"][1].get<std::uint64_t>();
  const std::array<std::uint64_t, 2> shape = {packed.rows, packed.columns};
  const std::uint64_t numbers = element_count(shape).value_or(0);
  if (numbers == 0 || (numbers + 1) / 2 != packed.codes.size ||
      (numbers + block - 1) / block != count_of(packed.scales)) {
    misfit(packed, fmt::format("its quant_state says {}, which its codes and "
                               "scales do not fit",
                               shape_text(shape)));
  }
  Opened opened;
  opened.grid = std::make_shared<PackedGrid>();
  PackedGrid& grid = *opened.grid;
  grid.steps = numbers_in(files, packed.scales);
  grid.run = block;
  const bool is_nested = packed.nested_scales && packed.nested_map;
  if (is_nested) {
    const std::vector<float> map = numbers_in(files, *packed.nested_map);
    const std::vector<float> nested = numbers_in(files, *packed.nested_scales);
    const std::uint64_t nested_block = number("nested_blocksize");
    const auto offset = json.find("nested_offset");
    if (map.size() != 256 || nested_block == 0 ||
        packed.scales.dtype != Dtype::u8 || offset == json.end() ||
        !offset->is_number() ||
        (grid.steps.size() + nested_block - 1) / nested_block !=
            nested.size()) {
      misfit(packed, "its nested scales do not fit");
    }
    for (std::size_t i = 0; i < grid.steps.size(); ++i) {
      grid.steps[i] = map[static_cast<std::size_t>(grid.steps[i])] *
                          nested[i / static_cast<std::size_t>(nested_block)] +
                      offset->get<float>();
    }
    // Codes were made with scales that were not rounded yet.
    grid.scale_room = 0.03F;
    grid.most_scale = 1.03F;
  }
  opened.table = numbers_in(files, *packed.quant_map);
  grid.levels = opened.table;
  std::sort(grid.levels.begin(), grid.levels.end());
  grid.levels.erase(std::unique(grid.levels.begin(), grid.levels.end()),
                    grid.levels.end());
  if (grid.levels.size() < 2) misfit(packed, "its quant_map has one value");
  grid.is_even = false;
  const bool is_nf4 = packed.state->name.ends_with("nf4");
  grid.words =
      fmt::format("bitsandbytes, {} in groups of {}{}", is_nf4 ? "NF4" : "FP4",
                  block, is_nested ? ", scales in eight bits" : "");
  return opened;
}

/// How far decoded numbers are from the other side's, over the first rows.
double distance(const TensorBytes& one, const TensorBytes& two) {
  constexpr std::uint64_t kMost = 1U << 16U;
  if (!is_measurable(one) || !is_measurable(two) ||
      one.numbers() != two.numbers()) {
    return std::numeric_limits<double>::infinity();
  }
  constexpr std::uint64_t kAligned = 256;
  const std::uint64_t count = std::min(kMost, one.numbers());
  if (count % kAligned != 0 && count != one.numbers()) return 0;
  std::vector<float> a(static_cast<std::size_t>(count));
  std::vector<float> b(a.size());
  one.read_floats(0, a);
  two.read_floats(0, b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double delta = static_cast<double>(a[i]) - b[i];
    if (std::isfinite(delta)) sum += delta * delta;
  }
  return sum;
}

}  // namespace

std::map<std::string, PackedPair> join_packed(
    std::vector<TensorChange>& changes) {
  Side before;
  Side after;
  std::map<std::string_view, std::size_t> by_name;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const TensorChange& change = changes[i];
    if (change.status == TensorStatus::not_compared) continue;
    if (change.before) before.emplace(change.before->name, &*change.before);
    if (change.after) after.emplace(change.after->name, &*change.after);
    by_name.emplace(change.name, i);
  }
  const auto old = find_packed(before);
  const auto now = find_packed(after);
  std::map<std::string, PackedPair> joined;
  if (old.empty() && now.empty()) return joined;
  const auto differs = [&](const std::string& name) {
    const auto found = by_name.find(name);
    return found != by_name.end() &&
           changes[found->second].status != TensorStatus::identical;
  };
  std::map<std::string, std::string> part_of;
  std::vector<TensorChange> made;
  const auto join = [&](const std::string& name) {
    if (joined.contains(name)) return;
    const auto packed_in = [&](const auto& side) {
      const auto found = side.find(name);
      return found == side.end() ? std::nullopt : std::optional(found->second);
    };
    PackedPair pair{.before = packed_in(old), .after = packed_in(now)};
    const ViewTensor* const plain_before =
        pair.before ? nullptr : find_in(before, name);
    const ViewTensor* const plain_after =
        pair.after ? nullptr : find_in(after, name);
    if ((!pair.before && plain_before == nullptr) ||
        (!pair.after && plain_after == nullptr)) {
      return;
    }
    std::vector<std::string> parts;
    for (const auto* side : {&pair.before, &pair.after}) {
      if (!*side) continue;
      const std::vector<std::string> more = parts_of(**side, name);
      parts.insert(parts.end(), more.begin(), more.end());
    }
    if (!differs(name) && std::ranges::none_of(parts, differs)) return;
    for (const std::string& part : parts) part_of.emplace(part, name);
    const auto found = by_name.find(name);
    TensorChange fresh;
    TensorChange& change =
        found == by_name.end() ? fresh : changes[found->second];
    change.name = name;
    if (!change.before) {
      change.before = plain_before != nullptr ? *plain_before
                                              : unpacked(*pair.before, name);
    }
    if (!change.after) {
      change.after =
          plain_after != nullptr ? *plain_after : unpacked(*pair.after, name);
    }
    change.status = pair.before.has_value() == pair.after.has_value()
                        ? TensorStatus::changed
                        : TensorStatus::retyped;
    if (found == by_name.end()) made.push_back(std::move(fresh));
    joined.emplace(name, std::move(pair));
  };
  for (const auto& [name, packed] : old) join(name);
  for (const auto& [name, packed] : now) join(name);
  for (TensorChange& change : changes) {
    const auto part = part_of.find(change.name);
    if (part != part_of.end()) change.part_of.emplace() = part->second;
  }
  if (!made.empty()) {
    std::ranges::move(made, std::back_inserter(changes));
    std::stable_sort(changes.begin(), changes.end(),
                     [](const TensorChange& a, const TensorChange& b) {
                       return a.name < b.name;
                     });
  }
  return joined;
}

OpenTensor open_packed(const PackedWeight& weight, bool is_version_2,
                       OpenTensors& files) {
  PackedWeight packed = weight;
  Opened opened;
  switch (packed.layout) {
    case PackedLayout::gptq:
    case PackedLayout::awq:
      opened = open_words(packed, is_version_2, files);
      break;
    case PackedLayout::compressed:
      opened = open_compressed(packed, files);
      break;
    case PackedLayout::scaled_f8:
      opened = open_scaled_f8(packed, files);
      break;
    case PackedLayout::bitsandbytes_4bit:
      opened = open_four_bits(packed, files);
      break;
    case PackedLayout::bitsandbytes_8bit:
      opened = open_eight_bits(packed, files);
      break;
  }
  for (const float step : opened.grid->steps) {
    if (!std::isfinite(step)) misfit(packed, "a scale is not a number");
  }
  // The file opened last stays open.
  OpenTensor codes = files.open(packed.codes, opened.order);
  OpenTensor found;
  found.bytes.dtype = Dtype::f32;
  found.bytes.shape = {packed.rows, packed.columns};
  found.grid = opened.grid;
  found.bytes.grid = opened.grid.get();
  found.decoded = std::make_unique<PackedSource>(
      packed, std::move(codes), opened.grid, std::move(opened.table));
  found.bytes.source = found.decoded.get();
  found.bytes.size = found.decoded->size();
  found.is_in_place = false;
  return found;
}

OpenPair open_packed_pair(const TensorChange& change, const PackedPair& packed,
                          OpenTensors& before, OpenTensors& after) {
  const auto open = [](const std::optional<PackedWeight>& weight,
                       const ViewTensor& plain, bool is_version_2,
                       OpenTensors& files) {
    return weight ? open_packed(*weight, is_version_2, files)
                  : files.open(plain, std::nullopt);
  };
  const auto both = [&](bool is_version_2) {
    return OpenPair{
        .before = open(packed.before, *change.before, is_version_2, before),
        .after = open(packed.after, *change.after, is_version_2, after),
        .reorder = std::nullopt};
  };
  OpenPair pair = both(false);
  const auto is_gptq = [](const std::optional<PackedWeight>& side) {
    return side && side->layout == PackedLayout::gptq;
  };
  // Of two of one kind, either reading gives the same differences.
  if (is_gptq(packed.before) == is_gptq(packed.after)) return pair;
  OpenPair other = both(true);
  return distance(other.before.bytes, other.after.bytes) <
                 distance(pair.before.bytes, pair.after.bytes)
             ? std::move(other)
             : std::move(pair);
}

}  // namespace impound
