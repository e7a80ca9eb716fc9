// SPDX-License-Identifier: Apache-2.0
#pragma once
/// SentencePiece models (tokenizer.model): the vocabulary and the rules that
/// rewrite a text before it is cut (sentencepiece_model.proto).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"

namespace impound {

struct SentencePiece {
  std::string text;
  float score = 0;
  std::uint64_t type = 1;  ///< 1 normal, 2 unknown, 3 control, 4 user-defined …
};

/// "normal", "control" …; "type 9" for a number that nobody defined.
[[nodiscard]] std::string sentence_piece_type(std::uint64_t type);

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  ///< their index is their token's number
  std::string normaliser;             ///< name of the rules: "nmt_nfkc"
  /// The compiled table of what is rewritten to what.
  std::uint64_t table_offset = 0;
  std::uint64_t table_size = 0;
  std::string rules;           ///< the same as text, where it is kept
  bool adds_prefix = true;     ///< a space in front of every text
  bool removes_spaces = true;  ///< repeated spaces become one
  bool complete = false;       ///< read to its end, and has pieces

  static constexpr std::size_t kMaxPieces = 2'000'000;
};

/// Never throws for malformed bytes: `complete` is false.
[[nodiscard]] SentencePieceModel read_sentencepiece(const ByteSource& source);

}  // namespace impound
