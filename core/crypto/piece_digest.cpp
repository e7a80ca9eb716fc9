// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/piece_digest.hpp"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace impound {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kLengthField = 8;

#if defined(__x86_64__)

/// FIPS 180-4, section 4.2.2.
alignas(16) constexpr std::uint32_t kRounds[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1,
    0x923F82A4, 0xAB1C5ED5, 0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3,
    0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174, 0xE49B69C1, 0xEFBE4786,
    0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147,
    0x06CA6351, 0x14292967, 0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13,
    0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85, 0xA2BFE8A1, 0xA81A664B,
    0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A,
    0x5B9CCA4F, 0x682E6FF3, 0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208,
    0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2};

/// CPUID leaf 7: SHA; leaf 1: SSSE3 and SSE4.1, which the shuffles need.
bool has_sha_instructions() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  const bool shuffles = (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return shuffles && (b & bit_SHA) != 0;
}

/// One SHA-256 whose state lies as the instructions want it.
struct Lane {
  std::uint32_t* words;
  const std::byte* bytes;
};

/// Compresses `blocks` blocks of each lane. The instructions keep the words of
/// the state as ABEF and CDGH (Intel SDM, SHA256RNDS2).
template <std::size_t kLanes>
[[gnu::target("sha,sse4.1,ssse3")]] void compress(Lane* lanes,
                                                  std::size_t blocks) {
  const __m128i big_endian =
      _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
  __m128i abef[kLanes];
  __m128i cdgh[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) {
    const auto* const words = reinterpret_cast<const __m128i*>(lanes[i].words);
    const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1B);
    abef[i] = _mm_alignr_epi8(cdab, efgh, 8);
    cdgh[i] = _mm_blend_epi16(efgh, cdab, 0xF0);
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    __m128i abef_before[kLanes];
    __m128i cdgh_before[kLanes];
    __m128i w[kLanes][4];
    for (std::size_t i = 0; i < kLanes; ++i) {
      abef_before[i] = abef[i];
      cdgh_before[i] = cdgh[i];
      const auto* const bytes =
          reinterpret_cast<const __m128i*>(lanes[i].bytes + block * kBlock);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < 4; ++k) {
        w[i][k] = _mm_shuffle_epi8(_mm_loadu_si128(bytes + k), big_endian);
      }
    }
    // Four rounds at a time; w[…][r % 4] then becomes the word of round r + 4.
#pragma GCC unroll 16
    for (std::size_t r = 0; r < 16; ++r) {
      const __m128i constants =
          _mm_load_si128(reinterpret_cast<const __m128i*>(&kRounds[4 * r]));
#pragma GCC unroll 2
      for (std::size_t i = 0; i < kLanes; ++i) {
        __m128i* const words = w[i];
        __m128i sum = _mm_add_epi32(words[r % 4], constants);
        cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], sum);
        sum = _mm_shuffle_epi32(sum, 0x0E);
        abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], sum);
        if (r < 12) {
          const __m128i last = words[(r + 3) % 4];
          const __m128i next = _mm_add_epi32(
              _mm_sha256msg1_epu32(words[r % 4], words[(r + 1) % 4]),
              _mm_alignr_epi8(last, words[(r + 2) % 4], 4));
          words[r % 4] = _mm_sha256msg2_epu32(next, last);
        }
      }
    }
    for (std::size_t i = 0; i < kLanes; ++i) {
      abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
      cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
    }
  }
  for (std::size_t i = 0; i < kLanes; ++i) {
    const __m128i feba = _mm_shuffle_epi32(abef[i], 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh[i], 0xB1);
    auto* const words = reinterpret_cast<__m128i*>(lanes[i].words);
    _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
  }
}

#else

bool has_sha_instructions() noexcept { return false; }

struct Lane {
  std::uint32_t* words;
  const std::byte* bytes;
};

/// Never called: is_accelerated() is false.
template <std::size_t kLanes>
void compress(Lane*, std::size_t) {}

#endif

/// FIPS 180-4 and its examples (csrc.nist.gov, SHA256.pdf; the million letters
/// are of FIPS 180-2).
constexpr std::string_view kEmptyAnswer =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kAbcAnswer =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kMillionAnswer =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

/// By the way that a bundle takes: a piece, then what is no piece.
std::string digest_of(std::string_view piece, std::string_view rest) {
  PieceDigest digest;
  static_cast<void>(digest.piece(as_bytes(piece)));
  digest.update(as_bytes(rest));
  return digest.finish().hex();
}

}  // namespace

