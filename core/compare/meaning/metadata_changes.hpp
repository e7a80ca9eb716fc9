// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What changed inside the metadata of weights files: arrays by their elements,
/// vocabularies by token, templates line by line; and what a GGUF file carries
/// against what stands in files beside safetensors.

#include <cstdint>

#include "core/compare/model_diff.hpp"

namespace impound {

/// Strings of one array that are compared one by one (vocabularies have less
/// than a million); beyond, only the digests speak.
inline constexpr std::uint64_t kMostComparedStrings = 2'000'000;
/// Numbers of one array that are compared one by one.
inline constexpr std::uint64_t kMostComparedNumbers = 16'000'000;

/// Sets MetadataChange::content where there is more to say than two values:
/// {"unified"}, {"notes"}, {"vocabulary"} (diff_vocabulary()) and, of arrays,
/// {"count_before","count_after","different","first_different","before",
/// "after"}. A chat template or a vocabulary of a GGUF file that the other side
/// has in its tokenizer files is compared with those, and is no change where it
/// is the same. Reads the headers of GGUF files again; needs the bytes.
void explain_metadata(ModelDiff& diff, const ModelView& before,
                      const ModelView& after);

}  // namespace impound
