// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Ed25519 (RFC 8032) keys as PEM, signing and verifying.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/crypto/digest.hpp"

namespace impound {

/// An Ed25519 public key.
class PublicKey {
 public:
  /// SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it.
  /// @throws Error{malformed} naming `source` if it is anything else.
  [[nodiscard]] static PublicKey from_pem(std::string_view pem,
                                          std::string_view source);
  /// @throws Error{malformed} unless `raw` has 32 bytes.
  [[nodiscard]] static PublicKey from_raw(ByteView raw);

  [[nodiscard]] std::string pem() const;
  [[nodiscard]] const std::array<std::byte, 32>& raw() const noexcept {
    return raw_;
  }
  /// SHA-256 of the 32 raw bytes: how a key is named in records.
  [[nodiscard]] Digest fingerprint() const;

  /// True only if `signature` (64 bytes) is this key's over exactly `message`.
  [[nodiscard]] bool verify(ByteView message, ByteView signature) const;

  friend bool operator==(const PublicKey&, const PublicKey&) = default;

 private:
  std::array<std::byte, 32> raw_{};
};

/// Asks a person for the passphrase of a key; called at most once a load.
using PassphrasePrompt = std::function<std::string()>;

/// An Ed25519 private key. Moves, never copies.
class SigningKey {
 public:
  [[nodiscard]] static SigningKey generate();
  /// PEM PKCS#8, encrypted or not.
  /// @throws Error{bad_input} if a passphrase is needed and wrong or absent,
  ///         Error{malformed} naming `source` if it is no Ed25519 key.
  [[nodiscard]] static SigningKey from_pem(std::string_view pem,
                                           std::string_view source,
                                           const PassphrasePrompt& passphrase);
  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;

  /// PEM PKCS#8; encrypted (AES-256-CBC, PBKDF2) unless `passphrase` is empty.
  [[nodiscard]] std::string pem(std::string_view passphrase) const;
  [[nodiscard]] PublicKey public_key() const;
  /// 64 bytes.
  [[nodiscard]] Bytes sign(ByteView message) const;

 private:
  struct Key;
  explicit SigningKey(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace impound
