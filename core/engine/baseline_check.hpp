// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a file that somebody names as a baseline really is, found out before
/// anything rests on it.
///
/// A comparison with the wrong file does not fail: everything differs, and each
/// difference is signed as a finding. So a baseline is opened, its signature
/// checked and its kind named when a deployment is checked, when a run is
/// planned, and before a run writes its first entry.

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/json.hpp"
#include "core/engine/model_sides.hpp"
#include "core/view/baseline.hpp"

namespace impound {

enum class BaselineKind : std::uint8_t {
  model,        ///< a baseline document of a model
  dataset,      ///< a baseline document of training data
  model_files,  ///< no document: files that hold weights, which nobody signed
  none,         ///< nothing that a model can be compared with
};

[[nodiscard]] std::string_view to_string(BaselineKind kind) noexcept;

/// What a baseline is wanted for.
enum class BaselineUse : std::uint8_t {
  model,             ///< it is read as one of a model
  whatever_differs,  ///< it is compared only, and a comparison refuses another
                     ///< kind itself: training data is as good
};

struct BaselineCheck {
  std::filesystem::path path;
  BaselineKind kind = BaselineKind::none;
  /// What it is, where it is no baseline: "a folder of 3 files, none of which
  /// holds weights".
  std::string what;
  std::string provenance;  ///< a sentence on name, age, signature and key
  BaselineSignature signature = BaselineSignature::absent;
  std::string key_fingerprint;  ///< hex; empty without a valid signature
  std::string sha256;           ///< of the document; empty without one
  std::size_t weights = 0;      ///< files that hold weights
  BaselineUse use = BaselineUse::model;

  /// What is wanted can be compared with it, and whoever signed it signed this.
  [[nodiscard]] bool is_usable() const;
  [[nodiscard]] std::string sentence() const;  ///< without a full stop
  [[nodiscard]] Json to_json() const;
  /// @throws Error{bad_input} naming the file and what it is, Error{integrity}
  ///         if a signature does not verify.
  void require_usable() const;
};

/// Opens it; never throws for what it finds. `path` is a baseline document, a
/// folder, a file, or the bundle of an exhibit.
[[nodiscard]] BaselineCheck check_baseline(const std::filesystem::path& path);
/// The same of a side that is open already.
[[nodiscard]] BaselineCheck check_baseline(const ModelSide& side);

}  // namespace impound
