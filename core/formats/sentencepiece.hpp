// SPDX-License-Identifier: Apache-2.0
#pragma once
/// SentencePiece models (tokenizer.model): the vocabulary and the rules that
/// rewrite a text before it is cut (sentencepiece_model.proto).

#include <cstdint>
#include <functional>
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
  bool has_normaliser = false;
  /// The table of the rules that rewrite what the model says.
  std::uint64_t undo_offset = 0;
  std::uint64_t undo_size = 0;

  static constexpr std::size_t kMaxPieces = 2'000'000;
};

/// Never throws for malformed bytes: `complete` is false.
[[nodiscard]] SentencePieceModel read_sentencepiece(const ByteSource& source);

/// What a compiled table rewrites, one text after the other. Its layout
/// (normalizer.cc, EncodePrecompiledCharsMap; darts.h of Darts-clone):
///
///   u32     bytes of the trie
///   u32 []  the trie, a double array: unit = array[base ^ byte], which holds
///           its byte in bits 0 to 7, whether a text ends here in bit 8, and in
///           bits 9 to 31 what its own base is xor-ed with; the value of a
///           text, array[base], is a place among the texts
///   texts   each ended by a NUL
///
/// @return false if it is none, or too large to be read: what it rewrites
/// beyond is not known. An empty table rewrites nothing.
using RewriteVisitor =
    std::function<void(std::string_view from, std::string_view to)>;
///
/// Texts share their ends as they share their beginnings.
[[nodiscard]] bool read_rewrites(const ByteSource& source, std::uint64_t offset,
                                 std::uint64_t size,
                                 const RewriteVisitor& visit);

}  // namespace impound
