// SPDX-License-Identifier: Apache-2.0
#pragma once
/// RFC 6962 Merkle trees: the root that a signed head states, kept up to date
/// line by line, and the proof that one line belongs to it.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/crypto/digest.hpp"

namespace impound {

/// SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1.
[[nodiscard]] Digest merkle_leaf(ByteView leaf);

/// The roots of the perfect subtrees that a log of `size` leaves consists of,
/// largest first: popcount(size) digests, enough to append and to name the root
/// without any earlier leaf.
class MerkleFrontier {
 public:
  MerkleFrontier() = default;

  /// What saved() wrote for a log of `size` leaves.
  /// @throws Error{malformed} if it does not fit that size.
  [[nodiscard]] static MerkleFrontier restore(std::uint64_t size,
                                              std::string_view saved);

  void append(const Digest& leaf_hash);

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Of the empty log: SHA-256 of nothing.
  [[nodiscard]] Digest root() const;
  /// 64 hexadecimal digits for each subtree, joined.
  [[nodiscard]] std::string saved() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> subtrees_;
};

/// The hashes from the leaf's sibling up to the root's child, RFC 6962 section
/// 2.1.1, for leaf `index` (from 0) among all `leaf_hashes` of the log.
/// @throws Error{bad_input} if there is no such leaf.
[[nodiscard]] std::vector<Digest> inclusion_proof(
    std::span<const Digest> leaf_hashes, std::uint64_t index);

/// True only if `proof` leads from `leaf_hash` at `index` to `root` in a log of
/// `size` leaves (RFC 9162 section 2.1.3.2).
[[nodiscard]] bool verify_inclusion(const Digest& leaf_hash,
                                    std::uint64_t index, std::uint64_t size,
                                    std::span<const Digest> proof,
                                    const Digest& root);

/// A c2sp.org/tlog-proof@v1: the leaf itself as extra data, its index, the
/// proof, and the signed head that it leads to.
[[nodiscard]] std::string format_tlog_proof(std::string_view leaf,
                                            std::uint64_t index,
                                            std::span<const Digest> proof,
                                            std::string_view checkpoint_note);

}  // namespace impound
