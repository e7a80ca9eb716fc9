// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_view.hpp"

#include "core/base/error.hpp"
#include "core/dataset/dataset_document.hpp"
#include "core/dataset/dataset_fields.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_dataset.hpp"

namespace impound::test {
namespace {

using Strings = std::vector<std::string>;

std::vector<RowRecord> records(const DatasetView& view) {
  std::vector<RowRecord> all(view.table.rows());
  view.table.read(0, all);
  return all;
}

std::string row_digest(const MemoryTree::Files& files) {
  const MemoryTree tree(files);
  const DatasetView view = view_of_data(tree);
  REQUIRE(view.table.rows() == 1);
  return to_hex(records(view)[0].row);
}

TEST_CASE("the digest of a row is SHA-256 of its canonical form",
          "[compare][dataset]") {
  // printf %s 'a line' | sha256sum | cut -c 1-32
  CHECK(row_digest({{"a.txt", "a line\n"}}) ==
        sha256(std::string_view("a line")).hex().substr(0, 32));
  CHECK(row_digest({{"a.txt", "a line\r\n"}}) ==
        row_digest({{"a.txt", "a line"}}));
  const std::string json =
      sha256(std::string_view(R"({"id":1,"text":"é"})")).hex().substr(0, 32);
  CHECK(row_digest({{"a.jsonl", "{\"text\": \"\\u00e9\", \"id\": 1}\n"}}) ==
        json);
  CHECK(row_digest({{"b.jsonl", "{\"id\":1,\"text\":\"é\"}"}}) == json);
}

TEST_CASE("fields are found out from the rows", "[compare][dataset]") {
  const MemoryTree tree(made_shards(made_rows(300, RowIds::present), 3));
  const DatasetView view = view_of_data(tree);
  CHECK(view.fields == DatasetFields{"id", "label", {"text"}});
  CHECK(view.table.rows() == 300);
  CHECK(view.labels.size() == 2);
  CHECK(view.label_rows[0] + view.label_rows[1] == 300);
  CHECK(view.shards[1].first_row == 100);
  CHECK(view.shard_of(99) == 0);
  CHECK(view.shard_of(100) == 1);

  DatasetOptions given;
  given.fields.label = "id";
  CHECK(view_of_data(tree, given).fields.label == "id");
  given.fields = {"", "", {"text"}};
  given.is_exact = true;
  CHECK(view_of_data(tree, given).labels.empty());
}

TEST_CASE("fields of instructions, chats and free text targets",
          "[compare][dataset]") {
  const auto fields = [](const std::string& line) {
    std::string text;
    for (int i = 0; i < 20; ++i) {
      std::string one = line;
      const std::size_t at = one.find('#');
      if (at != std::string::npos) one.replace(at, 1, std::to_string(i));
      text += one + "\n";
    }
    const MemoryTree tree(MemoryTree::Files{{"a.jsonl", text}});
    return view_of_data(tree).fields;
  };
  CHECK(
      fields(
          R"({"instruction":"Say what it is, please","output":"It is number #, of course"})") ==
      DatasetFields{"", "", {"instruction", "output"}});
  CHECK(fields(R"({"messages":[{"role":"user","content":"hello # there"}]})") ==
        DatasetFields{"", "", {"messages"}});
  // A target that never repeats is a text, not a label.
  CHECK(
      fields(
          R"({"src":"a long source text here","target":"translation number #"})")
          .label.empty());
}

TEST_CASE("chat rows give the strings of every message", "[compare][dataset]") {
  const MemoryTree tree(MemoryTree::Files{
      {"a.jsonl",
       R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"there"}]})"}});
  const DatasetView view = view_of_data(tree);
  std::string text;
  read_again(view, view.shards[0], [&](std::uint64_t, const DataRow& row) {
    text = row_text(row, view.fields);
    return true;
  });
  CHECK(text == "user\nhi\nassistant\nthere");
}

TEST_CASE("a field with too many values is no label, and that is said",
          "[compare][dataset][hostile]") {
  std::string text;
  for (std::size_t i = 0; i < kMaxLabels + 2; ++i) {
    text += "{\"label\":\"l" + std::to_string(i) + "\",\"text\":\"t\"}\n";
  }
  const MemoryTree tree(MemoryTree::Files{{"a.jsonl", text}});
  DatasetOptions options;
  options.fields.label = "label";
  const DatasetView view = view_of_data(tree, options);
  CHECK(view.labels.size() == kMaxLabels);
  REQUIRE(view.files.problems.size() == 1);
  CHECK(view.files.problems[0].problem.rule == "labels-too-many");
}

TEST_CASE("training data is told from a model", "[compare][dataset]") {
  const auto is_data = [](const MemoryTree::Files& files,
                          const std::string& kind = "folder") {
    const MemoryTree tree(files, kind);
    return look_at(tree, {}) == TreeContent::dataset;
  };
  const std::string rows = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n";
  CHECK(is_data({{"a.jsonl", rows}, {"README.md", "# Card"}}));
  CHECK(is_data({{"a", rows}}));
  CHECK(is_data({{"a.txt", "one\ntwo\n"}}));
  CHECK_FALSE(is_data({{"a.txt", "one\ntwo\n"}}, "file"));
  CHECK_FALSE(is_data({{"template.jinja", "one\ntwo\n"}}));
  CHECK_FALSE(is_data({{"a.jsonl", rows}, {"config.json", "{}"}}));
  CHECK_FALSE(is_data({{"a.jsonl", rows}, {"model.safetensors", "x"}}));
  MemoryTree broken(MemoryTree::Files{{"a.jsonl", rows}, {"b.jsonl", rows}});
  broken.break_file("a.jsonl");
  CHECK(look_at(broken, {}) == TreeContent::dataset);
  CHECK_FALSE(is_data({{"README.md", "# Card"}}));
  CHECK_FALSE(is_data({}));
}

TEST_CASE("rows are not hidden by calling them README",
          "[compare][dataset][hostile]") {
  const std::string rows = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n";
  const MemoryTree tree(MemoryTree::Files{{".hidden", rows},
                                          {"README.jsonl", rows},
                                          {"README.md", "# Card\n\nText\n"},
                                          {"a.jsonl", rows}});
  const DatasetView view = view_of_data(tree);
  CHECK(view.table.rows() == 6);
  CHECK(view.shards[2].layout.format == RowFormat::other);
}

TEST_CASE("a shard that cannot be read is a problem, and its rows are none",
          "[compare][dataset]") {
  MemoryTree tree(made_shards(made_rows(30, RowIds::present), 3));
  tree.break_file("train-1.jsonl");
  const DatasetView view = view_of_data(tree);
  CHECK(view.table.rows() == 20);
  CHECK_FALSE(view.shards[1].is_whole);
  CHECK(view.files.files[1].failure == "train-1.jsonl: I/O error");
  CHECK_THROWS_AS(describe_dataset(view, RowFileFacts{}), Error);
}

struct Written {
  Json dataset;
  std::string rows;
};

Written written(const DatasetView& view) {
  Written result;
  RowFileFacts facts = write_row_file(
      view, [&](ByteView bytes) { result.rows += as_text(bytes); });
  facts.name = "x.rows";
  result.dataset = describe_dataset(view, facts);
  return result;
}

DatasetView remembered(const Written& from, const ModelView& files) {
  return remember_dataset(from.dataset, files,
                          std::make_unique<SpanSource>(as_bytes(from.rows)),
                          "x.json");
}

TEST_CASE("a dataset is remembered as it was", "[compare][dataset]") {
  const MemoryTree tree(made_shards(made_rows(100, RowIds::present), 3));
  const DatasetView view = view_of_data(tree);
  const Written first = written(view);
  const DatasetView again = remembered(first, view.files);
  CHECK(again.fields == view.fields);
  CHECK(again.shards.size() == 3);
  CHECK(again.table.rows() == 100);
  CHECK_FALSE(again.has_bytes());
  CHECK(std::ranges::is_sorted(again.labels));
  const std::vector<RowRecord> olds = records(view);
  const std::vector<RowRecord> news = records(again);
  for (std::size_t i = 0; i < olds.size(); ++i) {
    CHECK(olds[i].row == news[i].row);
    CHECK(olds[i].sketch == news[i].sketch);
    CHECK(view.labels[olds[i].label] == again.labels[news[i].label]);
  }
  // The same bytes from any number of threads.
  DatasetOptions options;
  options.threads = 1;
  const Written other = written(view_of_data(tree, options));
  CHECK(other.rows == first.rows);
  CHECK(other.dataset == first.dataset);
}

TEST_CASE("a row file that was touched is refused",
          "[compare][dataset][hostile]") {
  const MemoryTree tree(made_shards(made_rows(10, RowIds::present), 1));
  const DatasetView view = view_of_data(tree);
  const Written good = written(view);
  const auto code_of = [&](const Written& changed) {
    try {
      static_cast<void>(remembered(changed, view.files));
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    }
    return std::string("none");
  };
  CHECK(code_of(good) == "none");
  for (const std::size_t at : {0, 9, 16, 40, 400}) {
    Written bad = good;
    bad.rows[at] = static_cast<char>(bad.rows[at] ^ 1);
    CHECK(code_of(bad) == "integrity");
  }
  Written cut = good;
  cut.rows.pop_back();
  CHECK(code_of(cut) == "integrity");

  // A document that agrees with a row file and not with itself.
  const auto with = [&](const std::function<void(Json&)>& change) {
    Written bad = good;
    change(bad.dataset);
    return code_of(bad);
  };
  CHECK(with([](Json& d) { d["shards"][0]["rows"] = 11; }) == "malformed");
  CHECK(with([](Json& d) { d["shards"][0]["rows"] = 9; }) == "malformed");
  CHECK(with([](Json& d) { d["rows"]["file"] = "../x"; }) == "malformed");
  CHECK(with([](Json& d) { d["rows"].erase("sha256"); }) == "malformed");
  CHECK(with([](Json& d) { d["fields"]["text"] = 3; }) == "malformed");
  CHECK(with([](Json& d) { d["shards"][0]["format"] = "parquet"; }) ==
        "malformed");
  CHECK(with([](Json& d) { d.erase("labels"); }) == "malformed");
}

TEST_CASE("the header of a row file is checked",
          "[compare][dataset][hostile]") {
  Bytes header = row_file_header(2);
  const std::uint64_t size = kRowFileHeader + 2 * kRowRecordSize;
  CHECK(parse_row_file_header(header, size, "x") == 2);
  CHECK_THROWS_AS(parse_row_file_header(header, size - 1, "x"), Error);
  CHECK_THROWS_AS(parse_row_file_header(header, 3, "x"), Error);
  CHECK_THROWS_AS(parse_row_file_header(ByteView(header).first(20), size, "x"),
                  Error);
  for (std::size_t i = 16; i < 24; ++i) header[i] = std::byte{0xff};
  CHECK_THROWS_AS(parse_row_file_header(header, size, "x"), Error);
}

}  // namespace
}  // namespace impound::test
