// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/merkle.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::vector<Digest> leaves_of(std::size_t count) {
  std::vector<Digest> leaves;
  for (std::size_t i = 0; i < count; ++i) {
    leaves.push_back(merkle_leaf(as_bytes("leaf " + std::to_string(i))));
  }
  return leaves;
}

TEST_CASE("Merkle roots are those of the Certificate Transparency test data",
          "[crypto]") {
  // The inputs and roots that RFC 6962 implementations share.
  const std::vector<std::string> inputs{"",
                                        "00",
                                        "10",
                                        "2021",
                                        "3031",
                                        "40414243",
                                        "5051525354555657",
                                        "606162636465666768696a6b6c6d6e6f"};
  const std::vector<std::string> roots{
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  MerkleFrontier frontier;
  CHECK(frontier.root() == sha256(std::string_view{}));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    frontier.append(merkle_leaf(from_hex(inputs[i])));
    CHECK(frontier.root().hex() == roots[i]);
  }
}

TEST_CASE("A frontier goes on where it was saved", "[crypto]") {
  const auto leaves = leaves_of(77);
  MerkleFrontier whole;
  for (const Digest& leaf : leaves) whole.append(leaf);
  for (std::size_t cut : {0U, 1U, 31U, 32U, 33U, 76U}) {
    MerkleFrontier part;
    for (std::size_t i = 0; i < cut; ++i) part.append(leaves[i]);
    MerkleFrontier rest = MerkleFrontier::restore(cut, part.saved());
    for (std::size_t i = cut; i < leaves.size(); ++i) rest.append(leaves[i]);
    CHECK(rest.root() == whole.root());
  }
  CHECK_THROWS_AS(MerkleFrontier::restore(3, "00"), Error);
  CHECK_THROWS_AS(MerkleFrontier::restore(1, std::string(64, 'x')), Error);
}

TEST_CASE("Every leaf of every small log has a proof that holds", "[crypto]") {
  for (std::size_t size = 1; size <= 40; ++size) {
    const auto leaves = leaves_of(size);
    MerkleFrontier frontier;
    for (const Digest& leaf : leaves) frontier.append(leaf);
    for (std::size_t i = 0; i < size; ++i) {
      auto proof = inclusion_proof(leaves, i);
      REQUIRE(verify_inclusion(leaves[i], i, size, proof, frontier.root()));
      const Digest other = merkle_leaf(as_bytes("forged"));
      REQUIRE_FALSE(verify_inclusion(other, i, size, proof, frontier.root()));
      REQUIRE_FALSE(
          verify_inclusion(leaves[i], i + 1, size, proof, frontier.root()));
      proof.push_back(other);
      REQUIRE_FALSE(
          verify_inclusion(leaves[i], i, size, proof, frontier.root()));
    }
  }
  CHECK_THROWS_AS(inclusion_proof(leaves_of(2), 2), Error);
}

}  // namespace
}  // namespace impound::test
