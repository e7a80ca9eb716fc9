// SPDX-License-Identifier: Apache-2.0
/// Manifests of Ollama's store: every blob they name must lie there with the
/// size they state. That a blob is what its name says is checked for the blob.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/scan/scanners.hpp"

namespace impound {
namespace {

constexpr std::string_view kManifests = "manifests/";

const TreeFile* find_file(const Tree& tree, const std::string& name) {
  const auto& files = tree.files();
  const auto found = std::lower_bound(
      files.begin(), files.end(), name,
      [](const TreeFile& a, const std::string& b) { return a.name < b; });
  return found != files.end() && found->name == name ? &*found : nullptr;
}

void check_layer(ScanContext& context, const std::string& store,
                 const std::string& where, const Json& layer) {
  if (!layer.is_object()) return;
  const std::string digest = text_or(layer, "digest", "");
  if (!digest.starts_with("sha256:") || digest.size() != 71 ||
      digest.find_first_not_of("0123456789abcdef", 7) != std::string::npos) {
    // A path in its place was an attack once (CVE-2024-37032).
    context.report(
        "ollama-digest", Severity::critical, where,
        fmt::format("'{}' is no digest, and becomes the name of a file",
                    printable(digest)));
    return;
  }
  const std::string hex = digest.substr(7);
  const TreeFile* blob =
      find_file(context.tree(), store + "blobs/sha256-" + hex);
  if (blob == nullptr) {
    blob = find_file(context.tree(), store + "blobs/sha256:" + hex);
  }
  if (blob == nullptr) {
    context.report("ollama-blob-missing", Severity::medium, where,
                   fmt::format("the blob {} is not in the store", hex));
    return;
  }
  const auto size = layer.find("size");
  if (size != layer.end() && size->is_number_unsigned() &&
      size->get<std::uint64_t>() != blob->size) {
    context.report("ollama-blob-size", Severity::high, where,
                   fmt::format("the manifest states {} bytes, the blob has {}",
                               size->get<std::uint64_t>(), blob->size));
  }
}

}  // namespace

void scan_ollama_manifest(ScanContext& context, const Subject& subject) {
  const Bytes text = subject.source.head(0, subject.source.size());
  const Json manifest = parse_json(as_text(text), subject.name);
  const std::string name(context.tree_name());
  const std::size_t at = name.rfind(kManifests);
  // Outside of a store there is nothing to hold it against.
  if (at == std::string::npos || (at != 0 && name[at - 1] != '/')) return;
  const std::string store = name.substr(0, at);
  if (const auto config = manifest.find("config"); config != manifest.end()) {
    check_layer(context, store, "config", *config);
  }
  const auto layers = manifest.find("layers");
  if (layers == manifest.end() || !layers->is_array()) return;
  for (std::size_t i = 0; i < layers->size(); ++i) {
    check_layer(context, store, fmt::format("layers[{}]", i), (*layers)[i]);
  }
}

}  // namespace impound
