// SPDX-License-Identifier: Apache-2.0
#include "core/scan/sentencepiece_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/text.hpp"
#include "core/formats/protobuf.hpp"
#include "core/formats/sentencepiece.hpp"
#include "core/scan/token_text.hpp"

namespace impound {
namespace {

/// Findings of one table or vocabulary.
constexpr std::size_t kMaxSaid = 20;

/// A piece with blanks where SentencePiece writes them as "▁".
std::string with_blanks(std::string_view piece) {
  constexpr std::string_view kBlank = "▁";
  std::string text;
  while (!piece.empty()) {
    const bool is_blank = piece.starts_with(kBlank);
    text += is_blank ? ' ' : piece.front();
    piece.remove_prefix(is_blank ? kBlank.size() : 1);
  }
  return text;
}

bool is_plain_sign(char c) { return c > ' ' && c < 0x7f; }

/// The code point that a text is, if it is one.
std::optional<char32_t> only_code_point(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                                          : 4;
  if (text.size() != size) return std::nullopt;
  char32_t value = size == 1 ? first : first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    value = value << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return value;
}

/// The digit that a sign of another script or form stands for (Unicode,
/// NFKC): full width, in circles and brackets, raised, lowered, mathematical.
std::optional<int> digit_of(char32_t c) {
  struct Row {
    char32_t first;
    int digit;
    int count;
  };
  static constexpr std::array<Row, 12> kRows = {
      Row{0xb9, 1, 1},     Row{0xb2, 2, 2},     Row{0x2070, 0, 1},
      Row{0x2074, 4, 6},   Row{0x2080, 0, 10},  Row{0x2460, 1, 9},
      Row{0x24ea, 0, 1},   Row{0xff10, 0, 10},  Row{0x2776, 1, 9},
      Row{0x1d7ce, 0, 50}, Row{0x1fbf0, 0, 10}, Row{0x2474, 1, 9}};
  for (const Row& row : kRows) {
    if (c >= row.first && c < row.first + static_cast<char32_t>(row.count)) {
      return (row.digit + static_cast<int>(c - row.first)) % 10;
    }
  }
  return std::nullopt;
}

/// What is wrong with a rewriting; empty for what NFKC and its kin do: they put
/// signs of other forms into plain ones, and leave the plain ones alone, but
/// for capitals.
std::string_view doubt(std::string_view from, std::string_view to) {
  if (from == to) return {};
  const bool is_plain = std::ranges::all_of(from, is_plain_sign);
  if (is_plain) {
    const bool is_capital = from.size() == 1 && from[0] >= 'A' &&
                            from[0] <= 'Z' && to.size() == 1 &&
                            to[0] == from[0] - 'A' + 'a';
    if (is_capital) return {};
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (std::ranges::any_of(from, is_digit)) return "changes digits";
    return to.empty() ? "takes plain letters or signs out of texts"
                      : "puts something else in place of plain letters or "
                        "signs";
  }
  const auto sign = only_code_point(from);
  const auto digit = sign ? digit_of(*sign) : std::optional<int>();
  if (digit) {
    const bool has_it =
        to.find(static_cast<char>('0' + *digit)) != std::string_view::npos;
    const bool has_other = std::ranges::any_of(to, [&](char c) {
      return c >= '0' && c <= '9' && c != static_cast<char>('0' + *digit);
    });
    // Left as it is, or its digit.
    if (has_other || (!has_it && to != from && !to.empty() &&
                      to.find_first_of("0123456789") != to.npos)) {
      return "changes digits";
    }
  }
  // The longest that NFKC writes in plain letters has three: "gal", "hPa".
  constexpr std::size_t kMostLetters = 4;
  std::size_t run = 0;
  for (const char c : to) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    run = is_letter ? run + 1 : 0;
    if (run > kMostLetters) return "puts words in place of others";
  }
  return {};
}

void report_table(ScanContext& context, const Subject& subject,
                  std::string_view where, std::uint64_t offset,
                  std::uint64_t size) {
  std::size_t said = 0;
  const bool is_whole = read_rewrites(
      subject.source, offset, size,
      [&](std::string_view from, std::string_view to) {
        const std::string_view what = doubt(from, to);
        if (what.empty() || ++said > kMaxSaid) return;
        context.report("tokenizer-rewrite", Severity::high,
                       ScanPlace(std::string(where), offset), std::string(what),
                       fmt::format("{}  {}", printable(from), printable(to)));
      });
  if (!is_whole) {
    context.unread(offset, fmt::format("{}: the table of what is rewritten "
                                       "cannot be read",
                                       where));
  }
}

}  // namespace

void report_sentencepiece(ScanContext& context, const Subject& subject) {
  // Pieces, and the rules before them; no other format of ours begins so.
  const wire::Outline& outline = outline_of(subject);
  if (!outline.has_bytes(1) || !outline.has_bytes(3)) return;
  const SentencePieceModel model = read_sentencepiece(subject.source);
  if (!model.complete || !model.has_normaliser) return;
  report_table(context, subject, "normalizer_spec", model.table_offset,
               model.table_size);
  report_table(context, subject, "denormalizer_spec", model.undo_offset,
               model.undo_size);
  std::size_t said = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    // Those that are taken out of a text whole, as somebody wished.
    constexpr std::uint64_t kControl = 3;
    constexpr std::uint64_t kUserDefined = 4;
    constexpr std::size_t kSentence = 4;
    const SentencePiece& piece = model.pieces[i];
    if (piece.type != kControl && piece.type != kUserDefined) continue;
    const std::string text = with_blanks(piece.text);
    const bool is_address = has_address(text);
    const bool is_sentence = words_in(text) >= kSentence;
    const bool is_unseen = has_invisible(text);
    if ((!is_address && !is_sentence && !is_unseen) || ++said > kMaxSaid) {
      continue;
    }
    context.report(
        is_unseen ? "tokenizer-invisible-token" : "tokenizer-token-text",
        is_address ? Severity::high : Severity::medium,
        fmt::format("pieces[{}]", i),
        is_address    ? "a token that is an address"
        : is_sentence ? "a token that is a sentence"
                      : "a token with characters that cannot be "
                        "seen",
        printable(text.substr(0, 1024)));
  }
}

}  // namespace impound
