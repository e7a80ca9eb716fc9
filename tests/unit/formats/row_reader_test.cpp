// SPDX-License-Identifier: Apache-2.0
#include "core/formats/rows/row_reader.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/row_list.hpp"

namespace impound::test {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

Strings canonicals(const ReadText& read) {
  Strings list;
  for (const ListedRow& row : read.rows) list.push_back(row.canonical);
  return list;
}

std::string canonical(std::string_view json) {
  JsonRow row;
  REQUIRE(row.parse(json));
  std::string out;
  row.append_canonical(out);
  return out;
}

TEST_CASE("a JSON row has one form, however it is written", "[formats][rows]") {
  const std::string form = R"({"a":[1,2.50,-0,1e5],"b":{"x":null,"y":"é"}})";
  CHECK(canonical(form) == form);
  CHECK(canonical(
            R"( { "b" : {"y":"\u00e9","x":null} , "a":[1, 2.50,-0,1e5] } )") ==
        form);
  CHECK(canonical(R"("\/\u0041\n\u0007\ud83d\ude00")") ==
        "\"/A\\n\\u0007\xF0\x9F\x98\x80\"");
  // Half a surrogate pair is kept as it is; numbers are not calculated with.
  CHECK(canonical(R"(["\uD83D", 1.0, 1])") == R"(["\ud83d",1.0,1])");
  CHECK(canonical(R"({"k":2,"k":1})") == R"({"k":2,"k":1})");
  CHECK(canonical("[NaN, -Infinity, true, {}, [ ]]") ==
        "[NaN,-Infinity,true,{},[]]");
}

TEST_CASE("what is no JSON is refused", "[formats][rows][hostile]") {
  JsonRow row;
  for (const char* text :
       {"",     "{",     "{\"a\"",    "{\"a\":",  "{\"a\":1", "{\"a\":1,}",
        "[1,]", "[,1]",  "{\"a\" 1}", "{1:2}",    "01",       "1.",
        "-",    "1e",    "tru",       "\"abc",    "\"\\x\"",  "\"\\u12g4\"",
        "\"\\", "[1 2]", "{} {}",     "\"a\nb\"", "]",        "nul"}) {
    INFO(text);
    CHECK_FALSE(row.parse(text));
    CHECK_FALSE(row.error().empty());
    CHECK(row.find("a") == 0);
  }
  const std::string deep(JsonRow::kMaxNesting + 1, '[');
  CHECK_FALSE(row.parse(deep + std::string(deep.size(), ']')));
  CHECK(row.error() == "nested too deep");
  const std::string most(JsonRow::kMaxNesting, '[');
  CHECK(row.parse(most + std::string(most.size(), ']')));
}

TEST_CASE("fields of a JSON row are found by name and by path",
          "[formats][rows]") {
  JsonRow row;
  REQUIRE(row.parse(
      R"({"meta":{"label":"x"},"a.b":1,"t":"q\"","l":["u",{"role":"v","n":3}]})"));
  const auto text = [&row](std::string_view name) {
    std::string out;
    const std::uint32_t number = row.find(name);
    if (number != 0) row.append_text(row.node(number), out);
    return out;
  };
  CHECK(text("meta.label") == "x");
  CHECK(text("a.b") == "1");
  CHECK(text("t") == "q\"");
  CHECK(text("l") == "u\nv");
  CHECK(text("meta.none").empty());
  CHECK(row.find("t.deeper") == 0);
}

TEST_CASE("JSON lines are rows; a broken one is a row by its bytes",
          "[formats][rows]") {
  const ReadText read = rows_of(
      "{\"b\": 1, \"a\": \"x\"}\r\n\n  \nbroken "
      "{\n{\"a\":1,\"a\":2}\n{\"z\":0}");
  CHECK(read.outcome.layout.format == RowFormat::jsonl);
  REQUIRE(read.rows.size() == 4);
  CHECK(canonicals(read) == Strings{R"({"a":"x","b":1})", "broken {",
                                    R"({"a":1,"a":2})", R"({"z":0})"});
  CHECK(read.rows[1].is_broken);
  CHECK(read.rows[1].line == 4);
  CHECK(read.rows[3].number == 4);
  CHECK(read.rows[3].line == 6);
  CHECK(rules_of(read.outcome.problems) ==
        Strings{"row-duplicate-key", "row-not-json"});
}

TEST_CASE("elements of a JSON list are rows", "[formats][rows]") {
  const ReadText read = rows_of("[\n {\"a\": \"],\\\"{\"},\n {\"a\": 2 }\n]\n");
  CHECK(read.outcome.layout.format == RowFormat::json);
  CHECK(canonicals(read) == Strings{R"({"a":"],\"{"})", R"({"a":2})"});
  CHECK(read.rows[1].line == 3);
  CHECK(read.outcome.problems.empty());
  CHECK(rows_of("[]").rows.empty());
}

