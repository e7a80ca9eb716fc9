// SPDX-License-Identifier: Apache-2.0
#include "core/trust/gguf_digest.hpp"

#include <bit>

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

std::string number(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

std::string text(std::string_view value) {
  return number(value.size(), 8) + std::string(value);
}

/// The file that llama.cpp's gguf example writes has ten tensors of one number
/// each; these are their lengths.
constexpr std::array<std::size_t, 10> kLengths{1344, 420, 80,  147, 2,
                                               8,    3,   192, 9,   320};

struct Layout {
  std::string key = "general.name";
  std::string value = "test";
  std::string first_name = "tensor_0";
  std::uint64_t first_offset = 0;
};

std::string gguf(const Layout& layout = {}) {
  std::string infos;
  std::string data;
  for (std::size_t i = 0; i < kLengths.size(); ++i) {
    infos += text(i == 0 ? layout.first_name : "tensor_" + std::to_string(i)) +
             number(1, 4) + number(kLengths[i], 8) + number(0, 4) +
             number(i == 0 ? layout.first_offset : data.size(), 8);
    const auto bits =
        std::bit_cast<std::uint32_t>(100.0F + static_cast<float>(i));
    for (std::size_t k = 0; k < kLengths[i]; ++k) data += number(bits, 4);
    data.resize((data.size() + 31) / 32 * 32, '\0');
  }
  std::string head = "GGUF" + number(3, 4) + number(kLengths.size(), 8) +
                     number(1, 8) + text(layout.key) + number(8, 4) +
                     text(layout.value) + infos;
  head.resize((head.size() + 31) / 32 * 32, '\0');
  return head + data;
}

std::vector<GgufHashLine> hashes(const std::string& file,
                                 const GgufHashOptions& options) {
  const SpanSource source(as_bytes(file));
  SilentProgress progress;
  const Cancellation cancellation;
  return gguf_hashes(source, "test.gguf", options, progress, cancellation);
}

Digest metadata(const std::string& file) {
  const SpanSource source(as_bytes(file));
  return gguf_metadata_hash(source, "test.gguf");
}

TEST_CASE("The hashes are those that gguf-hash prints", "[compare]") {
  // Its documentation shows this output for that file.
  const auto lines = hashes(
      gguf(), {.hashes = {GgufHash::xxh64, GgufHash::sha1, GgufHash::sha256}});
  REQUIRE(lines.size() == 33);
  CHECK(lines[0].hash == "xxh64");
  CHECK(lines[0].tensor == "tensor_0");
  CHECK(lines[0].value == "f66e9cd66a4396a0");
  CHECK(lines[1].value == "59f79ecefd8125a996fdf419239051a7e99e5f20");
  CHECK(lines[2].value ==
        "c0510d38fa060c46265e0160a85c7243096b01dd31c2f355bdbb5516b20de1bd");
  CHECK(lines[27].tensor == "tensor_9");
  CHECK(lines[27].value == "93fd20c64421c081");
  CHECK(lines[30].tensor.empty());
  CHECK(lines[30].value == "5a54d3aad816f302");
  CHECK(lines[31].value == "d15be52c4ff213e823cb6dd13af7ee2f978e7042");
  CHECK(lines[32].value ==
        "7dd641b32f59b60dbd4b5420c4b0f6321ccf48f58f6ae201a3dbc4a58a27c6e4");
}

TEST_CASE("The UUID is of version 5, of the tensor data alone", "[compare]") {
  const GgufHashOptions options{.hashes = {GgufHash::uuid}};
  const auto lines = hashes(gguf(), options);
  REQUIRE(lines.size() == 1);
  // python3: uuid.UUID(bytes=sha1(namespace.bytes + data)[:16], version=5)
  CHECK(lines[0].value == "14d5abc5-9c6a-5600-9589-0c8e3e69bbf8");
  CHECK(hashes(gguf({.value = "another"}), options)[0].value == lines[0].value);
}

TEST_CASE("What the tensor hashes leave out changes the metadata hash",
          "[compare]") {
  const std::string file = gguf();
  const Digest before = metadata(file);
  // The definition, by hand.
  std::string lines = "gguf-metadata 1\nkv general.name string " +
                      sha256(text("test")).hex() + "\n";
  for (std::size_t i = 0; i < kLengths.size(); ++i) {
    lines += "tensor tensor_" + std::to_string(i) + " 0 " +
             std::to_string(kLengths[i]) + "\n";
  }
  CHECK(before == sha256(lines));
  CHECK(metadata(gguf({.key = "general.nome"})) != before);
  CHECK(metadata(gguf({.value = "tess"})) != before);
  CHECK(metadata(gguf({.first_name = "tensor_x"})) != before);
  std::string other_data = file;
  other_data.back() ^= 1;
  CHECK(metadata(other_data) == before);
}

TEST_CASE("A file that lies about its tensors has no hashes", "[compare]") {
  const GgufHashOptions options{.hashes = {GgufHash::sha256}};
  CHECK_THROWS_AS(hashes("GGUF", options), Error);
  CHECK_THROWS_AS(hashes("no such thing", options), Error);
  CHECK_THROWS_AS(hashes(gguf({.first_offset = 1ULL << 40U}), options), Error);
  const std::string file = gguf();
  CHECK_THROWS_AS(hashes(file.substr(0, 200), options), Error);
  CHECK_THROWS_AS(metadata(file.substr(0, 200)), Error);
}

TEST_CASE("A manifest is read line by line, verdicts and all", "[compare]") {
  const GgufManifest manifest = parse_gguf_manifest(
      "manifest  x  sha256\n"
      "sha256    aa  test.gguf:a tensor\r\n"
      "sha256    bb  test.gguf  -  Ok\n"
      "\n"
      "sha256    cc  test.gguf\n"
      "sha1 dd\n"
      "xxh64     ee  test.gguf");
  CHECK(manifest.has("sha256"));
  CHECK(manifest.has("xxh64"));
  CHECK_FALSE(manifest.has("sha1"));
  CHECK_FALSE(manifest.has("sha"));
  CHECK(match_manifest(manifest, "sha256", "aa", "test.gguf:a tensor") ==
        GgufManifestMatch::ok);
  CHECK(match_manifest(manifest, "sha256", "bb", "test.gguf") ==
        GgufManifestMatch::ok);
  CHECK(match_manifest(manifest, "sha256", "cc", "test.gguf") ==
        GgufManifestMatch::mismatch);
  CHECK(match_manifest(manifest, "sha1", "dd", "test.gguf") ==
        GgufManifestMatch::not_found);
}

}  // namespace
}  // namespace impound::test
