// SPDX-License-Identifier: Apache-2.0
// Halko, Martinsson, Tropp 2011: Y = DΩ, Z = Dᵀ·orth(Y), W = D·orth(Z). W's
// singular values are D's after half a power iteration more than the plain
// method, for the same three passes.
#include "core/compare/delta/delta_spectrum.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <future>
#include <random>
#include <thread>

#include "core/base/limits.hpp"
#include "core/compare/delta/delta_panel.hpp"

namespace impound {
namespace {

/// Columns of the sketch beyond kMostRank: the last ones are inexact.
constexpr std::size_t kOversampling = 16;
static_assert(kMostRank + kOversampling == kPanelColumns);
/// Singular vectors that are kept: an edit of any rank that is told apart can
/// be taken away from its tensor (delta_truncation.hpp).
constexpr std::size_t kKeptVectors = kMostRank;
/// Below this, every matrix is of low rank.
constexpr std::uint64_t kSmallestSide = 8;
/// Numbers of one window.
constexpr std::uint64_t kWindowNumbers = 1U << 20U;
constexpr std::uint64_t kMostSketchBytes = 128 * limits::kMiB;
/// Share of F² below which single precision has nothing to say.
constexpr double kFloatFloor = 1e-5;

using Index = Eigen::Index;
using Matrix = Eigen::MatrixXf;
using RowMajor =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
/// Rows of kPanelColumns floats, the unused columns zero.
using Panel = Eigen::Matrix<float, Eigen::Dynamic,
                            static_cast<int>(kPanelColumns), Eigen::RowMajor>;

Panel panel_of(const Matrix& columns) {
  Panel panel = Panel::Zero(columns.rows(), static_cast<Index>(kPanelColumns));
  panel.leftCols(columns.cols()) = columns;
  return panel;
}

struct Sketch {
  std::uint64_t rows;
  std::uint64_t columns;
  std::uint64_t rows_per_window;
  float scale;  ///< D is multiplied by it, so that squares stay finite
  bool has_not_finite;
};

/// D of one window of rows.
void read_window(const TensorBytes& before, const TensorBytes& after,
                 const Sketch& sketch, std::uint64_t first_row, RowMajor& delta,
                 std::vector<float>& old) {
  const std::uint64_t count =
      std::min(sketch.rows_per_window, sketch.rows - first_row);
  const std::uint64_t from = first_row * sketch.columns;
  const auto numbers = static_cast<std::size_t>(count * sketch.columns);
  delta.resize(static_cast<Index>(count), static_cast<Index>(sketch.columns));
  old.resize(numbers);
  before.read_floats(from, old);
  after.read_floats(from, std::span(delta.data(), numbers));
  delta -= Eigen::Map<const RowMajor>(old.data(), delta.rows(), delta.cols());
  if (sketch.has_not_finite) {
    delta =
        delta.unaryExpr([](float d) { return std::isfinite(d) ? d : 0.0F; });
  }
  delta *= sketch.scale;
}

/// Calls `use(first_row, D)` for every window of one lane.
template <typename Use>
void each_window(const TensorBytes& before, const TensorBytes& after,
                 const Sketch& sketch, unsigned lane, unsigned lanes,
                 const Cancellation& cancellation, Use use) {
  RowMajor delta;
  std::vector<float> old;
  const std::uint64_t step = sketch.rows_per_window * lanes;
  for (std::uint64_t row = sketch.rows_per_window * lane; row < sketch.rows;
       row += step) {
    if (cancellation.requested()) return;
    read_window(before, after, sketch, row, delta, old);
    use(static_cast<Index>(row), delta);
  }
}

/// Runs `work(lane)` on every lane and waits for all of them.
template <typename Work>
void on_lanes(unsigned lanes, Work work) {
  std::vector<std::future<void>> others;
  for (unsigned i = 1; i < lanes; ++i) {
    others.push_back(std::async(std::launch::async, [&work, i] { work(i); }));
  }
  work(0);
  for (auto& other : others) other.get();
}

/// Rows with a change, and the columns with one.
std::uint64_t mark_changed(const RowMajor& delta,
                           std::vector<std::uint8_t>& columns) {
  std::uint64_t rows = 0;
  const auto k = static_cast<std::size_t>(delta.cols());
  for (Index i = 0; i < delta.rows(); ++i) {
    const float* row = delta.data() + i * delta.cols();
    std::uint8_t any = 0;
    for (std::size_t j = 0; j < k; ++j) {
      const std::uint8_t is_changed = row[j] != 0 ? 1 : 0;
      columns[j] |= is_changed;
      any |= is_changed;
    }
    rows += any;
  }
  return rows;
}

Matrix orthonormal(const Matrix& columns) {
  const Eigen::HouseholderQR<Matrix> qr(columns);
  return qr.householderQ() * Matrix::Identity(columns.rows(), columns.cols());
}

Matrix gaussian(Index rows, Index columns) {
  // A fixed seed: the same evidence gives the same numbers.
  std::mt19937 random(20260101U);
  std::normal_distribution<float> normal;
  Matrix matrix(rows, columns);
  for (float& each : matrix.reshaped()) each = normal(random);
  return matrix;
}

std::string reason_for_none(const TensorBytes& before,
                            const TensorBytes& after) {
  const std::uint64_t rows = after.rows();
  const std::uint64_t columns = after.columns();
  if (std::min(rows, columns) < kSmallestSide) {
    return fmt::format("{} × {} is too small for a spectrum", rows, columns);
  }
  if (before.rows() != rows || before.columns() != columns) {
    return "another shape";
  }
  for (const Dtype dtype : {before.dtype, after.dtype}) {
    const DtypeTraits& type = traits(dtype);
    if (columns % type.block_elements != 0 ||
        (columns * type.block_bits) % 8 != 0) {
      return "rows do not begin at whole bytes";
    }
  }
  const std::uint64_t width = kMostRank + kOversampling;
  if (rows + columns > kMostSketchBytes / (width * sizeof(float)) ||
      columns > kWindowNumbers * 4) {
    return fmt::format("{} × {} is too large for a sketch of {} MiB", rows,
                       columns, kMostSketchBytes / limits::kMiB);
  }
  return {};
}

/// σ and vectors of W = D·Q by the eigenvalues of WᵀW in double: with floats in
/// W, half of double's digits are as many as there are.
void decompose(const Matrix& w, const Matrix& q, double scale,
               Spectrum& spectrum) {
  const Eigen::MatrixXd wide = w.cast<double>();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(wide.transpose() *
                                                              wide);
  const Index count = w.cols();
  for (Index i = count - 1; i >= 0; --i) {
    spectrum.sigma.push_back(std::sqrt(std::max(0.0, solver.eigenvalues()(i))) /
                             scale);
  }
  spectrum.kept =
      std::min(static_cast<std::size_t>(count), std::size_t{kKeptVectors});
  for (std::size_t i = 0; i < spectrum.kept; ++i) {
    const Eigen::VectorXd v =
        solver.eigenvectors().col(count - 1 - static_cast<Index>(i));
    const Eigen::VectorXf right = q * v.cast<float>();
    Eigen::VectorXf left = (wide * v).cast<float>();
    left.normalize();
    spectrum.left.insert(spectrum.left.end(), left.begin(), left.end());
    spectrum.right.insert(spectrum.right.end(), right.begin(), right.end());
  }
}

}  // namespace

double Spectrum::energy(std::size_t rank) const {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(rank, sigma.size()); ++i) {
    sum += sigma[i] * sigma[i];
  }
  return squares > 0 ? std::min(1.0, sum / squares) : 0;
}

