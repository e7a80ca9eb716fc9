// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/merkle.hpp"

#include <bit>

#include "core/base/error.hpp"

namespace impound {
namespace {

constexpr std::byte kLeaf{0};
constexpr std::byte kNode{1};

Digest node(const Digest& left, const Digest& right) {
  Sha256 hash;
  hash.update(ByteView(&kNode, 1));
  hash.update(left.bytes);
  hash.update(right.bytes);
  return hash.finish();
}

Digest root_of(std::span<const Digest> leaves) {
  MerkleFrontier frontier;
  for (const Digest& leaf : leaves) frontier.append(leaf);
  return frontier.root();
}

/// The proof for `index` below the node over `leaves`, leaf's sibling first.
void prove(std::span<const Digest> leaves, std::uint64_t index,
           std::vector<Digest>& proof) {
  if (leaves.size() == 1) return;
  const std::size_t left = std::bit_floor(leaves.size() - 1);
  if (index < left) {
    prove(leaves.first(left), index, proof);
    proof.push_back(root_of(leaves.subspan(left)));
  } else {
    prove(leaves.subspan(left), index - left, proof);
    proof.push_back(root_of(leaves.first(left)));
  }
}

}  // namespace

Digest merkle_leaf(ByteView leaf) {
  Sha256 hash;
  hash.update(ByteView(&kLeaf, 1));
  hash.update(leaf);
  return hash.finish();
}

MerkleFrontier MerkleFrontier::restore(std::uint64_t size,
                                       std::string_view saved) {
  const auto count = static_cast<std::size_t>(std::popcount(size));
  if (saved.size() != count * 64) {
    throw Error(Errc::malformed, "Merkle frontier of " + std::to_string(size) +
                                     " leaves: expected " +
                                     std::to_string(count * 64) +
                                     " hexadecimal digits, found " +
                                     std::to_string(saved.size()));
  }
  MerkleFrontier frontier;
  frontier.size_ = size;
  for (std::size_t i = 0; i < count; ++i) {
    const auto digest = Digest::from_hex(saved.substr(i * 64, 64));
    if (!digest) {
      throw Error(Errc::malformed, "Merkle frontier: subtree " +
                                       std::to_string(i) +
                                       " is no SHA-256 in hexadecimal digits");
    }
    frontier.subtrees_.push_back(*digest);
  }
  return frontier;
}

void MerkleFrontier::append(const Digest& leaf_hash) {
  Digest merged = leaf_hash;
  // Every set low bit of the size is a perfect subtree that the leaf completes.
  for (std::uint64_t rest = size_; (rest & 1U) != 0; rest >>= 1U) {
    merged = node(subtrees_.back(), merged);
    subtrees_.pop_back();
  }
  subtrees_.push_back(merged);
  ++size_;
}

Digest MerkleFrontier::root() const {
  if (subtrees_.empty()) return sha256(ByteView{});
  Digest root = subtrees_.back();
  for (auto left = subtrees_.rbegin() + 1; left != subtrees_.rend(); ++left) {
    root = node(*left, root);
  }
  return root;
}

std::string MerkleFrontier::saved() const {
  std::string text;
  for (const Digest& subtree : subtrees_) text += subtree.hex();
  return text;
}

std::vector<Digest> inclusion_proof(std::span<const Digest> leaf_hashes,
                                    std::uint64_t index) {
  if (index >= leaf_hashes.size()) {
    throw Error(Errc::bad_input, "no leaf " + std::to_string(index) +
                                     " in a log of " +
                                     std::to_string(leaf_hashes.size()));
  }
  std::vector<Digest> proof;
  prove(leaf_hashes, index, proof);
  return proof;
}

bool verify_inclusion(const Digest& leaf_hash, std::uint64_t index,
                      std::uint64_t size, std::span<const Digest> proof,
                      const Digest& root) {
  if (index >= size) return false;
  std::uint64_t position = index;
  std::uint64_t last = size - 1;
  Digest reached = leaf_hash;
  for (const Digest& sibling : proof) {
    if (last == 0) return false;
    if ((position & 1U) != 0 || position == last) {
      reached = node(sibling, reached);
      while ((position & 1U) == 0 && position != 0) {
        position >>= 1U;
        last >>= 1U;
      }
    } else {
      reached = node(reached, sibling);
    }
    position >>= 1U;
    last >>= 1U;
  }
  return last == 0 && reached == root;
}

std::string format_tlog_proof(std::string_view leaf, std::uint64_t index,
                              std::span<const Digest> proof,
                              std::string_view checkpoint_note) {
  std::string text = "c2sp.org/tlog-proof@v1\n";
  text += "extra " + to_base64(as_bytes(leaf)) + "\n";
  text += "index " + std::to_string(index) + "\n";
  for (const Digest& hash : proof) text += to_base64(hash.bytes) + "\n";
  text += "\n";
  text += checkpoint_note;
  return text;
}

}  // namespace impound
