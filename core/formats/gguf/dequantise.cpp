// SPDX-License-Identifier: Apache-2.0
#include "core/formats/gguf/dequantise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/formats/numbers.hpp"

namespace impound {
namespace {

using U8 = std::uint8_t;

/// One block's bytes, with reads at fixed places.
class Block {
 public:
  explicit Block(const std::byte* bytes) : bytes_(bytes) {}
  [[nodiscard]] unsigned u8(std::size_t at) const {
    return std::to_integer<unsigned>(bytes_[at]);
  }
  [[nodiscard]] int i8(std::size_t at) const {
    return static_cast<std::int8_t>(u8(at));
  }
  [[nodiscard]] float f16(std::size_t at) const {
    return from_f16(static_cast<std::uint16_t>(u8(at) | (u8(at + 1) << 8U)));
  }
  [[nodiscard]] std::uint32_t u32(std::size_t at) const {
    return u8(at) | (u8(at + 1) << 8U) | (u8(at + 2) << 16U) |
           (u8(at + 3) << 24U);
  }

 private:
  const std::byte* bytes_;
};

float to_float(unsigned value) { return static_cast<float>(value); }
float to_float(int value) { return static_cast<float>(value); }

void decode_q4_0(const Block& b, float* out) {
  const float d = b.f16(0);
  for (std::size_t j = 0; j < 16; ++j) {
    const unsigned q = b.u8(2 + j);
    out[j] = to_float(static_cast<int>(q & 15U) - 8) * d;
    out[j + 16] = to_float(static_cast<int>(q >> 4U) - 8) * d;
  }
}

void decode_q4_1(const Block& b, float* out) {
  const float d = b.f16(0);
  const float m = b.f16(2);
  for (std::size_t j = 0; j < 16; ++j) {
    const unsigned q = b.u8(4 + j);
    out[j] = to_float(q & 15U) * d + m;
    out[j + 16] = to_float(q >> 4U) * d + m;
  }
}

/// The five bits of elements j and j+16: four in a byte, one in `high`.
std::array<unsigned, 2> five_bits(unsigned byte, std::uint32_t high,
                                  std::size_t j) {
  return {(byte & 15U) | (((high >> j) << 4U) & 16U),
          (byte >> 4U) | ((high >> (j + 12U)) & 16U)};
}

void decode_q5_0(const Block& b, float* out) {
  const float d = b.f16(0);
  const std::uint32_t high = b.u32(2);
  for (std::size_t j = 0; j < 16; ++j) {
    const auto [low, up] = five_bits(b.u8(6 + j), high, j);
    out[j] = to_float(static_cast<int>(low) - 16) * d;
    out[j + 16] = to_float(static_cast<int>(up) - 16) * d;
  }
}

void decode_q5_1(const Block& b, float* out) {
  const float d = b.f16(0);
  const float m = b.f16(2);
  const std::uint32_t high = b.u32(4);
  for (std::size_t j = 0; j < 16; ++j) {
    const auto [low, up] = five_bits(b.u8(8 + j), high, j);
    out[j] = to_float(low) * d + m;
    out[j + 16] = to_float(up) * d + m;
  }
}

void decode_q8_0(const Block& b, float* out) {
  const float d = b.f16(0);
  for (std::size_t j = 0; j < 32; ++j) out[j] = to_float(b.i8(2 + j)) * d;
}

// { scales[16]; qs[64]; d; dmin }
void decode_q2_k(const Block& b, float* out) {
  const float d = b.f16(80);
  const float dmin = b.f16(82);
  std::size_t scale = 0;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t q = 16 + 32 * half;
    for (unsigned shift = 0; shift < 8; shift += 2) {
      for (std::size_t part = 0; part < 2; ++part) {
        const unsigned sc = b.u8(scale++);
        const float dl = d * to_float(sc & 15U);
        const float ml = dmin * to_float(sc >> 4U);
        for (std::size_t l = 0; l < 16; ++l) {
          *out++ = dl * to_float((b.u8(q + 16 * part + l) >> shift) & 3U) - ml;
        }
      }
    }
  }
}

// { hmask[32]; qs[64]; scales[12]; d }
void decode_q3_k(const Block& b, float* out) {
  const float d = b.f16(108);
  // Sixteen 6-bit scales: low four bits in bytes 0-7, high two in 8-11.
  std::array<int, 16> scales{};
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned low = (b.u8(96 + i % 8) >> (i < 8 ? 0U : 4U)) & 15U;
    const unsigned high = (b.u8(104 + i % 4) >> (2U * (i / 4U))) & 3U;
    scales[i] = static_cast<int>(low | (high << 4U)) - 32;
  }
  std::size_t scale = 0;
  unsigned mask = 1;
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t q = 32 + 32 * half;
    for (unsigned shift = 0; shift < 8; shift += 2) {
      for (std::size_t part = 0; part < 2; ++part) {
        const float dl = d * to_float(scales[scale++]);
        for (std::size_t l = 0; l < 16; ++l) {
          const std::size_t at = 16 * part + l;
          const int low = static_cast<int>((b.u8(q + at) >> shift) & 3U);
          *out++ = dl * to_float(low - ((b.u8(at) & mask) != 0 ? 0 : 4));
        }
      }
      mask <<= 1U;
    }
  }
}

