// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The manifest that a model signature is made of (OpenSSF Model Signing): one
/// digest for each file or shard, in its order, and the root over them.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/progress.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/stream_hash.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/model_statement.hpp"

namespace impound {

/// Bytes of a shard where nobody says otherwise.
inline constexpr std::uint64_t kDefaultShardSize = 1'000'000'000;
/// Shards of one model; a hostile shard_size of 1 makes one of every byte.
/// More is refused with Error{limit}.
inline constexpr std::uint64_t kMaxModelShards = kMaxSignedResources;
/// Links that are followed one after the other where links are allowed.
inline constexpr int kMaxSignedLinks = 8;

/// What git keeps beside a model; never signed unless somebody asks.
[[nodiscard]] std::span<const std::string_view> git_paths();

struct SigningOptions {
  SigningMethod method = SigningMethod::files;
  HashKind hash = HashKind::sha256;
  std::uint64_t shard_size = kDefaultShardSize;
  bool allow_symlinks = false;
  /// Relative to the model; a folder stands for everything below it.
  std::vector<std::string> ignore;
  /// If not empty, nothing but these paths is looked at.
  std::set<std::string> only;
  std::string folder;    ///< the model's place in the tree; "" = all of it
  unsigned threads = 0;  ///< 0 = all cores
};

struct SigningEntry {
  std::string path;  ///< below the model; "." for a model of one file
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Bytes digest;
};

/// A path and why.
struct SigningTrouble {
  std::string path;
  std::string reason;
};

struct SigningManifest {
  std::vector<SigningEntry> entries;    ///< in signing order
  std::vector<SigningTrouble> refused;  ///< links and special files
  std::vector<SigningTrouble> unread;   ///< could not be read
  std::vector<std::string> ignored;     ///< files below ignored paths
  std::vector<std::string> empty;       ///< files without a shard
  std::vector<std::string> followed;    ///< links of a cache, or allowed ones
  std::uint64_t bytes = 0;              ///< hashed
};

/// Hashes a model, shards and files in parallel, holding 4 MiB a core. What
/// cannot be read or may not be signed is recorded, not thrown.
/// @throws Error{io} if it was told to stop, Error{limit}.
[[nodiscard]] SigningManifest hash_for_signing(
    const Tree& tree, const SigningOptions& options, Progress& progress,
    const Cancellation& cancellation);

/// How the entry is named in a statement: its path, or path:start:end.
[[nodiscard]] std::string signed_name(const SigningEntry& entry,
                                      SigningMethod method);

/// By path components, as PurePosixPath compares: "a/b" before "a.txt".
[[nodiscard]] bool signed_before(std::string_view a, std::string_view b);

/// SHA-256 over the digests one after the other.
class SigningRoot {
 public:
  void add(ByteView digest) { hash_.update(digest); }
  [[nodiscard]] Digest finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

[[nodiscard]] Digest root_of(const SigningManifest& manifest);

/// True if `path` is one of `ignored` or lies below one. Paths are relative to
/// the model; what leaves it ignores nothing.
[[nodiscard]] bool is_ignored(std::string_view path,
                              const std::vector<std::string>& ignored);

}  // namespace impound
