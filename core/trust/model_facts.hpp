// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the bytes of a model say about itself beyond digests: formats,
/// architecture, chat templates, the repository it came from. Bills of material
/// state these things; here is what they are held against.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/view/model_view.hpp"

namespace impound {

/// A chat template of the model: where it stands, and the SHA-256 of its UTF-8
/// text as the loader sees it (JSON escapes undone).
struct TemplateFact {
  std::string where;  ///< "tokenizer_config.json", "model.gguf: default" …
  Digest sha256;
};

struct ModelFacts {
  /// False where only digests are at hand (a baseline): formats, architecture
  /// and templates are then unknown, not absent.
  bool has_bytes = false;
  std::map<std::string, std::string> formats;  ///< file path → "safetensors" …
  std::string architecture;  ///< config.json architectures[0]; else GGUF's
  std::string family;        ///< config.json model_type; else GGUF's
  std::vector<TemplateFact> templates;
  /// "EleuterAI/gpt-j-6B" where the locator is in a Hugging Face cache.
  std::string repository;
  std::uint64_t parameters = 0;  ///< elements of all tensors
  /// "BF16" → number of tensors.
  std::map<std::string, std::uint64_t> dtypes;
};

/// Reads small files and headers again; a file that cannot be read or parsed
/// says nothing (its problem is in the view already).
[[nodiscard]] ModelFacts read_model_facts(const ModelView& view);

/// SHA-256 over the lines `sha256sum` prints for the regular files in the order
/// of `LC_ALL=C sort`: one digest for a folder that stock tools recompute.
/// Empty if a file could not be read.
[[nodiscard]] std::optional<Digest> folder_digest(const ModelView& view);

/// SHA-256 over one line a tensor, "<sha256>  <dtype> <shape> <name>", sorted
/// by name and file: the same for a whole file and for its shards. Empty
/// without tensors or where one has no digest.
[[nodiscard]] std::optional<Digest> tensor_list_digest(const ModelView& view);

}  // namespace impound
