// rooms: formats
// SPDX-License-Identifier: Apache-2.0
/// The Sigstore bundle reader, and the statement reader on both the payload of
/// the bundle and the bytes themselves.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/formats/model_statement.hpp"
#include "core/formats/sigstore_bundle.hpp"

namespace {

using namespace impound;

/// The promises that everything behind the reader relies on.
void check(const ModelStatement& statement) {
  for (const Problem& problem : statement.problems) {
    if (problem.severity >= Severity::high) return;  // it is not used then
  }
  for (const SignedResource& resource : statement.resources) {
    if (resource.digest.empty() || resource.path.empty()) std::abort();
    if (statement.method == SigningMethod::shards &&
        resource.start >= resource.end) {
      std::abort();
    }
  }
  if (statement.method == SigningMethod::shards && statement.shard_size == 0) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  const SigstoreBundle bundle = read_sigstore_bundle(text);
  check(read_model_statement(bundle.payload));
  check(read_model_statement(text));
  static_cast<void>(looks_like_sigstore_bundle(text));
  return 0;
}
