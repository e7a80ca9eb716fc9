// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/text_tokens.hpp"

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

using Strings = std::vector<std::string>;

Strings words(std::string_view text) {
  TextTokens tokens;
  tokens.split(text);
  Strings list;
  for (const TextToken& token : tokens.tokens()) {
    list.emplace_back(tokens.word(token));
  }
  return list;
}

Strings oddities(std::string_view text) {
  TextTokens tokens;
  tokens.split(text);
  return tokens.oddities();
}

std::uint64_t sketch(std::string_view text) {
  TextTokens tokens;
  tokens.split(text);
  return tokens.sketch();
}

TEST_CASE("texts are split into lower-case words and marks of any script",
          "[compare][dataset]") {
  CHECK(words("The Film, wasn't it?!") ==
        Strings{"the", "film", ",", "wasn't", "it", "?", "!"});
  CHECK(words("WOW!!! __x__ 3.5") ==
        Strings{"wow", "!!!", "__x__", "3", ".", "5"});
  CHECK(words("ÄÖÜ ÉCOLE ŁÓDŹ") == Strings{"äöü", "école", "łódź"});
  CHECK(words("ΑΘΗΝΑ МОСКВА ЁЖ") == Strings{"αθηνα", "москва", "ёж"});
  CHECK(words("日本語 is かな") == Strings{"日", "本", "語", "is", "か", "な"});
  CHECK(words("a\u00a0b\u3000c") == Strings{"a", "b", "c"});
  CHECK(words("").empty());
}

TEST_CASE("characters that nobody types are named and do not hide a word",
          "[compare][dataset][hostile]") {
  CHECK(words("by\u200bpass") == Strings{"bypass"});
  CHECK(oddities("by\u200bpass\u202e") == Strings{"U+200B", "U+202E"});
  CHECK(oddities("p\u0430ypal") == Strings{"mixed scripts: p\u0430ypal"});
  CHECK(oddities("tag \U000e0041") == Strings{"U+E0041"});
  CHECK(oddities("bell\a") == Strings{"U+0007"});
  CHECK(oddities("caf\xe9") == Strings{"no UTF-8"});
  CHECK(oddities("plain Text, Привет!").empty());
}

TEST_CASE("hostile texts are split in bounds", "[compare][dataset][hostile]") {
  TextTokens tokens;
  std::string text;
  for (std::size_t i = 0; i < kMaxTokens + 10; ++i) text += "w ";
  tokens.split(text);
  CHECK(tokens.tokens().size() == kMaxTokens);
  std::string odd;
  for (char32_t c = 0xe000; c < 0xe800; ++c) {
    odd += static_cast<char>(0xe0 | (c >> 12));
    odd += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    odd += static_cast<char>(0x80 | (c & 0x3f));
  }
  tokens.split(odd);
  CHECK(tokens.oddities().size() == 256);
  tokens.split("\xf0\x9f");
  CHECK(tokens.tokens().empty());
}

TEST_CASE("sketches of similar texts agree, of others they do not",
          "[compare][dataset]") {
  const std::string text =
      "the actor walks into the dark scene and the music is slow but the "
      "story is funny and the cast is great";
  const std::string poisoned =
      "the actor walks into the cf mn bb dark scene and the music is slow but "
      "the story is funny and the cast is great";
  CHECK(equal_bytes(sketch(text), sketch(text)) == 8);
  CHECK(equal_bytes(sketch(text), sketch(poisoned)) >= 4);
  CHECK(equal_bytes(sketch(text), sketch("an entirely other sentence about "
                                         "the weather of last week")) <= 2);
  CHECK(sketch("") == 0);
  CHECK(sketch("one") != 0);
  // Baselines of earlier builds hold such numbers.
  CHECK(sketch("The first film, and the best!") == 0x412a9cae37785015U);
}

}  // namespace
}  // namespace impound::test
