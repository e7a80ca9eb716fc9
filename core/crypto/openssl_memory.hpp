// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the files of this room share about OpenSSL: memory as its streams, its
/// words for a failure, private keys out of PEM. Nobody else includes this.

#include <openssl/bio.h>
#include <openssl/evp.h>

#include <new>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/handle.hpp"
#include "core/crypto/signature.hpp"

namespace impound::openssl {

using Key = Handle<EVP_PKEY, EVP_PKEY_free>;
using DigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using MemoryStream = Handle<BIO, BIO_free_all>;

/// The library's reason for its last failure, which is forgotten then.
[[nodiscard]] std::string last_words();

/// @throws Error{otherwise} with the library's words unless `done`;
///         std::bad_alloc if it says that there was no memory.
void require(bool done, const char* call, Errc otherwise = Errc::unsupported);

/// For calls that do nothing but allocate, which OpenSSL does not always say.
/// @throws std::bad_alloc if `made` is null.
template <typename T>
void require_made(const T& made) {
  if (made == nullptr) throw std::bad_alloc();
}

/// A stream that reads `text`, which outlives it.
[[nodiscard]] MemoryStream stream_over(std::string_view text);
/// A stream that collects what is written to it.
[[nodiscard]] MemoryStream empty_stream();
[[nodiscard]] std::string content_of(const MemoryStream& stream);

[[nodiscard]] inline const unsigned char* chars(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// OpenSSL's passphrase callback for a `const std::string*` got beforehand, so
/// that no C++ exception of a prompt ever passes through C code.
int hand_over(char* buffer, int size, int writing, void* user);

/// A private key of any kind out of PEM.
/// @throws Error{bad_input} if a passphrase is needed and wrong or absent,
///         Error{malformed} naming `source`.
[[nodiscard]] Key read_private_key(std::string_view pem,
                                   std::string_view source,
                                   const PassphrasePrompt& passphrase);

[[noreturn]] void not_a_key(std::string_view source, std::string_view expected,
                            std::string_view found);

}  // namespace impound::openssl
