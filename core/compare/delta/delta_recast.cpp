// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_recast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/error.hpp"
#include "core/compare/delta/delta_bounds.hpp"

namespace impound {
namespace {

using namespace delta_bounds;

constexpr std::uint64_t kWindowNumbers = 1U << 19U;
/// Recipes are tried on so many numbers first, or on a row: nearly all fail
/// there.
constexpr std::size_t kTaste = 256;

bool is_number(Dtype dtype) {
  return traits(dtype).kind == NumberKind::floating ||
         numbers_per_scale(dtype) > 0;
}

bool is_block(Dtype dtype) { return traits(dtype).block_elements > 1; }

std::uint64_t bytes_of(Dtype dtype, std::uint64_t numbers) {
  const DtypeTraits& type = traits(dtype);
  if (type.block_bits < 8) return numbers * type.block_bits / 8;
  return numbers / type.block_elements * (type.block_bits / 8);
}

/// Old and new numbers of one place, with what recipes need beside them.
class WindowReader {
 public:
  WindowReader(const TensorBytes& before, const TensorBytes& after)
      : before_(before), after_(after) {}

  void read(std::uint64_t first, std::size_t count) {
    first_ = first;
    old_.resize(count);
    now_.resize(count);
    before_.read_floats(first, old_);
    after_.read_floats(first, now_);
    if (is_block(after_.dtype)) read_blocks(after_, blocks_, count);
    if (!is_block(before_.dtype)) return;
    // The old side was rounded to steps of its own.
    Bytes blocks;
    read_blocks(before_, blocks, count);
    const std::vector<BlockScale> scales = block_scales(before_.dtype, blocks);
    const std::uint64_t run = numbers_per_scale(before_.dtype);
    slack_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      slack_[i] = 0.5F * std::abs(scales[i / run].step);
    }
  }

  [[nodiscard]] RecipeWindow part(std::size_t from, std::size_t to) const {
    RecipeWindow window{.first = first_ + from,
                        .old = std::span(old_).subspan(from, to - from),
                        .slack = {},
                        .now = std::span(now_).subspan(from, to - from),
                        .blocks = {}};
    if (!slack_.empty()) {
      window.slack = std::span(slack_).subspan(from, to - from);
    }
    if (!blocks_.empty()) {
      const auto at = static_cast<std::size_t>(bytes_of(after_.dtype, from));
      const auto end = static_cast<std::size_t>(bytes_of(after_.dtype, to));
      window.blocks = ByteView(blocks_).subspan(at, end - at);
    }
    return window;
  }

  [[nodiscard]] std::size_t count() const { return old_.size(); }

 private:
  void read_blocks(const TensorBytes& tensor, Bytes& blocks,
                   std::size_t count) const {
    blocks.resize(static_cast<std::size_t>(bytes_of(tensor.dtype, count)));
    tensor.source->read(tensor.offset + bytes_of(tensor.dtype, first_), blocks);
  }

  const TensorBytes& before_;
  const TensorBytes& after_;
  std::uint64_t first_ = 0;
  std::vector<float> old_;
  std::vector<float> slack_;
  std::vector<float> now_;
  Bytes blocks_;
};

/// How a recipe has done so far.
struct Trial {
  std::shared_ptr<Recipe> recipe;
  std::uint64_t seen = 0;
  std::uint64_t unexplained = 0;
  /// Of the numbers that changed. Quantising again what was quantised before
  /// changes nothing, so an edit of a few numbers must not hide among those
  /// that stayed.
  std::uint64_t changed = 0;
  std::uint64_t changed_explained = 0;

  [[nodiscard]] bool explains_changes() const {
    return static_cast<double>(changed_explained) >=
           kFewestExplained * static_cast<double>(changed);
  }

