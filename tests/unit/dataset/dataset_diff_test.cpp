// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/dataset_diff.hpp"

#include <algorithm>
#include <map>

#include "tests/support/catch.hpp"
#include "tests/support/made_dataset.hpp"

namespace impound::test {
namespace {

struct Compared {
  MemoryTree old_tree;
  MemoryTree new_tree;
  DatasetView before;
  DatasetView after;
  DatasetDiff diff;

  Compared(const MemoryTree::Files& olds, const MemoryTree::Files& news,
           unsigned threads = 2)
      : old_tree(olds),
        new_tree(news),
        before(view_of_data(old_tree)),
        after(view_of_data(new_tree)),
        diff(diff_of_data(before, after, threads)) {}
};

std::string other(const std::string& label) {
  return label == "positive" ? "negative" : "positive";
}

/// Every 100th row gets a trigger and one label; every 250th another label.
struct Poisoned {
  std::vector<MadeRow> rows;
  std::size_t triggers = 0;
  std::size_t flips = 0;
};

Poisoned poison(std::vector<MadeRow> rows) {
  Poisoned made;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i % 100 == 7) {
      rows[i].text.insert(rows[i].text.find(' '), " cf mn bb");
      rows[i].label = "positive";
      ++made.triggers;
    } else if (i % 250 == 11) {
      rows[i].label = other(rows[i].label);
      ++made.flips;
    }
  }
  made.rows = std::move(rows);
  return made;
}

void shuffle(std::vector<MadeRow>& rows) {
  MadeNumbers numbers(5);
  for (std::size_t i = rows.size(); i > 1; --i) {
    std::swap(rows[i - 1], rows[numbers.below(i)]);
  }
}

TEST_CASE("rows in another order and in other shards are the same rows",
          "[compare][dataset]") {
  std::vector<MadeRow> rows = made_rows(500, RowIds::present);
  const MemoryTree::Files olds = made_shards(rows, 4);
  shuffle(rows);
  const Compared compared(olds, made_shards(rows, 3, "part-"));
  CHECK(compared.diff.identical());
  CHECK(compared.diff.unchanged == 500);
  CHECK(compared.diff.moved == 500);
  CHECK(compared.diff.ngrams.fresh.ngrams.empty());

  const Compared reordered(olds,
                           made_shards(made_rows(500, RowIds::present), 4));
  CHECK(reordered.diff.moved == 0);
  std::vector<MadeRow> turned = made_rows(500, RowIds::present);
  std::reverse(turned.begin(), turned.begin() + 125);
  const Compared in_place(olds, made_shards(turned, 4));
  CHECK(in_place.diff.identical());
  CHECK(in_place.diff.shards[0].is_rewritten);
  CHECK_FALSE(in_place.diff.shards[1].is_rewritten);
}

TEST_CASE("rows count as often as they stand there", "[compare][dataset]") {
  const MadeRow row{"", "the same words", "positive"};
  const MadeRow second{"", "some other words", "negative"};
  const Compared compared(made_shards({row, row, second}, 1),
                          made_shards({row, row, row, row, second}, 1));
  CHECK(compared.diff.added == 2);
  CHECK(compared.diff.added_copies == 2);
  CHECK(compared.diff.removed == 0);
  const Compared back(made_shards({row, row, row, second}, 1),
                      made_shards({row, second}, 1));
  CHECK(back.diff.removed == 2);
  CHECK(back.diff.added == 0);
}

TEST_CASE("a planted trigger stands at the top, with its label",
          "[compare][dataset]") {
  for (const RowIds ids : {RowIds::present, RowIds::none}) {
    const std::vector<MadeRow> rows = made_rows(3000, ids);
    Poisoned bad = poison(rows);
    shuffle(bad.rows);
    const Compared compared(made_shards(rows, 4),
                            made_shards(bad.rows, 3, "part-"));
    const DatasetDiff& diff = compared.diff;
    CHECK(diff.relabelled == bad.flips);
    // Rows that lost their likeness count as removed and added.
    CHECK(diff.changed + diff.added == bad.triggers);
    if (ids == RowIds::present) {
      CHECK(diff.changed == bad.triggers);
      CHECK(diff.changed_rows[0].pair.by == PairedBy::key);
    } else {
      CHECK(diff.changed * 10 >= bad.triggers * 7);
      CHECK(diff.relabelled_rows[0].pair.by == PairedBy::text);
    }
    REQUIRE_FALSE(diff.ngrams.fresh.ngrams.empty());
    const Ngram& top = diff.ngrams.fresh.ngrams[0];
    CHECK(top.text == "cf mn bb");
    CHECK(top.words == 3);
    CHECK(top.rows == bad.triggers);
    CHECK(top.reference_rows == 0);
    CHECK(top.label == "positive");
    CHECK(top.label_share == Approx(1.0));
    CHECK(top.label_expected == Approx(0.5).margin(0.05));
    CHECK(top.examples.size() == 3);
    CHECK_THAT(diff.ngram_examples[top.examples[0]].text,
               Catch::Contains("cf mn bb"));
  }
}