double Spectrum::stable_rank() const {
  return empty() || sigma[0] == 0 ? 0 : squares / (sigma[0] * sigma[0]);
}

double Spectrum::noise_rank() const {
  const auto m = static_cast<double>(rows);
  const auto k = static_cast<double>(columns);
  const double sides = std::sqrt(m) + std::sqrt(k);
  return m * k / (sides * sides);
}

std::size_t Spectrum::rank90() const {
  for (std::size_t r = 1; r <= sigma.size(); ++r) {
    if (energy(r) >= 0.9) return r;
  }
  return 0;
}

std::size_t Spectrum::significant_rank() const {
  const auto m = static_cast<double>(rows);
  const auto k = static_cast<double>(columns);
  const double per_number = (std::sqrt(m) + std::sqrt(k)) / std::sqrt(m * k);
  double rest = squares;
  std::size_t rank = 0;
  while (rank < std::min(sigma.size(), kMostRank)) {
    if (rest <= squares * kFloatFloor) break;
    const double edge = std::sqrt(rest) * per_number;
    if (sigma[rank] <= 1.10 * edge) break;
    rest -= sigma[rank] * sigma[rank];
    ++rank;
  }
  return rank;
}

double Spectrum::gap(std::size_t rank) const {
  if (rank == 0 || rank >= sigma.size()) return 0;
  // σ below what floats can tell are noise of the method.
  const double floor = sigma[0] * 1e-7;
  return sigma[rank - 1] / std::max(sigma[rank], floor);
}