/// Scale and minimum `j` of the twelve bytes that Q4_K and Q5_K pack them in.
std::array<unsigned, 2> scale_and_min(const Block& b, std::size_t at,
                                      std::size_t j) {
  if (j < 4) return {b.u8(at + j) & 63U, b.u8(at + j + 4) & 63U};
  return {(b.u8(at + j + 4) & 15U) | ((b.u8(at + j - 4) >> 6U) << 4U),
          (b.u8(at + j + 4) >> 4U) | ((b.u8(at + j) >> 6U) << 4U)};
}

// { d; dmin; scales[12]; qs[128] }
void decode_q4_k(const Block& b, float* out) {
  const float d = b.f16(0);
  const float dmin = b.f16(2);
  for (std::size_t group = 0; group < 4; ++group) {
    for (std::size_t part = 0; part < 2; ++part) {
      const auto [sc, m] = scale_and_min(b, 4, 2 * group + part);
      const float dl = d * to_float(sc);
      const float ml = dmin * to_float(m);
      for (std::size_t l = 0; l < 32; ++l) {
        const unsigned q = b.u8(16 + 32 * group + l);
        *out++ = dl * to_float(part == 0 ? q & 15U : q >> 4U) - ml;
      }
    }
  }
}

// { d; dmin; scales[12]; qh[32]; qs[128] }
void decode_q5_k(const Block& b, float* out) {
  const float d = b.f16(0);
  const float dmin = b.f16(2);
  for (std::size_t group = 0; group < 4; ++group) {
    for (std::size_t part = 0; part < 2; ++part) {
      const auto [sc, m] = scale_and_min(b, 4, 2 * group + part);
      const float dl = d * to_float(sc);
      const float ml = dmin * to_float(m);
      const unsigned mask = 1U << (2 * group + part);
      for (std::size_t l = 0; l < 32; ++l) {
        const unsigned q = b.u8(48 + 32 * group + l);
        const unsigned low = part == 0 ? q & 15U : q >> 4U;
        const unsigned high = (b.u8(16 + l) & mask) != 0 ? 16U : 0U;
        *out++ = dl * to_float(low + high) - ml;
      }
    }
  }
}

// { ql[128]; qh[64]; scales[16] (signed); d }
void decode_q6_k(const Block& b, float* out) {
  const float d = b.f16(208);
  for (std::size_t half = 0; half < 2; ++half) {
    const std::size_t ql = 64 * half;
    const std::size_t qh = 128 + 32 * half;
    const std::size_t sc = 192 + 8 * half;
    for (std::size_t quarter = 0; quarter < 4; ++quarter) {
      for (std::size_t l = 0; l < 32; ++l) {
        const unsigned byte = b.u8(ql + l + 32 * (quarter % 2));
        const unsigned low = quarter < 2 ? byte & 15U : byte >> 4U;
        const unsigned high = (b.u8(qh + l) >> (2U * quarter)) & 3U;
        const int q = static_cast<int>(low | (high << 4U)) - 32;
        *out++ = d * to_float(b.i8(sc + l / 16 + 2 * quarter)) * to_float(q);
      }
    }
  }
}

// { float d; qs[256]; bsums[16] (i16) }
void decode_q8_k(const Block& b, float* out) {
  float d = 0;
  const std::uint32_t bits = b.u32(0);
  std::memcpy(&d, &bits, sizeof d);
  for (std::size_t j = 0; j < 256; ++j) out[j] = d * to_float(b.i8(4 + j));
}

struct Decoder {
  Dtype dtype;
  void (*decode)(const Block&, float*);
};

