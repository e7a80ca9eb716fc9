// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a change in the small files of a Hugging Face folder means for whoever
/// uses the model: tokenizers, generation settings, adapters, chat templates.

#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/source.hpp"

namespace impound {

/// What is said about a file beside its plain differences.
struct FileMeaning {
  std::vector<std::string> notes;  ///< sentences, printable
  Json vocabulary;                 ///< diff_vocabulary(); null if equal
  /// JSON pointers whose plain differences are left out: said better here.
  std::vector<std::string> said;
};

/// `name` is the file's own, without folders. Documents are at most
/// limits::kMaxDepth deep.
[[nodiscard]] FileMeaning explain_config(std::string_view name,
                                         const Json& before, const Json& after);

// By file; used by explain_config().
void explain_tokenizer(const Json& before, const Json& after,
                       FileMeaning& meaning);
void explain_special_tokens(const Json& before, const Json& after,
                            FileMeaning& meaning);
void explain_generation(const Json& before, const Json& after,
                        FileMeaning& meaning);
void explain_adapter(const Json& before, const Json& after,
                     FileMeaning& meaning);

/// "LoRA, r 16, alpha 32, on q_proj, v_proj, for base-model": of an
/// adapter_config.json; hostile texts are escaped and cut.
[[nodiscard]] std::string adapter_words(const Json& config);

/// {"notes","vocabulary"} about two SentencePiece models (tokenizer.model);
/// null where either is none.
[[nodiscard]] Json explain_sentencepiece(const ByteSource& before,
                                         const ByteSource& after);

/// What a chat template does that the one before did not, in sentences.
[[nodiscard]] std::vector<std::string> template_notes(std::string_view before,
                                                      std::string_view after);

}  // namespace impound
