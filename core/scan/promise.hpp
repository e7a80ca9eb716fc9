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

/// What `path` promises and `subject` does not keep, as a sentence; empty if
/// nothing is promised or the promise is kept. `found` is what the subject was
/// recognised as; `has_sibling` tells whether a file of a name lies beside it.
[[nodiscard]] std::string broken_promise(
    std::string_view path, const FormatSubject& subject,
    std::span<const Format> found,
    bool (*has_sibling)(const void* context, std::string_view name),
    const void* context);

/// Whether the name promises that a model's loader reads the file.
[[nodiscard]] bool promises_model(std::string_view path);

}  // namespace impound
