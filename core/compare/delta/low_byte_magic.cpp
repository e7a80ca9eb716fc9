// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/low_byte_magic.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/compare/delta/delta_places.hpp"
#include "core/compare/delta/weight_look.hpp"

namespace impound {
namespace {

using namespace std::string_view_literals;

/// Bytes that a strict magic may need.
constexpr std::size_t kMagicBytes = 24;
/// Found ones that are reported of one tensor.
constexpr std::size_t kMostFound = 16;

bool is_elf(ByteView s) {
  const auto at = [&](std::size_t i) {
    return std::to_integer<unsigned>(s[i]);
  };
  return as_text(s).starts_with(
             "\x7f"
             "ELF"sv) &&
         at(4) >= 1 && at(4) <= 2 && at(5) >= 1 && at(5) <= 2 && at(6) == 1;
}

bool is_zip(ByteView s) {
  const auto at = [&](std::size_t i) {
    return std::to_integer<unsigned>(s[i]);
  };
  // Version to extract up to 6.3, no high flags, a known method.
  return as_text(s).starts_with("PK\x03\x04"sv) && at(4) <= 63 && at(5) == 0 &&
         at(7) <= 0x08 && (at(8) <= 14 || at(8) == 93 || at(8) == 95) &&
         at(9) == 0;
}

bool is_gzip(ByteView s) {
  const auto at = [&](std::size_t i) {
    return std::to_integer<unsigned>(s[i]);
  };
  // Flags without reserved bits, effort 0, 2 or 4, a known system.
  return as_text(s).starts_with("\x1f\x8b\x08"sv) && at(3) <= 0x1F &&
         (at(8) == 0 || at(8) == 2 || at(8) == 4) &&
         (at(9) <= 13 || at(9) == 255);
}

bool is_script(ByteView s) {
  const std::string_view text = as_text(s);
  return text.starts_with("#!/"sv) &&
         std::all_of(text.begin() + 3, text.begin() + 10, [](char c) {
           return (c >= 'a' && c <= 'z') || c == '/' || c == ' ' || c == '\n';
         });
}

}  // namespace

std::string_view strict_magic(ByteView s) {
  if (s.size() < kMagicBytes) return {};
  const std::string_view text = as_text(s);
  if (is_elf(s)) return "ELF";
  if (text.starts_with("MZ\x90\0\x03\0\0\0"sv)) return "PE";
  if (is_zip(s)) return "ZIP";
  if (is_gzip(s)) return "gzip";
  if (text.starts_with("7z\xbc\xaf\x27\x1c"sv)) return "7z";
  if (text.starts_with("\xfd"
                       "7zXZ\0\0"sv))
    return "xz";
  if (text.starts_with("%PDF-1."sv)) return "PDF";
  if (is_script(s)) return "script";
  return {};
}

void LowByteMagics::search(std::size_t low, std::uint64_t first,
                           std::vector<FoundMagic>& found) {
  const std::size_t width = traits(dtype_).block_bits / 8;
  const std::size_t count = window_.size() / width;
  Bytes plane;
  plane.reserve(count * low);
  for (std::size_t i = 0; i < count; ++i) {
    const auto from = window_.begin() + static_cast<std::ptrdiff_t>(i * width);
    plane.insert(plane.end(), from, from + static_cast<std::ptrdiff_t>(low));
  }
  // First bytes of every magic that is looked for: most places end here.
  constexpr std::string_view kFirst =
      "\x7fMP\x1f"
      "7\xfd%#";
  std::array<bool, 256> may_begin{};
  for (const char c : kFirst) may_begin[static_cast<unsigned char>(c)] = true;
  for (std::size_t i = 0; i + kMagicBytes <= plane.size(); ++i) {
    if (!may_begin[std::to_integer<std::size_t>(plane[i])]) continue;
    const std::string_view name =
        strict_magic(ByteView(plane).subspan(i, kMagicBytes));
    if (name.empty() || found.size() >= kMostFound) continue;
    const FoundMagic magic{.name = std::string(name),
                           .element = first + i / low,
                           .bits = static_cast<unsigned>(8 * low)};
    // The tail was searched before, as far as it reached.
    const bool is_known =
        std::any_of(found.begin(), found.end(), [&](const FoundMagic& other) {
          return other.element == magic.element && other.bits == magic.bits;
        });
    if (!is_known) found.push_back(magic);
  }
}

void LowByteMagics::feed(ByteView raw, std::uint64_t first,
                         std::vector<FoundMagic>& found) {
  const std::size_t width = traits(dtype_).block_bits / 8;
  window_.assign(tail_.begin(), tail_.end());
  window_.insert(window_.end(), raw.begin(), raw.end());
  const std::uint64_t begin = first - tail_.size() / width;
  // All bytes of a number are the file itself, which is another matter.
  for (std::size_t low = 1; low < std::min<std::size_t>(width, 4); ++low) {
    search(low, begin, found);
  }
  if (first == 0) {
    // Narrower fields: where a payload begins at the tensor's start.
    constexpr unsigned kMostPacked = 7;
    for (unsigned bits = 1; bits <= kMostPacked; ++bits) {
      constexpr std::size_t kNeeded = kMagicBytes * 8;
      const std::size_t elements = kNeeded / bits + 1;
      if (raw.size() / width < elements) break;
      for (const bool low_first : {true, false}) {
        const Bytes stream =
            pack_low_bits(raw.first(elements * width), width, bits, low_first);
        const std::string_view name = strict_magic(stream);
        if (!name.empty()) {
          found.push_back(
              {.name = std::string(name), .element = 0, .bits = bits});
        }
      }
    }
  }
  const std::size_t kept =
      std::min<std::size_t>(window_.size(), kMagicBytes * width);
  tail_.assign(window_.end() - static_cast<std::ptrdiff_t>(kept),
               window_.end());
}

}  // namespace impound
