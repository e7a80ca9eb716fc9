// SPDX-License-Identifier: Apache-2.0
// Every instruction set gives the product that plain loops in double give.
#include "core/compare/delta/delta_panel.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"

namespace impound::test {
namespace {

double largest_difference(const Floats& one, const std::vector<double>& two) {
  double most = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(one[i]) - two[i]));
  }
  return most;
}

TEST_CASE("panels are multiplied alike by all instruction sets",
          "[compare][delta]") {
  struct Shape {
    std::size_t rows;
    std::size_t columns;
  };
  // Groups and blocks that end early, and more than one block.
  for (const Shape& shape :
       {Shape{1, 1}, Shape{3, 7}, Shape{5, 300}, Shape{18, 2050}}) {
    const Floats d = normal_numbers(shape.rows * shape.columns, 1, 1);
    const Floats x = normal_numbers(shape.columns * kPanelColumns, 1, 2);
    const Floats q = normal_numbers(shape.rows * kPanelColumns, 1, 3);
    std::vector<double> y(shape.rows * kPanelColumns, 1);
    std::vector<double> z(shape.columns * kPanelColumns, 1);
    for (std::size_t i = 0; i < shape.rows; ++i) {
      for (std::size_t j = 0; j < shape.columns; ++j) {
        const double number = d[i * shape.columns + j];
        for (std::size_t c = 0; c < kPanelColumns; ++c) {
          y[i * kPanelColumns + c] += number * x[j * kPanelColumns + c];
          z[j * kPanelColumns + c] += number * q[i * kPanelColumns + c];
        }
      }
    }
    for (const Instructions set :
         {Instructions::portable, Instructions::avx2, Instructions::avx512}) {
      if (set > best_instructions()) continue;
      INFO(to_string(set) << " " << shape.rows << " " << shape.columns);
      Floats found_y(y.size(), 1);  // they add to what is there
      Floats found_z(z.size(), 1);
      multiply_panel(d.data(), shape.rows, shape.columns, x.data(),
                     found_y.data(), set);
      multiply_panel_transposed(d.data(), shape.rows, shape.columns, q.data(),
                                found_z.data(), set);
      CHECK(largest_difference(found_y, y) < 2e-3);
      CHECK(largest_difference(found_z, z) < 2e-3);
    }
  }
}

}  // namespace
}  // namespace impound::test