  [[nodiscard]] bool is_alive() const {
    // Of few changes, more may follow that it explains.
    constexpr std::uint64_t kFewChanges = 4096;
    return static_cast<double>(unexplained) <=
               kMostUnexplained * static_cast<double>(seen) &&
           (changed < kFewChanges || explains_changes());
  }
};

void try_on(const RecipeWindow& window, std::span<float> made, Trial& trial) {
  trial.unexplained += trial.recipe->make(window, made);
  trial.seen += made.size();
  for (std::size_t i = 0; i < made.size(); ++i) {
    const bool is_changed = window.now[i] != window.old[i];
    const bool is_explained = made[i] == window.now[i];
    trial.changed += is_changed ? 1U : 0U;
    trial.changed_explained += is_changed && is_explained ? 1U : 0U;
  }
}

/// Whole rows where rows fit a window; whole blocks in any case.
std::uint64_t window_of(std::uint64_t columns) {
  return columns <= kWindowNumbers ? kWindowNumbers / columns * columns
                                   : kWindowNumbers;
}

/// Leaves out the recipes that explain nothing of what they are tried on, in
/// two places of the first window: one may be a row that was changed. Only
/// those places are read.
void keep_plausible(const TensorBytes& before, const TensorBytes& after,
                    std::vector<Trial>& trials) {
  const std::uint64_t columns = after.columns();
  const std::uint64_t count = std::min(window_of(columns), after.numbers());
  // All that is rounded together divides a row, or is one.
  const std::uint64_t step = columns <= kWindowNumbers ? columns : kTaste;
  std::uint64_t most = kTaste;
  for (const Trial& each : trials) most = std::max(most, each.recipe->unit);
  std::vector<float> made;
  std::vector<bool> fails(trials.size(), true);
  WindowReader reader(before, after);
  const auto taste = [&](std::uint64_t from) {
    const auto read = static_cast<std::size_t>(std::min(most, count - from));
    reader.read(from, read);
    made.resize(read);
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const Recipe& recipe = *trials[i].recipe;
      const std::size_t some = std::min(
          read, std::max(static_cast<std::size_t>(recipe.unit), kTaste));
      fails[i] = fails[i] && recipe.fails_on(reader.part(0, some),
                                             std::span(made).first(some));
    }
  };
  taste(0);
  if (count > most) taste(count / 2 / step * step);
  std::size_t at = 0;
  std::erase_if(trials, [&](const Trial&) { return fails[at++]; });
}

/// Of recipes that explained so many changed numbers, every one, the first: the
/// others are the same under another name, and would be tried to the end.
void keep_proven(std::vector<Trial>& trials) {
  constexpr std::uint64_t kProven = 4096;
  const auto proven = std::ranges::find_if(trials, [](const Trial& each) {
    return each.unexplained == 0 && each.changed >= kProven;
  });
  if (proven == trials.end()) return;
  Trial kept = std::move(*proven);
  trials.clear();
  trials.push_back(std::move(kept));
}

/// The recipe that leaves the fewest numbers unexplained.
std::optional<Recast> try_all(const TensorBytes& before,
                              const TensorBytes& after,
                              std::vector<Trial> trials,
                              const Cancellation& cancellation) {
  const std::uint64_t window = window_of(after.columns());
  WindowReader reader(before, after);
  std::vector<float> made;
  keep_plausible(before, after, trials);
  for (std::uint64_t at = 0; at < after.numbers(); at += window) {
    if (trials.empty() || cancellation.requested()) return std::nullopt;
    const auto count =
        static_cast<std::size_t>(std::min(window, after.numbers() - at));
    reader.read(at, count);
    made.resize(count);
    for (Trial& trial : trials) {
      try_on(reader.part(0, count), made, trial);
    }
    std::erase_if(trials, [](const Trial& each) { return !each.is_alive(); });
    keep_proven(trials);
  }
  std::erase_if(trials,
                [](const Trial& each) { return !each.explains_changes(); });
  if (trials.empty()) return std::nullopt;
  const Trial& found = *std::min_element(trials.begin(), trials.end(),
                                         [](const Trial& a, const Trial& b) {
                                           return a.unexplained < b.unexplained;
                                         });
  Recast recast;
  recast.through = found.recipe->name();
  recast.is_quantised = found.recipe->is_quantised;
  recast.rounding = found.recipe->rounding;
  recast.share = static_cast<double>(found.seen - found.unexplained) /
                 static_cast<double>(found.seen);
  recast.unexplained = found.unexplained;
  recast.recipe = found.recipe;
  return recast;
}

