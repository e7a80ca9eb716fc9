// SPDX-License-Identifier: Apache-2.0
#include "core/trust/signing_manifest.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_tree.hpp"

namespace impound::test {
namespace {

SigningManifest hash(const Tree& tree, const SigningOptions& options = {}) {
  SilentProgress progress;
  const Cancellation cancellation;
  return hash_for_signing(tree, options, progress, cancellation);
}

std::vector<std::string> names(const SigningManifest& manifest,
                               SigningMethod method = SigningMethod::files) {
  std::vector<std::string> list;
  for (const SigningEntry& entry : manifest.entries) {
    list.push_back(signed_name(entry, method));
  }
  return list;
}

TEST_CASE("Paths are ordered by their components", "[compare]") {
  CHECK(signed_before("a/b", "a.txt"));
  CHECK_FALSE(signed_before("a.txt", "a/b"));
  CHECK(signed_before("a", "a/b"));
  CHECK(signed_before("a/b", "a/b/c"));
  CHECK(signed_before("a/z", "a b"));
  CHECK(signed_before("Z", "a"));
  CHECK(signed_before("z", "\xC3\xA4"));
  CHECK_FALSE(signed_before("a", "a"));
  const MemoryTree tree(MemoryTree::Files{{"a.txt", "1"},
                                          {"a/b", "2"},
                                          {"a/b.c", "3"},
                                          {"a-b", "4"},
                                          {"a/b/c", "5"}});
  CHECK(names(hash(tree)) ==
        std::vector<std::string>{"a/b", "a/b/c", "a/b.c", "a-b", "a.txt"});
}

TEST_CASE("The root is the one that model_signing computed", "[compare]") {
  // Its release 1.1.0 signed a folder of these two files with this root.
  const MemoryTree tree(
      MemoryTree::Files{{"signme-1", "signme-1\n"}, {"signme-2", "signme-2"}});
  CHECK(root_of(hash(tree)).hex() ==
        "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4");
  const MemoryTree nothing(MemoryTree::Files{});
  CHECK(root_of(hash(nothing)) == sha256(std::string_view{}));
}

TEST_CASE("A model of one file has the name of the model", "[compare]") {
  const MemoryTree file(MemoryTree::Files{{"m.bin", "abc"}}, "file",
                        "/x/m.bin");
  SigningOptions options;
  options.ignore = {".git", "m.bin"};
  CHECK(names(hash(file, options)) == std::vector<std::string>{"."});
  options.method = SigningMethod::shards;
  options.shard_size = 2;
  CHECK(names(hash(file, options), options.method) ==
        std::vector<std::string>{".:0:2", ".:2:3"});
}

TEST_CASE("Shards cover every byte once, empty files none", "[compare]") {
  const MemoryTree tree(
      {{"a", "12345678"}, {"b", "123456789"}, {"c", ""}, {"d", "1"}});
  SigningOptions options;
  options.method = SigningMethod::shards;
  options.shard_size = 8;
  const SigningManifest manifest = hash(tree, options);
  CHECK(names(manifest, options.method) ==
        std::vector<std::string>{"a:0:8", "b:0:8", "b:8:9", "d:0:1"});
  CHECK(manifest.empty == std::vector<std::string>{"c"});
  CHECK(manifest.bytes == 18);
  CHECK(manifest.entries[2].digest == [] {
    StreamHash nine(HashKind::sha256);
    nine.update(as_bytes("9"));
    return nine.finish();
  }());
  // By files an empty file has a digest.
  CHECK(hash(tree).entries.size() == 4);
}

TEST_CASE("Too many shards are refused before any is made", "[compare]") {
  MemoryTree tree(MemoryTree::Files{{"a", "x"}});
  tree.file("a").size = 1ULL << 60U;
  SigningOptions options;
  options.method = SigningMethod::shards;
  options.shard_size = 1;
  CHECK_THROWS_AS(hash(tree, options), Error);
}

TEST_CASE("What is ignored takes everything below it along", "[compare]") {
  const MemoryTree tree(MemoryTree::Files{{".git/x", ""},
                                          {".gitignore", ""},
                                          {"a/b", ""},
                                          {"a/bc", ""},
                                          {"d/e/f", ""},
                                          {"g", ""}});
  SigningOptions options;
  options.ignore = {".git", "a/b", "./d//e/", "../g", "/g", ""};
  // "" is the model itself: it ignores everything.
  CHECK(names(hash(tree, options)).empty());
  options.ignore.pop_back();
  const SigningManifest manifest = hash(tree, options);
  CHECK(names(manifest) == std::vector<std::string>{".gitignore", "a/bc", "g"});
  CHECK(manifest.ignored == std::vector<std::string>{".git/x", "a/b", "d/e/f"});
}

TEST_CASE("Links are refused, or followed where the signature allows",
          "[compare]") {
  MemoryTree tree(MemoryTree::Files{{"a/real", "bytes"}, {"b", "x"}});
  tree.add_link("a/link", "real");
  tree.add_link("up", "a/../a/link");
  tree.add_link("out", "../../etc/passwd");
  tree.add_link("root", "/etc/passwd");
  tree.add_link("loop", "loop");
  const SigningManifest refused = hash(tree);
  CHECK(names(refused) == std::vector<std::string>{"a/real", "b"});
  CHECK(refused.refused.size() == 5);
  SigningOptions options;
  options.allow_symlinks = true;
  const SigningManifest followed = hash(tree, options);
  CHECK(names(followed) ==
        std::vector<std::string>{"a/link", "a/real", "b", "up"});
  CHECK(followed.entries[0].digest == followed.entries[1].digest);
  CHECK(followed.entries[3].digest == followed.entries[1].digest);
  CHECK(followed.followed == std::vector<std::string>{"a/link", "up"});
  CHECK(followed.unread.size() == 2);
  CHECK(followed.refused.size() == 1);
}

TEST_CASE("Special files are refused and broken ones are named", "[compare]") {
  MemoryTree tree(MemoryTree::Files{{"a", "1"}, {"b", "2"}, {"pipe", ""}});
  tree.file("pipe").kind = FileKind::fifo;
  tree.break_file("b");
  const SigningManifest manifest = hash(tree);
  CHECK(names(manifest) == std::vector<std::string>{"a"});
  REQUIRE(manifest.refused.size() == 1);
  CHECK(manifest.refused[0].path == "pipe");
  REQUIRE(manifest.unread.size() == 1);
  CHECK(manifest.unread[0].path == "b");
  CHECK_THAT(manifest.unread[0].reason, Catch::Contains("I/O error"));
}

TEST_CASE("Only what was asked for is hashed, below the folder asked for",
          "[compare]") {
  const MemoryTree tree(
      MemoryTree::Files{{"m/a", "1"}, {"m/b", "2"}, {"mm/a", "3"}});
  SigningOptions options;
  options.folder = "m";
  CHECK(names(hash(tree, options)) == std::vector<std::string>{"a", "b"});
  options.only = {"b", "c"};
  CHECK(names(hash(tree, options)) == std::vector<std::string>{"b"});
}

TEST_CASE("The result is the same on any number of cores", "[compare]") {
  MemoryTree::Files files;
  for (int i = 0; i < 50; ++i) {
    files[std::to_string(i)] = std::string(static_cast<std::size_t>(i), 'x');
  }
  const MemoryTree tree(files);
  SigningOptions options;
  options.method = SigningMethod::shards;
  options.shard_size = 7;
  options.hash = HashKind::blake2b;
  options.threads = 1;
  const SigningManifest one = hash(tree, options);
  options.threads = 5;
  const SigningManifest five = hash(tree, options);
  CHECK(names(one, options.method) == names(five, options.method));
  CHECK(root_of(one) == root_of(five));
  CHECK(one.entries.at(0).digest.size() == 64);
}

TEST_CASE("Half a manifest is none", "[compare]") {
  const MemoryTree tree(MemoryTree::Files{{"a", "1"}});
  SilentProgress progress;
  Cancellation cancellation;
  cancellation.request();
  CHECK_THROWS_AS(hash_for_signing(tree, {}, progress, cancellation), Error);
}

}  // namespace
}  // namespace impound::test
