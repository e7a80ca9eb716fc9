// SPDX-License-Identifier: Apache-2.0
#pragma once
/// SHA-256 of many short texts, without making a context for each.

#include <memory>

#include "core/crypto/digest.hpp"

namespace impound {

/// Serves one thread.
class RepeatedSha256 {
 public:
  /// @throws Error{unsupported} if OpenSSL offers no SHA-256 in this process.
  RepeatedSha256();
  ~RepeatedSha256();
  RepeatedSha256(RepeatedSha256&&) noexcept;
  RepeatedSha256& operator=(RepeatedSha256&&) noexcept;

  [[nodiscard]] Digest of(std::string_view text);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace impound
