// SPDX-License-Identifier: Apache-2.0
#include "core/dataset/text_tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/utf8.hpp"

namespace impound {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

template <std::size_t N>
constexpr bool lies_in(const std::array<Range, N>& ranges,
                       std::uint32_t c) noexcept {
  const auto next =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](std::uint32_t value, const Range& range) {
                         return value < range.first;
                       });
  return next != ranges.begin() && c <= std::prev(next)->last;
}

// Unicode 15 properties, as far as words need them: White_Space;
// Default_Ignorable_Code_Point and format characters; punctuation and symbols;
// scripts written without spaces.
constexpr std::array kSpaces{Range{0x85, 0x85},     Range{0xa0, 0xa0},
                             Range{0x1680, 0x1680}, Range{0x2000, 0x200a},
                             Range{0x2028, 0x2029}, Range{0x202f, 0x202f},
                             Range{0x205f, 0x205f}, Range{0x3000, 0x3000}};
constexpr std::array kInvisible{
    Range{0x80, 0x84},       Range{0x86, 0x9f},       Range{0xad, 0xad},
    Range{0x34f, 0x34f},     Range{0x61c, 0x61c},     Range{0x115f, 0x1160},
    Range{0x17b4, 0x17b5},   Range{0x180b, 0x180f},   Range{0x200b, 0x200f},
    Range{0x202a, 0x202e},   Range{0x2060, 0x206f},   Range{0x3164, 0x3164},
    Range{0xe000, 0xf8ff},   Range{0xfe00, 0xfe0f},   Range{0xfeff, 0xfeff},
    Range{0xffa0, 0xffa0},   Range{0xfff0, 0xfffc},   Range{0x1bca0, 0x1bca3},
    Range{0x1d173, 0x1d17a}, Range{0xe0000, 0xe0fff}, Range{0xf0000, 0x10ffff}};
constexpr std::array kMarks{
    Range{0xa1, 0xa9},     Range{0xab, 0xac},      Range{0xae, 0xb1},
    Range{0xb4, 0xb4},     Range{0xb6, 0xb8},      Range{0xbb, 0xbb},
    Range{0xbf, 0xbf},     Range{0xd7, 0xd7},      Range{0xf7, 0xf7},
    Range{0x2010, 0x2027}, Range{0x2030, 0x205e},  Range{0x20a0, 0x20cf},
    Range{0x2100, 0x2101}, Range{0x2190, 0x2bff},  Range{0x2e00, 0x2e7f},
    Range{0x3001, 0x3004}, Range{0x3008, 0x3020},  Range{0x3030, 0x3030},
    Range{0x30fb, 0x30fb}, Range{0xfe10, 0xfe6f},  Range{0xff01, 0xff0f},
    Range{0xff1a, 0xff20}, Range{0xff3b, 0xff40},  Range{0xff5b, 0xff65},
    Range{0xfffd, 0xfffd}, Range{0x1f000, 0x1faff}};
constexpr std::array kAlone{
    Range{0xe00, 0xeff},   Range{0x1000, 0x109f},  Range{0x1780, 0x17b3},
    Range{0x17b6, 0x17ff}, Range{0x2e80, 0x2fff},  Range{0x3005, 0x3007},
    Range{0x3021, 0x302f}, Range{0x3031, 0x30fa},  Range{0x30fc, 0x3163},
    Range{0x3165, 0x318f}, Range{0x31a0, 0xa4cf},  Range{0xf900, 0xfaff},
    Range{0xff66, 0xff9f}, Range{0x20000, 0x3ffff}};

enum class CharClass : std::uint8_t { word, space, mark, alone, invisible };

constexpr CharClass class_of(std::uint32_t c) noexcept {
  if (c < 0x80) {
    if (c == ' ' || (c >= 9 && c <= 13)) return CharClass::space;
    if (c < 0x20 || c == 0x7f) return CharClass::invisible;
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                         (c >= 'a' && c <= 'z') || c == '_';
    return is_word ? CharClass::word : CharClass::mark;
  }
  if (lies_in(kSpaces, c)) return CharClass::space;
  if (lies_in(kInvisible, c)) return CharClass::invisible;
  if (lies_in(kMarks, c)) return CharClass::mark;
  return lies_in(kAlone, c) ? CharClass::alone : CharClass::word;
}

