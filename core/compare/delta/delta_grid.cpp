// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace impound {
namespace {

constexpr std::uint64_t kWindow = 1U << 18U;
/// In steps: how far from a border between two codes either may come.
constexpr double kBorder = 1e-3;
/// Steps beyond the last code that clipping may cut off: a search for scales
/// (GPTQ's "mse") shrinks them by up to a fifth of seven.
constexpr double kClipped = 1.5;

struct CellExtremes {
  float least = 0;
  float most = 0;
};

/// Calls `use(first, count)` for windows of whole rows, where rows fit one.
template <typename Use>
void each_window(const TensorBytes& tensor, Use use) {
  const std::uint64_t columns = tensor.columns();
  const std::uint64_t window =
      columns <= kWindow ? kWindow / columns * columns : kWindow;
  for (std::uint64_t at = 0; at < tensor.numbers(); at += window) {
    use(at, static_cast<std::size_t>(std::min(window, tensor.numbers() - at)));
  }
}

/// Least and most of the old numbers of each cell.
std::vector<CellExtremes> extremes_of(const TensorBytes& before,
                                      const CodeGrid& grid) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  std::vector<CellExtremes> found(grid.cells(), {kFar, -kFar});
  std::vector<float> numbers;
  std::vector<std::uint32_t> cells;
  each_window(before, [&](std::uint64_t first, std::size_t count) {
    numbers.resize(count);
    cells.resize(count);
    before.read_floats(first, numbers);
    grid.cells_of(first, cells);
    for (std::size_t i = 0; i < count; ++i) {
      CellExtremes& cell = found[cells[i]];
      cell.least = std::min(cell.least, numbers[i]);
      cell.most = std::max(cell.most, numbers[i]);
    }
  });
  return found;
}

/// Index of the level nearest to `x`.
std::size_t nearest_level(std::span<const float> levels, double x) {
  const auto above =
      std::lower_bound(levels.begin(), levels.end(), x,
                       [](float level, double value) { return level < value; });
  if (above == levels.begin()) return 0;
  if (above == levels.end()) return levels.size() - 1;
  const auto at = static_cast<std::size_t>(above - levels.begin());
  return x - levels[at - 1] < levels[at] - x ? at - 1 : at;
}

class GridCodes final : public Recipe {
 public:
  GridCodes(const TensorBytes& before, const CodeGrid& grid)
      : Recipe(true, 1), grid_(grid), extremes_(extremes_of(before, grid)) {}

  [[nodiscard]] std::string name() const override { return grid_.words; }

