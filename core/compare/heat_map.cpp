// SPDX-License-Identifier: Apache-2.0
#include "core/compare/heat_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/text.hpp"
#include "core/compare/model_sentence.hpp"

namespace impound {
namespace {

constexpr std::size_t kMostLayers = 512;
constexpr std::size_t kMostModules = 128;
// Pixels.
constexpr std::size_t kCell = 22;
constexpr std::size_t kLeft = 70;
constexpr std::size_t kTop = 190;
constexpr std::size_t kBottom = 60;

/// No layer: embeddings, final norm, output.
constexpr std::int64_t kNoLayer = -1;

struct Cell {
  bool is_changed = false;
  double relative = 0;  ///< the largest
  std::string words;    ///< of the tensor with it
};

std::string xml(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// White, through yellow and red, to nearly black: readable without colours.
std::string colour(double relative) {
  const double level =
      std::clamp((std::log10(std::max(relative, 1e-9)) + 5) / 5, 0.0, 1.0);
  const auto shade = [](double x) {
    return static_cast<int>(std::lround(255 * std::clamp(x, 0.0, 1.0)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", shade(1.9 - 1.5 * level),
                     shade(0.95 - 0.95 * level), shade(0.6 - 1.2 * level));
}

double relative_of(const TensorChange& change) {
  if (!change.stats.is_object()) return 0;
  const auto found = change.stats.find("rel");
  return found != change.stats.end() && found->is_number()
             ? found->get<double>()
             : 0;
}

std::string words_of(const TensorChange& change) {
  const double relative = relative_of(change);
  std::string words = change.name + ": ";
  words += change.label.empty() ? to_string(change.status)
                                : std::string_view(change.label);
  if (relative > 0) words += fmt::format(", relative change {:.3g}", relative);
  return words;
}

using Grid = std::map<std::int64_t, std::map<std::size_t, Cell>>;

Grid grid_of(const ModelDiff& diff, std::vector<std::string>& modules) {
  Grid grid;
  for (const TensorChange& change : diff.tensors) {
    const TensorPlace place = place_of(change.name);
    const auto found = std::find(modules.begin(), modules.end(), place.module);
    const auto column = static_cast<std::size_t>(found - modules.begin());
    if (found == modules.end()) modules.push_back(place.module);
    const std::int64_t layer =
        place.layer ? static_cast<std::int64_t>(
                          std::min<std::uint64_t>(*place.layer, INT64_MAX))
                    : kNoLayer;
    Cell& cell = grid[layer][column];
    const bool is_changed = change.status != TensorStatus::identical;
    const double relative = relative_of(change);
    if (cell.words.empty() || (is_changed && !cell.is_changed) ||
        relative > cell.relative) {
      cell.words = words_of(change);
    }
    cell.is_changed = cell.is_changed || is_changed;
    cell.relative = std::max(cell.relative, relative);
  }
  return grid;
}

std::string legend(std::size_t y) {
  std::string text;
  std::size_t x = kLeft;
  for (const double level : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    text += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>"
        "<text x=\"{}\" y=\"{}\">{:g}</text>\n",
        x, y, colour(level), x + 16, y + 10, level);
    x += 60;
  }
  return text +
         fmt::format(
             "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" "
             "fill=\"#aaa\"/><text x=\"{}\" y=\"{}\">no numbers</text>\n",
             x, y, x + 16, y + 10);
}

}  // namespace

std::string heat_map_svg(const ModelDiff& diff) {
  std::vector<std::string> modules;
  const Grid grid = grid_of(diff, modules);
  const std::size_t columns = std::min(modules.size(), kMostModules);
  const std::size_t rows = std::min(grid.size(), kMostLayers);
  const bool is_cut = columns < modules.size() || rows < grid.size();
  const std::size_t width =
      std::max<std::size_t>(kLeft + columns * kCell + 120, 560);
  const std::size_t height = kTop + rows * kCell + kBottom;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text x=\"10\" y=\"18\" font-size=\"13\">{}{}</text>\n",
      width, height, xml(diff.sentence),
      is_cut ? " (only a part is shown)" : "");
  for (std::size_t column = 0; column < columns; ++column) {
    const std::size_t x = kLeft + column * kCell + kCell / 2 + 4;
    svg += fmt::format(
        "<text x=\"{0}\" y=\"{1}\" transform=\"rotate(-60 {0} {1})\">{2}"
        "</text>\n",
        x, kTop - 6, xml(modules[column].substr(0, 40)));
  }
  std::size_t row = 0;
  for (const auto& [layer, cells] : grid) {
    if (row == rows) break;
    const std::size_t y = kTop + row++ * kCell;
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", kLeft - 6,
        y + 15, layer == kNoLayer ? "model" : std::to_string(layer));
    for (const auto& [column, cell] : cells) {
      if (column >= columns) continue;
      const std::string fill = !cell.is_changed    ? "#f4f4f4"
                               : cell.relative > 0 ? colour(cell.relative)
                                                   : "#aaa";
      svg += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
          "stroke=\"#ddd\"><title>{}</title></rect>\n",
          kLeft + column * kCell, y, kCell - 2, kCell - 2, fill,
          xml(cell.words));
    }
  }
  return svg + legend(height - 30) + "</svg>\n";
}

}  // namespace impound