/// Lower case of ASCII characters that words are made of; 0 for the others.
constexpr std::array<char, 128> kAsciiWord = [] {
  std::array<char, 128> table{};
  for (std::size_t c = 0; c < table.size(); ++c) {
    if (class_of(static_cast<std::uint32_t>(c)) != CharClass::word) continue;
    const bool is_upper = c >= 'A' && c <= 'Z';
    table[c] = static_cast<char>(is_upper ? c + 32 : c);
  }
  return table;
}();

/// Simple lower case of Latin, Greek, Cyrillic, Armenian and full-width
/// letters; other scripts have none, or stay as they are.
std::uint32_t lower(std::uint32_t c) noexcept {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  const auto in = [c](std::uint32_t first, std::uint32_t last) {
    return c >= first && c <= last;
  };
  if (in(0xc0, 0xde) && c != 0xd7) return c + 32;
  if (c == 0x130) return 'i';
  if (c == 0x178) return 0xff;
  if (in(0x139, 0x148) || in(0x179, 0x17e)) return (c & 1U) != 0 ? c + 1 : c;
  if (in(0x100, 0x177) && c != 0x131 && c != 0x138 && c != 0x149) {
    return c | 1U;
  }
  if (in(0x1de, 0x1ef) || in(0x1f8, 0x21f) || in(0x222, 0x233)) return c | 1U;
  if (in(0x391, 0x3ab) && c != 0x3a2) return c + 32;
  if (c == 0x386) return 0x3ac;
  if (in(0x388, 0x38a)) return c + 37;
  if (c == 0x38c) return 0x3cc;
  if (in(0x38e, 0x38f)) return c + 63;
  if (in(0x400, 0x40f)) return c + 80;
  if (in(0x410, 0x42f)) return c + 32;
  if (in(0x460, 0x481) || in(0x48a, 0x4bf) || in(0x4d0, 0x52f)) return c | 1U;
  if (in(0x531, 0x556)) return c + 48;
  if (in(0x1e00, 0x1e95) || in(0x1ea0, 0x1eff)) return c | 1U;
  if (in(0xff21, 0xff3a)) return c + 32;
  return c;
}

enum Script : unsigned { kLatin = 1, kGreek = 2, kCyrillic = 4 };

unsigned script_of(std::uint32_t c) noexcept {
  if ((c >= 'a' && c <= 'z') || (c >= 0xdf && c <= 0x24f) ||
      (c >= 0x1e00 && c <= 0x1eff)) {
    return kLatin;
  }
  if ((c >= 0x370 && c <= 0x3ff) || (c >= 0x1f00 && c <= 0x1fff)) {
    return kGreek;
  }
  return c >= 0x400 && c <= 0x52f ? kCyrillic : 0U;
}

/// Writes a character and moves behind it.
void put_char(std::uint32_t c, char*& out) {
  const auto put = [&out](std::uint32_t byte) {
    *out++ = static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0U | (c >> 6U));
  } else if (c < 0x10000) {
    put(0xe0U | (c >> 12U));
    put(0x80U | ((c >> 6U) & 0x3fU));
  } else {
    put(0xf0U | (c >> 18U));
    put(0x80U | ((c >> 12U) & 0x3fU));
    put(0x80U | ((c >> 6U) & 0x3fU));
  }
  put(0x80U | (c & 0x3fU));
}

/// Oddities of one text that are told apart; hostile texts have no end of them.
constexpr std::size_t kMaxOddities = 256;

void note_once(std::vector<std::string>& oddities, std::string what) {
  if (oddities.size() >= kMaxOddities) return;
  if (std::ranges::find(oddities, what) == oddities.end()) {
    oddities.push_back(std::move(what));
  }
}

bool is_apostrophe(std::uint32_t c) noexcept {
  return c == '\'' || c == 0x2019;
}

}  // namespace

std::uint64_t quick_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15U ^ text.size();
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    hash = extend_phrase(hash, word);
  }
  // The last bytes, by two loads that may overlap: words are short.
  const std::string_view tail = text.substr(i);
  std::uint64_t rest = 0;
  if (tail.size() >= 4) {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::memcpy(&first, tail.data(), 4);
    std::memcpy(&last, tail.data() + tail.size() - 4, 4);
    rest = first | (std::uint64_t{last} << 32U);
  } else {
    for (const char c : tail) {
      rest = (rest << 8U) | static_cast<unsigned char>(c);
    }
  }
  return extend_phrase(hash, rest);
}