  [[nodiscard]] std::uint64_t make(const RecipeWindow& window,
                                   std::span<float> made) const override {
    std::vector<std::uint32_t> cells(made.size());
    grid_.cells_of(window.first, cells);
    std::uint64_t bad = 0;
    std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
    bool fits = false;
    BlockScale scale;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (cells[i] != last) {
        last = cells[i];
        scale = grid_.scale(last);
        fits = is_scale_of(scale, extremes_[last]);
      }
      const float slack = window.slack.empty() ? 0.0F : window.slack[i];
      const bool is_it =
          fits && can_be(scale, window.old[i], slack, window.now[i]);
      made[i] = is_it ? window.now[i] : expected(scale, fits, window.old[i]);
      bad += is_it ? 0U : 1U;
    }
    return bad;
  }

 private:
  /// Whether the old numbers of a cell ask for such a scale: not coarser than
  /// their largest needs, and no finer than clipping explains.
  [[nodiscard]] bool is_scale_of(const BlockScale& scale,
                                 const CellExtremes& at) const {
    if (!(at.least <= at.most)) return false;  // NaN, or nothing
    const double step = scale.step;
    const double largest = std::max(std::abs(static_cast<double>(at.least)),
                                    std::abs(static_cast<double>(at.most)));
    const double front = std::abs(static_cast<double>(grid_.levels.front()));
    const double back = std::abs(static_cast<double>(grid_.levels.back()));
    if (step <= 0 || largest == 0) return step == 0 || largest == 0;
    // Codes from 0 on with a zero point; else around zero.
    const bool has_zero = front == 0;
    const double width = std::max(static_cast<double>(at.most), 0.0) -
                         std::min(static_cast<double>(at.least), 0.0);
    const double symmetric =
        largest / (has_zero ? (back - 1) / 2 : std::min(front, back));
    const double ideal =
        has_zero ? std::max(width / back, symmetric) : symmetric;
    return step <= ideal * grid_.most_scale &&
           step >= 0.4 * (has_zero ? width / back : symmetric);
  }

  [[nodiscard]] bool can_be(const BlockScale& scale, float old, float slack,
                            float now) const {
    if (scale.step == 0) return now == scale.base && old == 0;
    const double u = (static_cast<double>(old) - scale.base) / scale.step;
    const double off = kBorder + slack / scale.step +
                       std::abs(static_cast<double>(old) / scale.step) *
                           (grid_.scale_room + 1e-6);
    const std::span<const float> levels(grid_.levels);
    const std::size_t code = nearest_level(
        levels, (static_cast<double>(now) - scale.base) / scale.step);
    const double level = levels[code];
    const double low =
        code == 0 ? level - kClipped * (grid_.is_even ? 1 : levels[1] - level)
                  : (level + levels[code - 1]) / 2;
    const double high =
        code + 1 == levels.size()
            ? level + kClipped * (grid_.is_even ? 1 : level - levels[code - 1])
            : (level + levels[code + 1]) / 2;
    return low - border(code, off) <= u && u <= high + border(code, off);
  }

  /// The borders of uneven levels are as close as the levels are.
  [[nodiscard]] double border(std::size_t code, double off) const {
    if (grid_.is_even) return off;
    const std::span<const float> levels(grid_.levels);
    const double gap = code + 1 < levels.size()
                           ? levels[code + 1] - levels[code]
                           : levels[code] - levels[code - 1];
    return off - kBorder + kBorder * gap;
  }

  [[nodiscard]] float expected(const BlockScale& scale, bool fits,
                               float old) const {
    if (!fits || scale.step == 0) return old;
    const double u = (static_cast<double>(old) - scale.base) / scale.step;
    return static_cast<float>(scale.base +
                              static_cast<double>(scale.step) *
                                  grid_.levels[nearest_level(grid_.levels, u)]);
  }

  const CodeGrid& grid_;
  std::vector<CellExtremes> extremes_;
};

/// What rounding to the nearest of the levels makes of one number, expected.
class Expected {
 public:
  explicit Expected(const CodeGrid& grid) : grid_(grid) {}

  [[nodiscard]] double squares(const BlockScale& scale, float now) const {
    if (grid_.is_even) {
      return static_cast<double>(scale.step) * scale.step / 12;
    }
    if (scale.step == 0) return 0;
    const std::span<const float> levels(grid_.levels);
    const std::size_t code = nearest_level(
        levels, (static_cast<double>(now) - scale.base) / scale.step);
    const std::size_t low = code == 0 ? 0 : code - 1;
    const std::size_t high = std::min(code + 1, levels.size() - 1);
    const double gap = static_cast<double>(levels[high] - levels[low]) /
                       static_cast<double>(high - low) * scale.step;
    return gap * gap / 12;
  }

 private:
  const CodeGrid& grid_;
};

/// A window of both, with the cells of its numbers.
struct GridWindow {
  std::uint64_t first = 0;
  std::vector<float> old;
  std::vector<float> now;
  std::vector<std::uint32_t> cells;
};

template <typename Use>
void each_grid_window(const TensorBytes& before, const TensorBytes& after,
                      const Cancellation& cancellation, Use use) {
  GridWindow window;
  each_window(after, [&](std::uint64_t first, std::size_t count) {
    if (cancellation.requested()) return;
    window.first = first;
    window.old.resize(count);
    window.now.resize(count);
    window.cells.resize(count);
    before.read_floats(first, window.old);
    after.read_floats(first, window.now);
    after.grid->cells_of(first, window.cells);
    use(window);
  });
}

