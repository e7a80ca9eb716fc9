// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A value that is mostly absent, in the room of a pointer: a member of which
/// a million objects have none costs 8 MB, not the size of the value.

#include <memory>
#include <utility>

namespace impound {

/// As std::optional, as far as it is needed; copied by value.
template <typename T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(const Boxed& other)
      : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(const Boxed& other) {
    if (this != &other) *this = Boxed(other);
    return *this;
  }
  Boxed& operator=(Boxed&&) noexcept = default;
  ~Boxed() = default;

  T& emplace() {
    value_ = std::make_unique<T>();
    return *value_;
  }

  [[nodiscard]] bool has_value() const noexcept { return value_ != nullptr; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
  /// Precondition of both: has_value().
  [[nodiscard]] T& operator*() noexcept { return *value_; }
  [[nodiscard]] const T& operator*() const noexcept { return *value_; }
  [[nodiscard]] T* operator->() noexcept { return value_.get(); }
  [[nodiscard]] const T* operator->() const noexcept { return value_.get(); }
  [[nodiscard]] T value_or(T other) const {
    return value_ ? *value_ : std::move(other);
  }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace impound
