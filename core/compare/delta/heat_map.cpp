// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/heat_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/base/text.hpp"
#include "core/compare/delta/model_sentence.hpp"

namespace impound {
namespace {

constexpr std::size_t kMostLayers = 512;
constexpr std::size_t kMostModules = 128;
// Pixels.
constexpr std::size_t kCell = 22;
constexpr std::size_t kLeft = 70;
constexpr std::size_t kLine = 17;    ///< of the sentence
constexpr std::size_t kLetter = 7;   ///< about, of the sentence's font
constexpr std::size_t kSlanted = 5;  ///< height of a letter of a slanted name
constexpr std::size_t kLongestName = 40;
constexpr std::size_t kBottom = 60;
constexpr std::size_t kLeastWidth = 620;

/// No layer: embeddings, final norm, output.
constexpr std::int64_t kNoLayer = -1;

struct Cell {
  bool is_changed = false;
  double relative = 0;   ///< the largest
  std::size_t rank = 0;  ///< of the tensor with it
  std::string words;     ///< of the tensor with it
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

std::size_t rank_of(const TensorChange& change) {
  if (!change.stats.is_object()) return 0;
  const auto found = change.stats.find("rank");
  return found != change.stats.end() && found->is_number_unsigned()
             ? found->get<std::size_t>()
             : 0;
}

std::string words_of(const TensorChange& change) {
  const double relative = relative_of(change);
  std::string words = change.name + ": ";
  words += change.label == TensorLabel::none ? to_string(change.status)
                                             : to_string(change.label);
  if (relative > 0) words += fmt::format(", relative change {:.3g}", relative);
  return words;
}

/// Embeddings, attention, MLP, norms, output.
int module_order(std::string_view name, const TensorPlace& place) {
  const auto has = [&](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  };
  if (place.module == "lm_head" || place.module == "output") return 5;
  if (place.is_embedding) return 0;
  if (place.is_norm) return place.layer ? 3 : 4;
  if (has("attn") || has("attention")) return 1;
  return 2;
}

/// The sentence in lines of so many letters, broken at spaces.
std::vector<std::string> wrapped(std::string_view text, std::size_t letters) {
  std::vector<std::string> lines;
  while (text.size() > letters) {
    const std::size_t space = text.rfind(' ', letters);
    const std::size_t end =
        space == std::string_view::npos || space == 0 ? letters : space;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  lines.emplace_back(text);
  return lines;
}

using Grid = std::map<std::int64_t, std::map<std::size_t, Cell>>;

Grid grid_of(const ModelDiff& diff, std::vector<std::string>& modules) {
  Grid grid;
  // From the input to the output, as the numbers flow.
  std::set<std::pair<int, std::string>> ordered;
  for (const TensorChange& change : diff.tensors) {
    if (change.status == TensorStatus::not_compared) continue;
    const TensorPlace place = place_of(change.name);
    ordered.emplace(module_order(change.name, place), place.module);
  }
  for (const auto& [order, module] : ordered) {
    if (std::find(modules.begin(), modules.end(), module) == modules.end()) {
      modules.push_back(module);
    }
  }
  for (const TensorChange& change : diff.tensors) {
    const TensorPlace place = place_of(change.name);
    const auto found = std::find(modules.begin(), modules.end(), place.module);
    const auto column = static_cast<std::size_t>(found - modules.begin());
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
      cell.rank = rank_of(change);
    }
    cell.is_changed = cell.is_changed || is_changed;
    cell.relative = std::max(cell.relative, relative);
  }
  return grid;
}

std::string legend(std::size_t y) {
  const auto entry = [&](std::size_t x, std::string_view fill,
                         std::string_view words) {
    return fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\" "
        "stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
        x, y, fill, x + 16, y + 10, words);
  };
  std::string text = fmt::format(
      "<text x=\"10\" y=\"{}\">relative change ‖B−A‖/‖A‖; a number is the rank "
      "of its low-rank part</text>\n",
      y - 8);
  std::size_t x = 10;
  text += entry(x, "#f4f4f4", "unchanged");
  x += 90;
  for (const double level : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    text += entry(x, colour(level), fmt::format("{:g}", level));
    x += 65;
  }
  return text + entry(x, "#aaa", "no numbers");
}

}  // namespace

std::string heat_map_svg(const ModelDiff& diff) {
  std::vector<std::string> modules;
  const Grid grid = grid_of(diff, modules);
  const std::size_t columns = std::min(modules.size(), kMostModules);
  const std::size_t rows = std::min(grid.size(), kMostLayers);
  const bool is_cut = columns < modules.size() || rows < grid.size();
  const std::size_t width =
      std::max(kLeft + columns * kCell + 120, kLeastWidth);
  std::size_t longest = 0;
  for (std::size_t column = 0; column < columns; ++column) {
    longest = std::max(longest, std::min(modules[column].size(), kLongestName));
  }
  const std::vector<std::string> lines =
      wrapped(diff.sentence + (is_cut ? " (only a part is shown)" : ""),
              (width - 20) / kLetter);
  const std::size_t top = lines.size() * kLine + longest * kSlanted + 30;
  const std::size_t height = top + rows * kCell + kBottom;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    svg += fmt::format("<text x=\"10\" y=\"{}\" font-size=\"13\">{}</text>\n",
                       18 + i * kLine, xml(lines[i]));
  }
  for (std::size_t column = 0; column < columns; ++column) {
    const std::size_t x = kLeft + column * kCell + kCell / 2 + 4;
    svg += fmt::format(
        "<text x=\"{0}\" y=\"{1}\" transform=\"rotate(-60 {0} {1})\">{2}"
        "</text>\n",
        x, top - 6, xml(modules[column].substr(0, kLongestName)));
  }
  std::size_t row = 0;
  for (const auto& [layer, cells] : grid) {
    if (row == rows) break;
    const std::size_t y = top + row++ * kCell;
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
      if (cell.rank > 0 && cell.is_changed) {
        svg += fmt::format(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" "
            "fill=\"{}\" pointer-events=\"none\">{}</text>\n",
            kLeft + column * kCell + kCell / 2 - 1, y + 14,
            cell.relative > 3e-3 ? "#fff" : "#000", cell.rank);
      }
    }
  }
  return svg + legend(height - 30) + "</svg>\n";
}

}  // namespace impound
