// SPDX-License-Identifier: Apache-2.0
/// What changed in a SentencePiece model: tokens, what they count as, and the
/// rules that rewrite a user's text.

#include <fmt/format.h>

#include <bit>
#include <unordered_map>

#include "core/base/text.hpp"
#include "core/compare/meaning/config_meaning.hpp"
#include "core/compare/meaning/vocabulary_diff.hpp"
#include "core/crypto/digest.hpp"
#include "core/formats/sentencepiece.hpp"

namespace impound {
namespace {

Vocabulary vocabulary_of(const SentencePieceModel& model) {
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    vocabulary.emplace(model.pieces[i].text, i);
  }
  return vocabulary;
}

Digest table_of(const ByteSource& source, const SentencePieceModel& model) {
  return sha256(source.head(model.table_offset, model.table_size));
}

void compare_pieces(const SentencePieceModel& before,
                    const SentencePieceModel& after,
                    std::vector<std::string>& notes) {
  constexpr std::size_t kMost = 20;
  std::unordered_map<std::string, const SentencePiece*> old;
  for (const SentencePiece& piece : before.pieces) {
    old.emplace(piece.text, &piece);
  }
  std::size_t scores = 0;
  std::size_t types = 0;
  for (const SentencePiece& piece : after.pieces) {
    const auto twin = old.find(piece.text);
    if (twin == old.end()) continue;
    // As bits: a NaN is equal to itself here.
    const bool same_score = std::bit_cast<std::uint32_t>(piece.score) ==
                            std::bit_cast<std::uint32_t>(twin->second->score);
    if (!same_score) ++scores;
    if (piece.type == twin->second->type || ++types > kMost) continue;
    notes.push_back(fmt::format("token '{}' was {}, is {}",
                                printable(piece.text.substr(0, 120)),
                                sentence_piece_type(twin->second->type),
                                sentence_piece_type(piece.type)));
  }
  if (types > kMost) {
    notes.push_back(
        fmt::format("{} more tokens count as something else", types - kMost));
  }
  if (scores > 0) {
    notes.push_back(fmt::format(
        "{} tokens have other scores: words are cut differently", scores));
  }
}

}  // namespace

Json explain_sentencepiece(const ByteSource& before, const ByteSource& after) {
  const SentencePieceModel old = read_sentencepiece(before);
  const SentencePieceModel now = read_sentencepiece(after);
  if (!old.complete || !now.complete) return nullptr;
  Json content = Json::object();
  Json changes = diff_vocabulary(vocabulary_of(old), vocabulary_of(now));
  std::vector<std::string> notes = vocabulary_notes(changes);
  if (!changes.is_null()) content["vocabulary"] = std::move(changes);
  compare_pieces(old, now, notes);
  if (old.normaliser != now.normaliser) {
    notes.push_back(fmt::format("normalizer: {} → {}",
                                printable(old.normaliser),
                                printable(now.normaliser)));
  }
  if (old.rules != now.rules || table_of(before, old) != table_of(after, now)) {
    notes.push_back(fmt::format(
        "normalizer: another table of what becomes what ({} → {} bytes): the "
        "text of a user is rewritten differently",
        old.table_size, now.table_size));
  }
  if (old.adds_prefix != now.adds_prefix ||
      old.removes_spaces != now.removes_spaces) {
    notes.emplace_back("normalizer: spaces are treated differently");
  }
  if (notes.empty()) {
    notes.emplace_back("only settings of its training differ");
  }
  content["notes"] = notes;
  return content;
}

}  // namespace impound
