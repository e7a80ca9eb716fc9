// SPDX-License-Identifier: Apache-2.0
#include "core/formats/sentencepiece.hpp"

#include <fmt/format.h>

#include <bit>

#include "core/formats/protobuf.hpp"

namespace impound {
namespace {

using wire::Field;
using wire::Message;
using wire::Type;

constexpr std::uint64_t kMaxText = 4096;        // of one piece
constexpr std::uint64_t kMaxRules = 1U << 20U;  // bytes kept of the rules

SentencePiece piece_of(wire::Window& window, const Field& of, bool& is_sound) {
  SentencePiece piece;
  Message message(window, of);
  while (const auto field = message.next()) {
    if (field->number == 1 && field->type == Type::bytes) {
      piece.text = window.text(*field, kMaxText);
    } else if (field->number == 2 && field->type == Type::fixed32) {
      piece.score =
          std::bit_cast<float>(static_cast<std::uint32_t>(field->value));
    } else if (field->number == 3) {
      piece.type = field->value;
    }
  }
  is_sound = is_sound && message.ok();
  return piece;
}

void normaliser_of(wire::Window& window, const Field& of,
                   SentencePieceModel& model, bool& is_sound) {
  Message message(window, of);
  while (const auto field = message.next()) {
    const bool is_bytes = field->type == Type::bytes;
    if (field->number == 1 && is_bytes) {
      model.normaliser = window.text(*field, kMaxText);
    } else if (field->number == 2 && is_bytes) {
      model.table_offset = field->offset;
      model.table_size = field->size;
    } else if (field->number == 3) {
      model.adds_prefix = field->value != 0;
    } else if (field->number == 4) {
      model.removes_spaces = field->value != 0;
    } else if (field->number == 6 && is_bytes) {
      model.rules = window.text(*field, kMaxRules);
    }
  }
  is_sound = is_sound && message.ok();
}

}  // namespace

std::string sentence_piece_type(std::uint64_t type) {
  switch (type) {
    case 1:
      return "normal";
    case 2:
      return "unknown";
    case 3:
      return "control";
    case 4:
      return "user-defined";
    case 5:
      return "unused";
    case 6:
      return "byte";
    default:
      return fmt::format("type {}", type);
  }
}

SentencePieceModel read_sentencepiece(const ByteSource& source) {
  SentencePieceModel model;
  wire::Window window(source);
  Message message(window, 0, source.size());
  bool is_sound = true;
  while (const auto field = message.next()) {
    if (field->type != Type::bytes) continue;
    if (field->number == 1) {
      if (model.pieces.size() >= SentencePieceModel::kMaxPieces) return model;
      model.pieces.push_back(piece_of(window, *field, is_sound));
    } else if (field->number == 3) {
      normaliser_of(window, *field, model, is_sound);
    }
    if (!is_sound) return model;
  }
  model.complete = message.ok() && !model.pieces.empty();
  return model;
}

}  // namespace impound
