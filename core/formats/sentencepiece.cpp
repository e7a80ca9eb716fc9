// SPDX-License-Identifier: Apache-2.0
#include "core/formats/sentencepiece.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <vector>

#include "core/formats/protobuf.hpp"

namespace impound {
namespace {

using wire::Field;
using wire::Message;
using wire::Type;

constexpr std::uint64_t kMaxText = 4096;        // of one piece
constexpr std::uint64_t kMaxRules = 1U << 20U;  // bytes kept of the rules
/// Of one table; that of NFKC, the largest there is, has 240 kB.
constexpr std::uint64_t kMaxTable = std::uint64_t{8} << 20U;
constexpr std::size_t kMaxKey = 256;  // bytes of what is rewritten
/// Bytes of all that is rewritten, texts that begin alike counted once: NFKC
/// has 200,000. Each is a look at 255 units.
constexpr std::size_t kMaxSteps = 1'000'000;

/// A walk over all texts of a double array, in order.
class TrieWalk {
 public:
  TrieWalk(ByteView units, std::string_view texts, const RewriteVisitor& visit)
      : units_(units.size() / 4), texts_(texts), visit_(visit) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(units_.data(), units.data(), 4 * units_.size());
  }

  /// @return false if it is no trie.
  bool run() {
    if (units_.empty()) return false;
    std::vector<Level> open{{.base = base_of(units_[0], 0), .next = 1}};
    std::string key;
    while (!open.empty()) {
      Level& level = open.back();
      if (level.next > 255) {
        open.pop_back();
        if (!key.empty()) key.pop_back();
        continue;
      }
      const std::uint32_t byte = level.next++;
      const std::size_t at = level.base ^ byte;
      if (at >= units_.size() || (units_[at] & kLabel) != byte) continue;
      // Texts share their ends: more than one way may lead to a unit. A ring of
      // them, and what unfolds without measure, ends here.
      if (key.size() >= kMaxKey || ++steps_ > kMaxSteps) return false;
      key.push_back(static_cast<char>(byte));
      const std::size_t base = base_of(units_[at], at);
      if ((units_[at] & kEnds) != 0 && !show(key, base)) return false;
      open.push_back({.base = base, .next = 1});
    }
    return true;
  }

 private:
  static constexpr std::uint32_t kLabel = 0x800000ffU;
  static constexpr std::uint32_t kEnds = 0x100U;

  struct Level {
    std::size_t base;
    std::uint32_t next;
  };

  static std::size_t base_of(std::uint32_t unit, std::size_t at) {
    return at ^ ((unit >> 10U) << ((unit & 0x200U) >> 6U));
  }
  bool show(std::string_view key, std::size_t base) const {
    if (base >= units_.size()) return false;
    const std::size_t begin = units_[base] & 0x7fffffffU;
    if (begin >= texts_.size()) return false;
    const std::size_t end = texts_.find('\0', begin);
    if (end == std::string_view::npos) return false;
    visit_(key, texts_.substr(begin, end - begin));
    return true;
  }

  std::vector<std::uint32_t> units_;
  std::string_view texts_;
  const RewriteVisitor& visit_;
  std::size_t steps_ = 0;
};

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

bool read_rewrites(const ByteSource& source, std::uint64_t offset,
                   std::uint64_t size, const RewriteVisitor& visit) {
  if (size == 0) return true;
  if (size > kMaxTable) return false;
  const Bytes table = source.head(offset, size);
  if (table.size() != size || size < 4) return false;
  std::uint64_t trie = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    trie |= std::to_integer<std::uint64_t>(table[i]) << (8 * i);
  }
  if (trie > size - 4 || trie % 4 != 0) return false;
  const ByteView body = ByteView(table).subspan(4);
  const auto units = static_cast<std::size_t>(trie);
  return TrieWalk(body.first(units), as_text(body.subspan(units)), visit).run();
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
      model.has_normaliser = true;
      normaliser_of(window, *field, model, is_sound);
    } else if (field->number == 5) {
      SentencePieceModel undo;
      normaliser_of(window, *field, undo, is_sound);
      model.undo_offset = undo.table_offset;
      model.undo_size = undo.table_size;
    }
    if (!is_sound) return model;
  }
  model.complete = message.ok() && !model.pieces.empty();
  return model;
}

}  // namespace impound