/// The old numbers after a recipe, computed again at every read.
class RecipeSource final : public ByteSource {
 public:
  RecipeSource(const TensorBytes& before, const TensorBytes& after,
               std::shared_ptr<const Recipe> recipe, Dtype stored)
      : before_(before),
        after_(after),
        recipe_(std::move(recipe)),
        stored_(stored),
        width_(traits(stored).block_bits / 8) {}

  [[nodiscard]] std::uint64_t size() const override {
    return before_.numbers() * width_;
  }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      throw Error(Errc::malformed, "a read behind the last number");
    }
    if (out.empty()) return;
    // Blocks of either side begin at their multiples.
    constexpr std::uint64_t kAligned = 256;
    std::uint64_t unit = std::max(recipe_->unit, std::uint64_t{1});
    while (unit % traits(before_.dtype).block_elements != 0 ||
           unit % traits(after_.dtype).block_elements != 0 || unit < kAligned) {
      unit *= 2;
    }
    const std::uint64_t first = offset / width_ / unit * unit;
    const std::uint64_t end =
        std::min(before_.numbers(), (offset + out.size() + unit * width_ - 1) /
                                        width_ / unit * unit);
    WindowReader window(before_, after_);
    window.read(first, static_cast<std::size_t>(end - first));
    std::vector<float> made(window.count());
    (void)recipe_->make(window.part(0, window.count()), made);
    const Bytes bytes = stored_as(made);
    std::memcpy(out.data(), bytes.data() + (offset - first * width_),
                out.size());
  }

 private:
  [[nodiscard]] Bytes stored_as(const std::vector<float>& numbers) const {
    Bytes bytes(numbers.size() * width_);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (stored_ == Dtype::f32) {
        std::memcpy(bytes.data() + i * width_, &numbers[i], width_);
        continue;
      }
      const std::uint16_t bits =
          stored_ == Dtype::f16 ? to_f16(numbers[i]) : to_bf16(numbers[i]);
      std::memcpy(bytes.data() + i * width_, &bits, width_);
    }
    return bytes;
  }

  const TensorBytes& before_;
  const TensorBytes& after_;
  std::shared_ptr<const Recipe> recipe_;
  Dtype stored_;
  std::uint64_t width_;
};

}  // namespace

std::string Recast::words() const {
  return rounding == Rounding::toward_zero ? through + " (cut off)" : through;
}

std::optional<Recast> find_recast(const TensorBytes& before,
                                  const TensorBytes& after,
                                  const Cancellation& cancellation) {
  if (!is_number(before.dtype) || !is_number(after.dtype) ||
      before.numbers() != after.numbers()) {
    return std::nullopt;
  }
  const std::uint64_t columns = after.columns();
  for (const Dtype dtype : {before.dtype, after.dtype}) {
    // Rows of an odd number of half bytes do not begin at a byte, and a block
    // of a file that is read in another shape may lie across a row.
    if ((columns * traits(dtype).block_bits) % 8 != 0 ||
        columns % traits(dtype).block_elements != 0) {
      return std::nullopt;
    }
  }
  std::vector<Trial> strict;
  std::vector<Trial> searched;
  for (std::unique_ptr<Recipe>& recipe : recipes_for(before, after)) {
    (recipe->is_searched ? searched : strict)
        .push_back({.recipe = std::move(recipe)});
  }
  std::optional<Recast> found =
      try_all(before, after, std::move(strict), cancellation);
  // The room of a search would take in what was changed: only where a recipe
  // without one does not explain most.
  if (!found && !searched.empty()) {
    found = try_all(before, after, std::move(searched), cancellation);
  }
  return found;
}

Remainder remainder_of(const TensorBytes& before, const TensorBytes& after,
                       const Recast& recast) {
  const bool has_bits = after.dtype == Dtype::f16 || after.dtype == Dtype::bf16;
  const Dtype stored = has_bits ? after.dtype : Dtype::f32;
  Remainder remainder;
  remainder.source =
      std::make_unique<RecipeSource>(before, after, recast.recipe, stored);
  remainder.bytes = {.source = remainder.source.get(),
                     .dtype = stored,
                     .shape = after.shape,
                     .offset = 0,
                     .size = remainder.source->size()};
  return remainder;
}

}  // namespace impound
