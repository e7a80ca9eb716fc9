// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a name or a place promises about a file.
///
/// A loader that is handed x.pkl does not ask whether it looks like a pickle.
/// So what is called one, and is nothing that was recognised, is no file that
/// holds no code: it is a file that nobody has read. The same is true of
/// data.pkl within a zip, which torch unpickles, and of the JSON files of a
/// repository, which their loaders look up by name.

#include <span>
#include <string>
#include <string_view>

#include "core/evidence/tree.hpp"
#include "core/formats/recognise.hpp"

namespace impound {

/// The other files of the folder, or of the archive, that a subject lies in.
class Beside {
 public:
  Beside() = default;
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  virtual ~Beside() = default;

  [[nodiscard]] virtual bool has(std::string_view name) const = 0;
  /// Whether a file whose name ends so holds the word among its first 64 MiB.
  /// Files of an archive are not looked into: false.
  [[nodiscard]] virtual bool is_named_in(std::string_view ending,
                                         std::string_view word) const = 0;
};

/// What `path` promises and `subject` does not keep, as a sentence; empty if
/// nothing is promised or the promise is kept. `found` is what the subject was
/// recognised as.
[[nodiscard]] std::string broken_promise(std::string_view path,
                                         const FormatSubject& subject,
                                         std::span<const Format> found,
                                         const Beside& beside);

/// The same of a subject that was recognised, and not read to its end.
[[nodiscard]] std::string unkept_to_its_end(std::string_view path);

/// Whether the name promises that a model's loader reads the file.
[[nodiscard]] bool promises_model(std::string_view path);

}  // namespace impound