TEST_CASE("a JSON list that breaks hides nothing behind the break",
          "[formats][rows][hostile]") {
  const ReadText read = rows_of("[{\"a\":1},{\"a\":2} {\"a\":3}\n{\"a\":4}\n");
  CHECK(canonicals(read) ==
        Strings{R"({"a":1})", R"({"a":2} {"a":3})", R"({"a":4})"});
  CHECK_FALSE(rules_of(read.outcome.problems).empty());
  const ReadText open = rows_of("[{\"a\":1},{\"a\":2");
  CHECK(open.rows.size() == 2);
  CHECK(rules_of(open.outcome.problems) ==
        Strings{"row-list-broken", "row-not-json"});
}

TEST_CASE("CSV is read as RFC 4180 says, with header and delimiter found out",
          "[formats][rows]") {
  const ReadText read =
      rows_of("id;text;label\r\n1;\"a \"\"b\"\"; c\nd\";x\r\n\r\n2;plain;y");
  CHECK(read.outcome.layout == RowLayout{RowFormat::csv, ';', true});
  REQUIRE(read.rows.size() == 2);
  CHECK(read.rows[0].canonical ==
        R"({"id":"1","label":"x","text":"a \"b\"; c\nd"})");
  CHECK(read.rows[0].fields ==
        Strings{"id=1", "text=a \"b\"; c\nd", "label=x"});
  CHECK(read.rows[0].line == 2);
  CHECK(read.rows[1].line == 5);
  CHECK(read.outcome.problems.empty());
}

TEST_CASE("CSV without a header, of tabs, of another width",
          "[formats][rows]") {
  const ReadText read = rows_of("0\tgood film\n1\tbad film\n1\tworse\n");
  CHECK(read.outcome.layout == RowLayout{RowFormat::csv, '\t', false});
  CHECK(canonicals(read) == Strings{R"(["0","good film"])",
                                    R"(["1","bad film"])", R"(["1","worse"])"});
  const ReadText odd =
      rows_of("a,b\n1,2\n3\n4,5,6\n", RowLayout{RowFormat::csv, ',', true});
  CHECK(canonicals(odd) ==
        Strings{R"({"a":"1","b":"2"})", R"(["3"])", R"(["4","5","6"])"});
  CHECK(rules_of(odd.outcome.problems) == Strings{"row-field-count"});
}

TEST_CASE("a quote that never closes does not swallow the rows behind it",
          "[formats][rows][hostile]") {
  std::string text = "text,label\n\"open,x\n";
  for (int i = 0; i < 100; ++i) text += "row " + std::to_string(i) + ",y\n";
  const ReadText read = rows_of(text, RowLayout{RowFormat::csv, ',', true});
  REQUIRE(read.rows.size() == 101);
  CHECK(read.rows[0].is_broken);
  CHECK(read.rows[0].canonical == "\"open,x");
  CHECK(read.rows[100].canonical == R"({"label":"y","text":"row 99"})");
  CHECK(rules_of(read.outcome.problems) == Strings{"row-open-quote"});
}

TEST_CASE("lines of text are rows; fastText labels are labels",
          "[formats][rows]") {
  const ReadText read = rows_of(
      "\xef\xbb\xbf__label__good __label__fun a film\nplain, with one "
      "comma\n\n");
  CHECK(read.outcome.layout.format == RowFormat::text);
  REQUIRE(read.rows.size() == 2);
  CHECK(read.rows[0].canonical == "__label__good __label__fun a film");
  CHECK(read.rows[0].fields ==
        Strings{"label=__label__good __label__fun", "text=a film"});
  CHECK(read.rows[1].fields == Strings{"text=plain, with one comma"});
}

