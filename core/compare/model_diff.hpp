// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Everything that differs between two sides, for a person and for a script.
///
/// A side that is one file is held against what it corresponds to
/// (alignment.hpp), and all that is said is said of that: the rest of the model
/// is `not_compared`, and `identical` speaks of what was compared only.

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/compare/alignment.hpp"
#include "core/compare/file_diff.hpp"
#include "core/compare/tensor_diff.hpp"
#include "core/view/baseline.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// One side, as a result names it.
struct DiffSide {
  std::string kind;
  std::string locator;
  std::string revision;
  std::vector<ViewProblem> problems;
  /// Files of which only the digest is compared, each with the reason: nothing
  /// is passed over in silence.
  struct NotViewed {
    std::string path;
    Format format = Format::unknown;
    std::string why;
  };
  std::vector<NotViewed> not_viewed;
};

/// How much of the model was looked at.
enum class DiffScope : std::uint8_t {
  whole,  ///< everything on both sides
  part,   ///< what corresponds to the one file that a side is
};

[[nodiscard]] std::string_view to_string(DiffScope scope) noexcept;

/// Files and tensors of the model (of both sides where both are whole), and how
/// many of them were compared.
struct ComparedCounts {
  std::size_t files = 0;
  std::size_t files_total = 0;
  std::size_t tensors = 0;
  std::size_t tensors_total = 0;

  /// "1 of 3 files, 10 of 30 tensors".
  [[nodiscard]] std::string words() const;
  [[nodiscard]] Json to_json() const;
};

/// The change as a whole, in numbers. "Changed" are tensors on both sides that
/// differ.
struct ModelNumbers {
  std::size_t tensors_changed = 0;
  std::size_t tensors_added = 0;
  std::size_t tensors_removed = 0;
  std::size_t tensors_identical = 0;
  std::uint64_t elements_changed = 0;
  /// Of the largest low-rank part; 0 where none has one.
  std::size_t rank = 0;
  /// Largest ‖B−A‖/‖A‖ of a tensor; absent where nothing was measured.
  std::optional<double> relative_change;
  /// Of a direction that was changed in many tensors: the least |cos| of what
  /// one of them and another changed along.
  std::optional<double> direction_agreement;

  [[nodiscard]] Json to_json() const;
};

struct ModelDiff {
  DiffSide before;
  DiffSide after;
  std::vector<FileChange> files;
  std::vector<TensorChange> tensors;
  std::vector<MetadataChange> metadata;

  DiffScope scope = DiffScope::whole;
  // Where the scope is a part: what it was recognised by, and which side the
  // one file is.
  AlignedBy aligned_by = AlignedBy::nothing;
  bool one_file_is_after = true;

  /// Filled by explain_changes() (delta_signature.hpp): what kind of change the
  /// whole is, one sentence about it, and the numbers. None until then.
  /// `unknown` where tensors differ and the bytes of a side are not at hand.
  ModelLabel label = ModelLabel::none;
  std::string sentence;
  ModelNumbers numbers;

  /// Of what was compared, and something was: same files under the same names
  /// (a part under any name) with the same bytes, nothing unreadable.
  [[nodiscard]] bool identical() const;
  /// Of what was compared, every tensor of either side is on the other with the
  /// same bytes, however they are spread over files.
  [[nodiscard]] bool tensors_identical() const;
  [[nodiscard]] ComparedCounts compared() const;
  /// Every file and tensor of the model was compared: false of a part that
  /// leaves any out, whatever it found.
  [[nodiscard]] bool is_complete() const;

  /// {"identical","files":[{"path","status"}],"tensors":[{"name","status",
  /// "dtype","shape"}],…}; docs/diff.md.
  [[nodiscard]] Json to_json() const;
  /// The same with an empty list of tensors: of hundreds of thousands, each is
  /// printed by itself (TensorChange::to_json()).
  [[nodiscard]] Json to_json_without_tensors() const;
  /// For a person: counts, then every difference. Hostile names are escaped.
  [[nodiscard]] std::string to_text() const;
};

/// Whole against whole; where exactly one side is one file, a part. A baseline
/// of one file is a whole: it says all of what is known good.
[[nodiscard]] ModelDiff diff_models(const ModelView& before,
                                    const ModelView& after);

/// The same for views whose tensors nobody needs any more: where both are
/// wholes, they are moved into the result (take_tensors_diff()).
[[nodiscard]] ModelDiff take_diff(ModelView& before, ModelView& after);

/// What differs between a baseline and what lies there now.
/// @throws what view_tree() throws.
[[nodiscard]] ModelDiff check_against(const Baseline& baseline,
                                      const Tree& tree,
                                      const ViewOptions& options,
                                      Progress& progress,
                                      const Cancellation& cancellation);

}  // namespace impound
