// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Owning pointers for C handles: the closing function is part of the type.

#include <memory>

namespace impound {

template <auto Close>
struct CloseWith {
  template <typename T>
  void operator()(T* handle) const noexcept {
    static_cast<void>(Close(handle));
  }
};

/// Owns a C handle. As large as a raw pointer, never copied, closed once.
template <typename T, auto Close>
using Handle = std::unique_ptr<T, CloseWith<Close>>;

}  // namespace impound
