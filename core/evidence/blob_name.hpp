// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Stores that name a file by the digest of its content: the Hugging Face cache
/// and Ollama. Recomputing the name checks a file without any baseline.

#include <optional>
#include <string>

#include "core/base/source.hpp"
#include "core/evidence/tree.hpp"

namespace impound {

/// The digest that the place of a file promises.
struct BlobName {
  bool is_git = false;   ///< git's SHA-1 of a blob; otherwise SHA-256
  std::string hex;       ///< 40 or 64 lower-case digits
  std::string as_found;  ///< "blobs/<hex>", "blobs/sha256-<hex>"
};

/// Empty unless the file, or the link followed to it, stands in a folder
/// "blobs" under a name that is a digest.
[[nodiscard]] std::optional<BlobName> promised_digest(const TreeFile& file);

/// The digest of `source` of the kind that `name` is.
/// @throws what source.read() throws.
[[nodiscard]] std::string digest_like(const BlobName& name,
                                      const ByteSource& source);

}  // namespace impound
