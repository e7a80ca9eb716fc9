// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The name that git gives to a file's content: SHA-1 of "blob <size>\0" and
/// the bytes. Hugging Face names files of its cache by it. It identifies; it
/// proves nothing against somebody who makes collisions.

#include <string>

#include "core/base/source.hpp"

namespace impound {

/// 40 lower-case hexadecimal digits; the source is read in pieces of 4 MiB.
/// @throws Error{unsupported} if OpenSSL offers no SHA-1 in this process, and
///         what source.read() throws.
[[nodiscard]] std::string git_blob_name(const ByteSource& source);

}  // namespace impound
