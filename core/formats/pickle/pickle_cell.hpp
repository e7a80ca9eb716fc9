// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The values of the pickle machine: as others see them, and packed into eight
/// bytes, as it keeps millions of them.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace impound {

/// One value of the machine. Text and bytes are not copied: they are a place in
/// the stream.
struct PickleValue {
  enum class Kind : std::uint8_t {
    absent,   ///< no value: an empty memo slot
    unknown,  ///< something, after an error or above a limit
    none,
    boolean,      ///< payload 0 or 1
    integer,      ///< payload: the int64
    big_integer,  ///< more than 64 bits: payload, length: its bytes
    real,         ///< payload: the bits of the double
    text,         ///< payload, length: UTF-8 bytes in the stream
    raw_unicode,  ///< the same, raw-unicode-escape (opcode UNICODE)
    quoted,       ///< the same, a quoted and escaped line (opcode STRING)
    bytes,        ///< payload, length: bytes in the stream
    global,       ///< payload: index of PickleHeap::globals
    container,    ///< payload: index of PickleHeap::containers
  };
  Kind kind = Kind::absent;
  std::uint32_t length = 0;  ///< 0xffffffff also stands for anything longer
  std::uint64_t payload = 0;

  [[nodiscard]] bool is_text() const noexcept {
    return kind == Kind::text || kind == Kind::raw_unicode ||
           kind == Kind::quoted;
  }
};

/// A PickleValue in eight bytes. Integers of up to 56 bits are in it; a
/// BINFLOAT is its place in the stream; text of up to 4095 bytes is a place
/// below 16 TiB and a length. The rest is `far`: an index of PickleHeap.
struct PickleCell {
  using Kind = PickleValue::Kind;
  static constexpr auto kFar = static_cast<Kind>(0xff);
  static constexpr std::uint64_t kPayload = (std::uint64_t{1} << 56U) - 1;
  static constexpr unsigned kLengthBits = 12;
  static constexpr std::uint64_t kMaxLength = (1U << kLengthBits) - 1;
  static constexpr std::uint64_t kMaxPlace =
      (std::uint64_t{1} << (56U - kLengthBits)) - 1;

  std::uint64_t bits;

  [[nodiscard]] static constexpr PickleCell of(Kind kind,
                                               std::uint64_t payload) {
    return {static_cast<std::uint64_t>(kind) << 56U | (payload & kPayload)};
  }
  /// @pre place <= kMaxPlace and length <= kMaxLength
  [[nodiscard]] static constexpr PickleCell string(Kind kind,
                                                   std::uint64_t place,
                                                   std::uint64_t length) {
    return of(kind, place << kLengthBits | length);
  }
  [[nodiscard]] constexpr Kind kind() const {
    return static_cast<Kind>(bits >> 56U);
  }
  [[nodiscard]] constexpr std::uint64_t payload() const {
    return bits & kPayload;
  }
};

/// Memory of `bytes` bytes, none of it touched yet; large pieces in large pages
/// where the system has them: a fault for 4 KiB costs more than filling them.
struct FreeMemory {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
[[nodiscard]] void* reserve_memory(std::size_t bytes);  // pickle_heap.cpp

/// A vector of trivial values that is not copied again once it is large: it
/// then reserves all the addresses it may ever need.
template <typename T>
class PickleArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// Never holds more than `most`: the caller looks before it adds.
  explicit PickleArray(std::size_t most) : most_(most) {}

  void push(const T& value) {
    if (size_ == capacity_) grow();
    data_.get()[size_++] = value;
  }
  void pop() { --size_; }
  void clear() { size_ = 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t i) { return data_.get()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const {
    return data_.get()[i];
  }
  [[nodiscard]] const T& back() const { return data_.get()[size_ - 1]; }

 private:
  static constexpr std::size_t kSmall = std::size_t{1} << 20U;  ///< bytes

  void grow() {
    const std::size_t wanted = capacity_ == 0                   ? 256
                               : capacity_ * sizeof(T) < kSmall ? capacity_ * 4
                                                                : most_ + 1;
    std::unique_ptr<T, FreeMemory> larger(
        static_cast<T*>(reserve_memory(wanted * sizeof(T))));
    for (std::size_t i = 0; i < size_; ++i) larger.get()[i] = data_.get()[i];
    data_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<T, FreeMemory> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t most_;
};

}  // namespace impound
