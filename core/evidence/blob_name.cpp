// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/blob_name.hpp"

#include <algorithm>
#include <string_view>

#include "core/crypto/digest.hpp"
#include "core/crypto/git_blob.hpp"

namespace impound {
namespace {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

std::optional<BlobName> digest_in(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view folder = path.substr(0, slash);
  if (folder != "blobs" && !folder.ends_with("/blobs")) return std::nullopt;
  std::string_view hex = path.substr(slash + 1);
  const std::string as_found = "blobs/" + std::string(hex);
  // Ollama writes "sha256-", before 2024 "sha256:".
  const bool is_ollama =
      hex.starts_with("sha256-") || hex.starts_with("sha256:");
  if (is_ollama) hex.remove_prefix(7);
  if (!is_hex(hex)) return std::nullopt;
  if (hex.size() != 64 && (is_ollama || hex.size() != 40)) return std::nullopt;
  return BlobName{hex.size() == 40, std::string(hex), as_found};
}

}  // namespace

std::optional<BlobName> promised_digest(const TreeFile& file) {
  if (file.kind != FileKind::regular) return std::nullopt;
  if (auto found = digest_in(file.found_as)) return found;
  return digest_in(file.name);
}

std::string digest_like(const BlobName& name, const ByteSource& source) {
  return name.is_git ? git_blob_name(source) : sha256_of(source).hex();
}

}  // namespace impound