constexpr auto kDecoders = std::to_array<Decoder>({
    {Dtype::q4_0, decode_q4_0},
    {Dtype::q4_1, decode_q4_1},
    {Dtype::q5_0, decode_q5_0},
    {Dtype::q5_1, decode_q5_1},
    {Dtype::q8_0, decode_q8_0},
    {Dtype::q2_k, decode_q2_k},
    {Dtype::q3_k, decode_q3_k},
    {Dtype::q4_k, decode_q4_k},
    {Dtype::q5_k, decode_q5_k},
    {Dtype::q6_k, decode_q6_k},
    {Dtype::q8_k, decode_q8_k},
});

const Decoder* find_decoder(Dtype dtype) noexcept {
  for (const Decoder& each : kDecoders) {
    if (each.dtype == dtype) return &each;
  }
  return nullptr;
}

void put_f16(Bytes& block, std::size_t at, float value) {
  const std::uint16_t bits = to_f16(value);
  block[at] = static_cast<std::byte>(bits & 255U);
  block[at + 1] = static_cast<std::byte>(bits >> 8U);
}

/// min(top, x): the reference adds one half and cuts.
unsigned cut(float value, unsigned top) {
  if (!(value > 0)) return 0;
  return std::min(top, static_cast<unsigned>(std::min(value, 255.0F)));
}

}  // namespace

bool can_dequantise(Dtype dtype) noexcept {
  return find_decoder(dtype) != nullptr;
}

void dequantise(Dtype dtype, ByteView bytes, std::span<float> out) {
  const Decoder* decoder = find_decoder(dtype);
  if (decoder == nullptr) return;
  const DtypeTraits& type = traits(dtype);
  const std::size_t block_bytes = type.block_bits / 8;
  const std::size_t blocks =
      std::min(bytes.size() / block_bytes, out.size() / type.block_elements);
  for (std::size_t i = 0; i < blocks; ++i) {
    decoder->decode(Block(bytes.data() + i * block_bytes),
                    out.data() + i * type.block_elements);
  }
}

bool has_one_quantiser(Dtype dtype) noexcept {
  return dtype == Dtype::q4_0 || dtype == Dtype::q4_1 || dtype == Dtype::q5_0 ||
         dtype == Dtype::q5_1 || dtype == Dtype::q8_0;
}

Bytes quantise_block(Dtype dtype, std::span<const float> in) {
  Bytes block(traits(dtype).block_bits / 8);
  float extreme = 0;  // the number of largest magnitude, with its sign
  for (const float x : in) {
    if (std::abs(x) > std::abs(extreme)) extreme = x;
  }
  const auto [least, most] = std::minmax_element(in.begin(), in.end());
  const bool has_minimum = dtype == Dtype::q4_1 || dtype == Dtype::q5_1;
  const bool has_five = dtype == Dtype::q5_0 || dtype == Dtype::q5_1;
  const unsigned top = has_five ? 31 : 15;
  float d = 0;
  if (dtype == Dtype::q8_0) {
    d = std::abs(extreme) / 127.0F;
  } else if (has_minimum) {
    d = (*most - *least) / static_cast<float>(top);
  } else {
    d = extreme / (has_five ? -16.0F : -8.0F);
  }
  const float inverse = d != 0 ? 1.0F / d : 0.0F;
  put_f16(block, 0, d);
  if (dtype == Dtype::q8_0) {
    for (std::size_t j = 0; j < 32; ++j) {
      const float q = std::round(in[j] * inverse);
      block[2 + j] = static_cast<std::byte>(
          static_cast<std::int8_t>(std::clamp(q, -128.0F, 127.0F)));
    }
    return block;
  }
  if (has_minimum) put_f16(block, 2, *least);
  const std::size_t high_at = has_minimum ? 4 : 2;
  const std::size_t low_at = high_at + (has_five ? 4 : 0);
  const float offset = has_minimum ? 0.5F : (has_five ? 16.5F : 8.5F);
  std::uint32_t high = 0;
  const auto code = [&, from = least](float x) {
    return has_minimum ? cut((x - *from) * inverse + offset, top)
                       : cut(x * inverse + offset, top);
  };
  for (std::size_t j = 0; j < 16; ++j) {
    const unsigned one = code(in[j]);
    const unsigned two = code(in[j + 16]);
    block[low_at + j] =
        static_cast<std::byte>((one & 15U) | ((two & 15U) << 4U));
    high |= ((one >> 4U) << j) | ((two >> 4U) << (j + 16U));
  }
  if (has_five) {
    for (std::size_t i = 0; i < 4; ++i) {
      block[high_at + i] = static_cast<std::byte>((high >> (8 * i)) & 255U);
    }
  }
  return block;
}

void quantise_and_back(Dtype dtype, std::span<const float> in,
                       std::span<float> out) {
  dequantise(dtype, quantise_block(dtype, in), out);
}

}  // namespace impound