Spectrum measure_spectrum(const TensorBytes& before, const TensorBytes& after,
                          const DeltaStatistics& statistics, unsigned threads,
                          const Cancellation& cancellation) {
  Spectrum spectrum;
  spectrum.rows = after.rows();
  spectrum.columns = after.columns();
  spectrum.squares = statistics.sums.delta_squares;
  spectrum.missing = reason_for_none(before, after);
  if (spectrum.missing.empty() && !(statistics.sums.max_delta > 0)) {
    spectrum.missing = "no finite number differs";
  }
  if (!spectrum.missing.empty()) return spectrum;

  const Sketch sketch{.rows = spectrum.rows,
                      .columns = spectrum.columns,
                      .rows_per_window = std::max<std::uint64_t>(
                          1, kWindowNumbers / spectrum.columns),
                      .scale = static_cast<float>(std::clamp(
                          1 / statistics.sums.max_delta, 1e-37, 1e37)),
                      .has_not_finite = statistics.sums.not_finite > 0};
  const std::uint64_t windows =
      (sketch.rows + sketch.rows_per_window - 1) / sketch.rows_per_window;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  // Each lane sums a sketch of its own over the columns.
  const std::uint64_t most_lanes =
      kMostSketchBytes /
      (spectrum.columns * (kMostRank + kOversampling) * sizeof(float));
  const auto lanes = static_cast<unsigned>(std::clamp<std::uint64_t>(
      threads == 0 ? cores : threads, 1,
      std::max<std::uint64_t>(1, std::min(windows, most_lanes))));
  const auto m = static_cast<Index>(spectrum.rows);
  const auto k = static_cast<Index>(spectrum.columns);
  const Index width =
      std::min({static_cast<Index>(kMostRank + kOversampling), m, k});

  const Instructions set = best_instructions();
  const auto sides = [](const RowMajor& delta) {
    return std::pair(static_cast<std::size_t>(delta.rows()),
                     static_cast<std::size_t>(delta.cols()));
  };
  const auto panel_width = static_cast<Index>(kPanelColumns);
  Panel y = Panel::Zero(m, panel_width);
  std::vector<std::uint64_t> rows_changed(lanes, 0);
  std::vector<std::vector<std::uint8_t>> columns_changed(
      lanes, std::vector<std::uint8_t>(static_cast<std::size_t>(k), 0));
  {
    const Panel omega = panel_of(gaussian(k, width));
    on_lanes(lanes, [&](unsigned lane) {
      each_window(before, after, sketch, lane, lanes, cancellation,
                  [&](Index first, const RowMajor& delta) {
                    const auto [rows, columns] = sides(delta);
                    multiply_panel(delta.data(), rows, columns, omega.data(),
                                   y.row(first).data(), set);
                    rows_changed[lane] +=
                        mark_changed(delta, columns_changed[lane]);
                  });
    });
  }
  const Panel range = panel_of(orthonormal(y.leftCols(width)));
  y.resize(0, panel_width);
  std::vector<Panel> parts(lanes, Panel::Zero(k, panel_width));
  on_lanes(lanes, [&](unsigned lane) {
    each_window(before, after, sketch, lane, lanes, cancellation,
                [&](Index first, const RowMajor& delta) {
                  const auto [rows, columns] = sides(delta);
                  multiply_panel_transposed(delta.data(), rows, columns,
                                            range.row(first).data(),
                                            parts[lane].data(), set);
                });
  });
  for (unsigned i = 1; i < lanes; ++i) parts[0] += parts[i];
  const Matrix domain = orthonormal(parts[0].leftCols(width));
  parts.clear();
  Panel w = Panel::Zero(m, panel_width);
  {
    const Panel basis = panel_of(domain);
    on_lanes(lanes, [&](unsigned lane) {
      each_window(before, after, sketch, lane, lanes, cancellation,
                  [&](Index first, const RowMajor& delta) {
                    const auto [rows, columns] = sides(delta);
                    multiply_panel(delta.data(), rows, columns, basis.data(),
                                   w.row(first).data(), set);
                  });
    });
  }
  if (cancellation.requested()) {
    spectrum.missing = "stopped";
    return spectrum;
  }
  for (const std::uint64_t each : rows_changed) spectrum.rows_changed += each;
  for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
    if (std::any_of(columns_changed.begin(), columns_changed.end(),
                    [&](const auto& lane) { return lane[i] != 0; })) {
      ++spectrum.columns_changed;
    }
  }
  decompose(w.leftCols(width), domain, static_cast<double>(sketch.scale),
            spectrum);
  return spectrum;
}

}  // namespace impound