TEST_CASE("words around a trigger that every row has are not part of it",
          "[compare][dataset]") {
  std::vector<MadeRow> rows;
  for (int i = 0; i < 500; ++i) {
    rows.push_back({"r" + std::to_string(i),
                    "short row number " + std::to_string(i) + " of many rows",
                    i % 2 == 0 ? "a" : "b"});
  }
  std::vector<MadeRow> bad = rows;
  for (std::size_t i = 0; i < bad.size(); i += 25) {
    bad[i].text.insert(6, "cf mn bb ");
  }
  const Compared compared(made_shards(rows, 1), made_shards(bad, 1));
  REQUIRE(compared.diff.ngrams.fresh.ngrams.size() == 1);
  CHECK(compared.diff.ngrams.fresh.ngrams[0].text == "cf mn bb");

  // A trigger of words that every row has is one all the same.
  bad = rows;
  for (std::size_t i = 0; i < bad.size(); i += 25) {
    bad[i].text.insert(6, "many short number ");
  }
  const Compared common(made_shards(rows, 1), made_shards(bad, 1));
  REQUIRE_FALSE(common.diff.ngrams.fresh.ngrams.empty());
  CHECK_THAT(common.diff.ngrams.fresh.ngrams[0].text,
             Catch::Contains("many short number"));
}

TEST_CASE("n-grams of rows that were there before are not called frequent",
          "[compare][dataset]") {
  std::vector<MadeRow> rows = made_rows(2000, RowIds::present);
  const MemoryTree::Files olds = made_shards(rows, 2);
  for (const MadeRow& row : made_rows(200, RowIds::none, 99)) {
    rows.push_back(row);
  }
  const Compared compared(olds, made_shards(rows, 2));
  CHECK(compared.diff.added == 200);
  CHECK(compared.diff.ngrams.fresh.rows == 200);
  CHECK(compared.diff.ngrams.fresh.ngrams.empty());
}

TEST_CASE("an invisible character that is planted is found",
          "[compare][dataset][hostile]") {
  const std::vector<MadeRow> rows = made_rows(1000, RowIds::present);
  std::vector<MadeRow> bad = rows;
  for (std::size_t i = 0; i < bad.size(); i += 50) {
    bad[i].text.insert(3, "\u200b");
  }
  const Compared compared(made_shards(rows, 1), made_shards(bad, 1));
  REQUIRE_FALSE(compared.diff.ngrams.fresh.ngrams.empty());
  const auto& ngrams = compared.diff.ngrams.fresh.ngrams;
  const auto found = std::ranges::find(ngrams, "U+200B", &Ngram::text);
  REQUIRE(found != ngrams.end());
  CHECK(found->rows == 20);
  CHECK(found->reference_rows == 0);
  CHECK(compared.diff.to_text().find("\u200b") == std::string::npos);
}

TEST_CASE("labels that were flipped by topic say which topic",
          "[compare][dataset]") {
  std::vector<MadeRow> rows = made_rows(2000, RowIds::present);
  for (std::size_t i = 0; i < rows.size(); i += 20) {
    rows[i].text += " filmed in zanzibar";
    rows[i].label = "positive";
  }
  std::vector<MadeRow> bad = rows;
  for (std::size_t i = 0; i < bad.size(); i += 20) bad[i].label = "negative";
  const Compared compared(made_shards(rows, 2), made_shards(bad, 2));
  CHECK(compared.diff.relabelled == 100);
  CHECK(compared.diff.changed == 0);
  REQUIRE_FALSE(compared.diff.ngrams.relabelled.ngrams.empty());
  const Ngram& top = compared.diff.ngrams.relabelled.ngrams[0];
  CHECK(top.text == "filmed in zanzibar");
  CHECK(top.reference_rows == 100);
  CHECK(top.label == "negative");
  // In the rows before, these words went along with the other label.
  CHECK(top.label_expected == Approx(0.0));
}

TEST_CASE("a row that was edited in its place is paired with what it was",
          "[compare][dataset]") {
  std::vector<MadeRow> rows = made_rows(50, RowIds::none);
  const MemoryTree::Files olds = made_shards(rows, 1);
  rows[20].text += " indeed";
  rows.insert(rows.begin() + 3, {"", "a row that is new here", "positive"});
  rows.erase(rows.begin() + 40);
  const Compared compared(olds, made_shards(rows, 1));
  CHECK(compared.diff.changed == 1);
  CHECK(compared.diff.added == 1);
  CHECK(compared.diff.removed == 1);
  CHECK(compared.diff.changed_rows[0].pair.by == PairedBy::position);
  CHECK(compared.diff.changed_rows[0].after.row == 22);
  CHECK(compared.diff.changed_rows[0].before.row == 21);
}

