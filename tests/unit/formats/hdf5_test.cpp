// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/hdf5.hpp"

#include <algorithm>

#include "tests/support/catch.hpp"
#include "tests/support/hdf5_writer.hpp"

namespace impound {
namespace {

Hdf5File read(const std::string& bytes) {
  const SpanSource source(as_bytes(bytes));
  return read_hdf5(source);
}

bool has(const Hdf5File& file, std::string_view rule) {
  return std::ranges::any_of(
      file.problems, [&](const Problem& each) { return each.rule == rule; });
}

TEST_CASE("texts of the root are read in every layout") {
  test::Hdf5Writer writer;
  writer.is_new = GENERATE(false, true);
  writer.is_variable = GENERATE(false, true);
  writer.user_block = GENERATE(std::size_t{0}, std::size_t{1024});
  writer.attributes = {{"backend", "tensorflow"},
                       {"model_config", R"({"class_name": "Sequential"})"}};
  writer.dimensions = {16, 4};
  const std::string bytes = writer.build();
  const Hdf5File file = read(bytes);
  CHECK(file.problems.empty());
  CHECK(file.attributes_read);
  CHECK(file.groups_read);
  CHECK(file.superblock == writer.user_block);
  CHECK(file.objects == 2);
  REQUIRE(file.attributes.contains("model_config"));
  const Hdf5Text& text = file.attributes.at("model_config");
  CHECK(text.value == R"({"class_name": "Sequential"})");
  CHECK(bytes.substr(text.offset, text.value.size()) == text.value);
  CHECK(file.attributes.at("backend").value == "tensorflow");
}

TEST_CASE("links into other files are seen") {
  test::Hdf5Writer writer;
  writer.external_links = {{"x", "/etc/passwd"}};
  const Hdf5File file = read(writer.build());
  REQUIRE(file.externals.size() == 1);
  CHECK(file.externals[0].path == "/x");
  CHECK(file.externals[0].target == "/etc/passwd");
  CHECK(file.externals[0].is_link);
}

TEST_CASE("a shape that no file of this size can fill") {
  test::Hdf5Writer writer;
  writer.dimensions = {1ULL << 40U, 1ULL << 10U};
  CHECK(has(read(writer.build()), "hdf5-shape"));
  writer.dimensions = {1ULL << 40U, 1ULL << 40U};
  CHECK(has(read(writer.build()), "hdf5-shape"));
}

TEST_CASE("attributes in a fractal heap are read") {
  test::Hdf5Writer writer;
  writer.is_new = GENERATE(false, true);
  writer.attributes = {{"backend", "tensorflow"}};
  writer.dense_attributes = {{"model_config", "{\"class_name\": \"Model\"}"},
                             {"keras_version", "2.15.0"}};
  const Hdf5File file = read(writer.build());
  CHECK(file.problems.empty());
  CHECK(file.attributes_read);
  REQUIRE(file.attributes.size() == 3);
  CHECK(file.attributes.at("model_config").value ==
        "{\"class_name\": \"Model\"}");
  CHECK(file.attributes.at("keras_version").value == "2.15.0");
}

TEST_CASE("a fractal heap that is damaged is said to be unread") {
  test::Hdf5Writer writer;
  writer.is_new = true;
  SECTION("not there") {
    writer.has_lost_attributes = true;
    CHECK_FALSE(read(writer.build()).attributes_read);
  }
  SECTION("a byte of the heap or of the tree is wrong") {
    writer.dense_attributes = {{"a", "b"}};
    std::string bytes = writer.build();
    for (const std::string_view mark : {"FRHP", "FHDB", "BTHD", "BTLF"}) {
      INFO(mark);
      std::string damaged = bytes;
      damaged[damaged.find(mark)] = 'x';
      const Hdf5File file = read(damaged);
      CHECK_FALSE(file.attributes_read);
      CHECK_FALSE(file.problems.empty());
    }
  }
}

TEST_CASE("HDF5 files that are cut or damaged") {
  test::Hdf5Writer writer;
  writer.is_new = GENERATE(false, true);
  writer.is_variable = true;
  writer.attributes = {{"model_config", "{}"}};
  writer.dimensions = {4};
  const std::string whole = writer.build();
  for (std::size_t size = 8; size + 4 < whole.size(); ++size) {
    INFO(size);
    const Hdf5File file = read(whole.substr(0, size));
    CHECK_FALSE((file.attributes_read && file.groups_read));
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = '\xff';
    static_cast<void>(read(damaged));
  }
  CHECK(has(read("\x89HDF\r\n\x1a\n\x09"), "hdf5-malformed"));
  CHECK(has(read(""), "hdf5-malformed"));
}

TEST_CASE("an HDF5 group that contains itself ends") {
  test::Hdf5Writer writer;
  writer.is_new = true;
  writer.dimensions = {1};
  std::string bytes = writer.build();
  // The address of "data" becomes that of the root.
  const std::size_t at = bytes.rfind("data") + 4;
  bytes.replace(at, 8, bytes, 36, 8);
  const Hdf5File file = read(bytes);
  CHECK(file.objects == 1);
}

}  // namespace
}  // namespace impound