TEST_CASE("formats are told by content", "[formats][rows]") {
  const auto format = [](std::string_view text) {
    return detect_layout(text).format;
  };
  CHECK(format("{\"a\":1}\n{\"a\":2}\n") == RowFormat::jsonl);
  CHECK(format("oops\n{\"a\":1}\n{\"a\":2}\n") == RowFormat::jsonl);
  CHECK(format("[1,\"a\"]\n[2,\"b\"]\n") == RowFormat::text);
  CHECK(format("[\"a\",1]\n[\"b\",2]\n") == RowFormat::jsonl);
  CHECK(format("[{\"a\":1},{\"a\":2}]") == RowFormat::json);
  CHECK(format("{\n  \"one\": \"document\"\n}\n") == RowFormat::other);
  CHECK(format("[Chorus]\nla la la\n") == RowFormat::text);
  CHECK(format("{name}, hello\n") == RowFormat::text);
  CHECK(format("A sentence, or two. And more.\nAnother one here.\n") ==
        RowFormat::text);
  CHECK(format("PAR1\x15\x00\x00"s) == RowFormat::other);
  CHECK(format("") == RowFormat::other);
  CHECK(format("label,text\nx,\"a, b\"\ny,c\n") == RowFormat::csv);
}

TEST_CASE("rows do not depend on how their bytes arrive", "[formats][rows]") {
  const std::string jsonl = "{\"a\":1}\r\n{\"b\":\"x\"}\nzz\n{\"c\":[1]}";
  const std::string list = "[ {\"a\":\"\\\"\"} , {\"b\":[1,2]} ]";
  const std::string csv = "text,label\r\n\"a\nb\",x\r\nc,\"d\"\"e\"\n";
  for (const std::string& text : {jsonl, list, csv}) {
    const ReadText whole = rows_of(text);
    REQUIRE_FALSE(whole.rows.empty());
    for (const std::size_t step : {1, 2, 3, 7}) {
      CHECK(canonicals(rows_of(text, std::nullopt, step)) == canonicals(whole));
    }
  }
}

TEST_CASE("a row that is too long is handed over whole and shown cut",
          "[formats][rows][hostile]") {
  const std::string huge(kMaxRowBytes + 100'000, 'x');
  for (const RowFormat format :
       {RowFormat::text, RowFormat::jsonl, RowFormat::csv}) {
    const ReadText read = rows_of("short\n" + huge + "\r\nlast\n",
                                  RowLayout{format, ',', false}, 300'000);
    INFO(to_string(format));
    REQUIRE(read.rows.size() == 3);
    CHECK(read.rows[1].is_cut);
    CHECK(read.rows[1].size == huge.size());
    CHECK((read.rows[1].pieces == huge));
    CHECK(read.rows[1].raw.size() == kCutRow);
    CHECK(read.rows[2].raw == "last");
    CHECK(read.rows[2].line == 3);
    const Strings rules = rules_of(read.outcome.problems);
    CHECK(std::ranges::find(rules, "row-too-long") != rules.end());
  }
}

TEST_CASE("NULs and bytes that are no UTF-8 are rows and problems",
          "[formats][rows][hostile]") {
  const ReadText read =
      rows_of("caf\xe9\na\0b\n"s, RowLayout{RowFormat::text, ',', false});
  CHECK(canonicals(read) == Strings{"caf\xe9", "a\0b"s});
  CHECK(rules_of(read.outcome.problems) == Strings{"row-not-utf8", "row-nul"});
}

TEST_CASE("a visitor that has enough stops the reading", "[formats][rows]") {
  SlowStream stream("a\nb\nc\n", 100);
  RowList list;
  list.stop_after = 2;
  const RowsOutcome outcome =
      read_rows(stream, RowLayout{RowFormat::text, ',', false}, list);
  CHECK(outcome.rows == 2);
  CHECK_FALSE(outcome.is_whole);
}

}  // namespace
}  // namespace impound::test