/// Rows whose error is so many times the usual one's.
std::vector<std::uint64_t> loud_rows(const std::vector<double>& error) {
  constexpr double kLoud = 6;
  constexpr std::size_t kMostLoud = 8;
  constexpr std::size_t kFewestRows = 16;
  if (error.size() < kFewestRows) return {};
  std::vector<double> sorted = error;
  const auto middle =
      sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const double usual = *middle;
  std::vector<std::uint64_t> rows;
  for (std::size_t row = 0; row < error.size(); ++row) {
    if (error[row] > kLoud * usual) rows.push_back(row);
  }
  if (rows.size() > kMostLoud) rows.clear();
  return rows;
}

}  // namespace

std::unique_ptr<Recipe> grid_recipe(const TensorBytes& before,
                                    const TensorBytes& after) {
  return std::make_unique<GridCodes>(before, *after.grid);
}

double grid_squares(const TensorBytes& tensor) {
  const Expected expected(*tensor.grid);
  std::vector<float> numbers;
  std::vector<std::uint32_t> cells;
  double squares = 0;
  each_window(tensor, [&](std::uint64_t first, std::size_t count) {
    numbers.resize(count);
    cells.resize(count);
    tensor.read_floats(first, numbers);
    tensor.grid->cells_of(first, cells);
    for (std::size_t i = 0; i < count; ++i) {
      squares += expected.squares(tensor.grid->scale(cells[i]), numbers[i]);
    }
  });
  return squares;
}

GridLook look_at_grid(const TensorBytes& before, const TensorBytes& after,
                      const Cancellation& cancellation) {
  const Expected expected(*after.grid);
  const auto columns = static_cast<std::size_t>(after.columns());
  std::vector<double> row_error(static_cast<std::size_t>(after.rows()), 0);
  std::vector<double> dot(columns, 0);
  std::vector<double> squares(columns, 0);
  std::uint64_t nearest = 0;
  double error = 0;
  double rounding = 0;
  GridLook look;
  each_grid_window(before, after, cancellation, [&](const GridWindow& window) {
    for (std::size_t i = 0; i < window.old.size(); ++i) {
      const BlockScale scale = after.grid->scale(window.cells[i]);
      const double old = window.old[i];
      const double now = window.now[i];
      const double off = now - old;
      const std::uint64_t at = window.first + i;
      const double step =
          std::sqrt(12 * expected.squares(scale, window.now[i]));
      error += off * off;
      rounding += step * step / 12;
      row_error[static_cast<std::size_t>(at / columns)] += off * off;
      dot[static_cast<std::size_t>(at % columns)] += old * now;
      squares[static_cast<std::size_t>(at % columns)] += old * old;
      if (step > 0) {
        look.most_steps = std::max(look.most_steps, std::abs(off) / step);
        nearest += std::abs(off) <= 0.5 * step * (1 + 1e-3) ? 1U : 0U;
      }
    }
  });
  look.nearest =
      static_cast<double>(nearest) /
      static_cast<double>(std::max<std::uint64_t>(1, after.numbers()));
  if (!(rounding > 0)) return look;
  look.error = std::sqrt(error / rounding);
  look.rows = loud_rows(row_error);
  // Factors of columns: what is left once each is taken out.
  std::vector<double> factor(columns, 1);
  for (std::size_t j = 0; j < columns; ++j) {
    if (squares[j] > 0) factor[j] = dot[j] / squares[j];
  }
  double left = 0;
  each_grid_window(before, after, cancellation, [&](const GridWindow& window) {
    for (std::size_t i = 0; i < window.old.size(); ++i) {
      const auto j = static_cast<std::size_t>((window.first + i) % columns);
      const double off = window.now[i] - factor[j] * window.old[i];
      left += off * off;
    }
  });
  look.error_by_column = std::sqrt(left / rounding);
  const auto [least, most] = std::minmax_element(factor.begin(), factor.end());
  look.least_factor = *least;
  look.most_factor = *most;
  look.has_column_factors = look.error > 2 * look.error_by_column;
  return look;
}

}  // namespace impound