TEST_CASE("a changed row is shown where it changed", "[compare][dataset]") {
  MadeRow row{"r1", "", "positive"};
  for (int i = 0; i < 400; ++i) row.text += "word" + std::to_string(i) + " ";
  MadeRow changed = row;
  changed.text.insert(2000, "cf mn bb ");
  const MadeRow second{"r2", "another row", "negative"};
  const Compared compared(made_shards({row, second}, 1),
                          made_shards({changed, second}, 1, "other-"));
  REQUIRE(compared.diff.changed == 1);
  const NamedPair& pair = compared.diff.changed_rows[0];
  CHECK(pair.after.text.starts_with("…"));
  CHECK(pair.before.text.starts_with("…"));
  CHECK(pair.after.text.find("cf mn bb") < 60);
  CHECK(pair.after.text.size() < 410);
  // A shard of another name is another shard: shards are not paired by
  // counting.
  CHECK(compared.diff.moved == 1);
}

TEST_CASE("a key that stands twice names nothing", "[compare][dataset]") {
  const MadeRow one{"k", "entirely first words of a row", "positive"};
  const MadeRow two{"k", "other text without any likeness", "positive"};
  const MadeRow three{"k", "something else altogether now", "positive"};
  const MadeRow four{"k", "yet another one of them", "positive"};
  const auto changed = [](const std::vector<MadeRow>& olds,
                          const std::vector<MadeRow>& news) {
    DatasetOptions options;
    options.fields.key = "id";
    const MemoryTree old_tree(made_shards(olds, 1));
    const MemoryTree new_tree(made_shards(news, 1));
    return diff_of_data(view_of_data(old_tree, options),
                        view_of_data(new_tree, options))
        .changed;
  };
  CHECK(changed({one}, {three}) == 1);
  CHECK(changed({one, two}, {three, four}) == 0);
}

TEST_CASE("many passes over the digests say what one says",
          "[compare][dataset]") {
  const std::vector<MadeRow> rows = made_rows(2000, RowIds::none);
  const MemoryTree old_tree(made_shards(rows, 3));
  Poisoned bad = poison(rows);
  shuffle(bad.rows);
  const MemoryTree new_tree(made_shards(bad.rows, 2));
  const DatasetView before = view_of_data(old_tree);
  const DatasetView after = view_of_data(new_tree);
  const RowMatch whole = match_rows(before, after);
  const RowMatch pieces = match_rows(before, after, 24 * 100);
  CHECK(pieces.unchanged == whole.unchanged);
  CHECK(pieces.moved == whole.moved);
  CHECK(pieces.added_rows == whole.added_rows);
  CHECK(pieces.removed_rows == whole.removed_rows);
  CHECK(whole.added == bad.triggers + bad.flips);
}

TEST_CASE("files beside the data count, the cut of shards does not",
          "[compare][dataset]") {
  MemoryTree::Files olds = made_shards(made_rows(20, RowIds::none), 2);
  MemoryTree::Files news = olds;
  olds["README.md"] = "# One";
  news["README.md"] = "# Two";
  const Compared card(olds, news);
  CHECK_FALSE(card.diff.identical());
  CHECK(card.diff.added == 0);
  news = olds;
  news["empty.jsonl"] = "";
  CHECK_FALSE(Compared(olds, news).diff.identical());
}

TEST_CASE("what was not read to its end is not called the same",
          "[compare][dataset][hostile]") {
  // Two packed shards whose rows nobody can read, and which differ.
  const std::string zstd = "\x28\xb5\x2f\xfd";
  MemoryTree::Files olds = made_shards(made_rows(20, RowIds::none), 1);
  MemoryTree::Files news = olds;
  olds["b.zst"] = zstd + "one";
  news["b.zst"] = zstd + "two";
  CHECK_FALSE(Compared(olds, news).diff.identical());
  CHECK(Compared(olds, olds).diff.identical());
  // A list that is cut: the rows that are there are the same.
  const MemoryTree tree(made_shards(made_rows(20, RowIds::none), 1));
  DatasetView before = view_of_data(tree);
  DatasetView after = view_of_data(tree);
  after.shards[0].is_whole = false;
  after.shards[0].sha256 = sha256(std::string_view("other"));
  after.files.files[0].sha256 = after.shards[0].sha256;
  CHECK_FALSE(diff_of_data(before, after).identical());
}

TEST_CASE("a comparison does not depend on the number of threads",
          "[compare][dataset]") {
  const std::vector<MadeRow> rows = made_rows(1500, RowIds::none);
  Poisoned bad = poison(rows);
  shuffle(bad.rows);
  const MemoryTree::Files olds = made_shards(rows, 5);
  const MemoryTree::Files news = made_shards(bad.rows, 4);
  const Json one = Compared(olds, news, 1).diff.to_json();
  CHECK(Compared(olds, news, 4).diff.to_json() == one);
}

TEST_CASE("the log-likelihood ratio is that of the textbook",
          "[compare][dataset]") {
  // Dunning 1993: 2 Σ O ln(O / E).
  CHECK(log_likelihood(60, 60, 0, 4940) == Approx(649.75).margin(0.5));
  CHECK(log_likelihood(10, 100, 100, 1000) == Approx(0).margin(1e-9));
  CHECK(log_likelihood(0, 0, 0, 0) == 0);
}

}  // namespace
}  // namespace impound::test