bool PieceDigest::is_accelerated() noexcept {
  static const bool kHas = has_sha_instructions();
  return kHas;
}

ByteView PieceDigest::State::fill(ByteView bytes) {
  size += bytes.size();
  if (rest_size == 0) return bytes;
  const std::size_t count = std::min(kBlock - rest_size, bytes.size());
  std::copy_n(bytes.begin(), count, rest.begin() + rest_size);
  rest_size += count;
  if (rest_size == kBlock) {
    Lane lane{words.data(), rest.data()};
    compress<1>(&lane, 1);
    rest_size = 0;
  }
  return bytes.subspan(count);
}

void PieceDigest::State::update(ByteView bytes) {
  bytes = fill(bytes);
  if (bytes.empty()) return;
  Lane lane{words.data(), bytes.data()};
  compress<1>(&lane, bytes.size() / kBlock);
  const ByteView tail = bytes.last(bytes.size() % kBlock);
  std::ranges::copy(tail, rest.begin());
  rest_size = tail.size();
}

Digest PieceDigest::State::finish() {
  const std::uint64_t bits = size * 8;
  std::array<std::byte, kBlock + kLengthField> padding{std::byte{0x80}};
  // Up to the length field that ends a block.
  std::size_t count = (2 * kBlock - kLengthField - rest_size) % kBlock;
  if (count == 0) count = kBlock;
  for (std::size_t i = 0; i < kLengthField; ++i) {
    padding[count + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
  }
  update(ByteView(padding).first(count + kLengthField));
  Digest digest;
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    digest.bytes[i] =
        static_cast<std::byte>(words[i / 4] >> (24 - 8 * (i % 4)));
  }
  return digest;
}

PieceDigest::PieceDigest() = default;

Digest PieceDigest::piece(ByteView bytes) {
  if (!is_accelerated()) {
    plain_.update(bytes);
    return sha256(bytes);
  }
  State piece;
  const ByteView rest = stream_.fill(bytes);
  // The stream is ahead by what filled its block.
  const std::size_t blocks = rest.size() / kBlock;
  if (blocks != 0) {
    Lane lanes[2] = {{stream_.words.data(), rest.data()},
                     {piece.words.data(), bytes.data()}};
    compress<2>(lanes, blocks);
    piece.size = blocks * kBlock;
  }
  const ByteView tail = rest.subspan(blocks * kBlock);
  std::ranges::copy(tail, stream_.rest.begin() + stream_.rest_size);
  stream_.rest_size += tail.size();
  piece.update(bytes.subspan(blocks * kBlock));
  return piece.finish();
}

void PieceDigest::update(ByteView bytes) {
  if (is_accelerated()) {
    stream_.update(bytes);
  } else {
    plain_.update(bytes);
  }
}

Digest PieceDigest::finish() {
  return is_accelerated() ? stream_.finish() : plain_.finish();
}

std::string_view PieceDigest::kernel() noexcept {
  return is_accelerated() ? "impound, x86-64 SHA instructions" : "OpenSSL";
}

bool PieceDigest::is_right() {
  static const bool kRight = knows_its_answers();
  return kRight;
}

bool PieceDigest::knows_its_answers() {
  if (digest_of({}, "") != kEmptyAnswer || digest_of("abc", "") != kAbcAnswer ||
      digest_of("ab", "c") != kAbcAnswer ||
      digest_of(std::string(1'000'000, 'a'), "") != kMillionAnswer) {
    return false;
  }
  // Both lanes at once, with the stream ahead of the piece by every offset
  // within a block, over every length of the last block.
  std::string pattern(3 * kBlock + 1, '\0');
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    pattern[i] = static_cast<char>(i * 167 + 13);
  }
  for (std::size_t ahead = 0; ahead <= kBlock; ++ahead) {
    for (std::size_t size = 0; size <= 2 * kBlock + 1; ++size) {
      const auto front = std::string_view(pattern).substr(0, ahead);
      const auto piece = std::string_view(pattern).substr(ahead, size);
      PieceDigest digest;
      digest.update(as_bytes(front));
      if (digest.piece(as_bytes(piece)) != sha256(piece) ||
          digest.finish() !=
              sha256(std::string_view(pattern).substr(0, ahead + size))) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace impound