void TextTokens::split(std::string_view text) {
  // Lower case is never longer than what it is made of.
  folded_.resize(text.size());
  tokens_.clear();
  oddities_.clear();
  char* const front = folded_.data();
  char* begin = front;  // of the open token
  char* end = front;
  unsigned scripts = 0;
  std::uint32_t mark = 0;  // the character of an open run of punctuation
  const auto close = [&] {
    if (end > begin) {
      const std::string_view word(begin, static_cast<std::size_t>(end - begin));
      tokens_.push_back({quick_hash(word),
                         static_cast<std::uint32_t>(begin - front),
                         static_cast<std::uint32_t>(end - front)});
      if ((scripts & (scripts - 1)) != 0) {
        note_once(oddities_, fmt::format("mixed scripts: {}", word));
      }
      begin = end;
    }
    scripts = 0;
    mark = 0;
  };
  for (std::size_t i = 0; i < text.size() && tokens_.size() < kMaxTokens;) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80 && kAsciiWord[byte] != 0) {
      if (mark != 0) close();
      if (byte > '9' && byte != '_') scripts |= kLatin;
      *end++ = kAsciiWord[byte];
      ++i;
      continue;
    }
    const CodePoint c = decode_utf8(text.substr(i));
    if (c.length == 0) {
      note_once(oddities_, "no UTF-8");
      ++i;
      continue;
    }
    i += c.length;
    // "don't" is one word.
    if (is_apostrophe(c.value) && mark == 0 && end > begin && i < text.size() &&
        (static_cast<unsigned char>(text[i]) >= 0x80 ||
         kAsciiWord[static_cast<unsigned char>(text[i])] != 0)) {
      *end++ = '\'';
      continue;
    }
    switch (class_of(c.value)) {
      case CharClass::space:
        close();
        break;
      case CharClass::invisible:
        // Does not end a word: that is what it is hidden in.
        note_once(oddities_, fmt::format("U+{:04X}", c.value));
        break;
      case CharClass::mark:
        if (mark != c.value) close();
        put_char(c.value, end);
        mark = c.value;
        break;
      case CharClass::alone:
        close();
        put_char(c.value, end);
        close();
        break;
      case CharClass::word: {
        if (mark != 0) close();
        const std::uint32_t small = lower(c.value);
        scripts |= script_of(small);
        put_char(small, end);
        break;
      }
    }
  }
  close();
  folded_.resize(static_cast<std::size_t>(end - front));
  std::sort(oddities_.begin(), oddities_.end());
}

std::string TextTokens::phrase(std::size_t first, std::size_t count) const {
  std::string text;
  for (std::size_t i = first; i < first + count && i < tokens_.size(); ++i) {
    if (!text.empty()) text += ' ';
    text += word(tokens_[i]);
  }
  return text;
}

std::uint64_t TextTokens::sketch() const {
  if (tokens_.empty()) return 0;
  constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::array<std::uint64_t, 8> bins;
  bins.fill(kNone);
  std::uint64_t before = 1;
  for (std::size_t i = 0; i <= tokens_.size(); ++i) {
    const std::uint64_t word = i < tokens_.size() ? tokens_[i].hash : 2;
    const std::uint64_t pair = extend_phrase(before, word);
    std::uint64_t& bin = bins[pair >> 61U];
    bin = std::min(bin, pair & (kNone >> 3U));
    before = word;
  }
  std::uint64_t sketch = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    // An empty bin borrows from the next full one, and says how far that was.
    std::size_t from = i;
    while (bins[from % bins.size()] == kNone) ++from;
    const std::uint64_t value =
        extend_phrase(bins[from % bins.size()], from - i);
    sketch |= (value & 0xffU) << (8 * i);
  }
  return sketch == 0 ? 1 : sketch;
}

int equal_bytes(std::uint64_t a, std::uint64_t b) noexcept {
  int equal = 0;
  for (int i = 0; i < 8; ++i) {
    if (((a >> (8 * i)) & 0xffU) == ((b >> (8 * i)) & 0xffU)) ++equal;
  }
  return equal;
}

}  // namespace impound
