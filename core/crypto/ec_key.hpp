// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Elliptic-curve keys of model signatures (OpenSSF Model Signing): ECDSA over
/// P-256, P-384 and P-521, and nothing else.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/crypto/signature.hpp"

namespace impound {

enum class EcCurve : std::uint8_t { p256, p384, p521 };

/// "P-256", "P-384", "P-521".
[[nodiscard]] std::string_view to_string(EcCurve curve) noexcept;

/// The hash under an ECDSA signature.
enum class EcdsaHash : std::uint8_t { sha256, sha384, sha512 };

/// The one that goes with a curve: as wide as its order, rounded down.
[[nodiscard]] EcdsaHash hash_of(EcCurve curve) noexcept;

/// A public key on one of the three curves.
class EcPublicKey {
 public:
  /// SubjectPublicKeyInfo, as PEM (text around it is allowed) or DER.
  /// @throws Error{malformed} naming `source`: "Only elliptic curve keys are
  ///         supported", "Unsupported key for curve …".
  [[nodiscard]] static EcPublicKey from_text(std::string_view text,
                                             std::string_view source);
  /// DER of a SubjectPublicKeyInfo.
  [[nodiscard]] static EcPublicKey from_spki(ByteView der,
                                             std::string_view source);

  [[nodiscard]] EcCurve curve() const noexcept { return curve_; }
  /// As OpenSSL writes it: 64 columns, LF at the end.
  [[nodiscard]] std::string pem() const;
  /// How signatures name a key: hex SHA-256 of pem().
  [[nodiscard]] std::string hint() const;

  /// True only if `signature` (DER) is this key's over `message`.
  [[nodiscard]] bool verify(std::string_view message, ByteView signature,
                            EcdsaHash hash) const;
  [[nodiscard]] bool verify(std::string_view message,
                            ByteView signature) const {
    return verify(message, signature, hash_of(curve_));
  }

  friend bool operator==(const EcPublicKey&, const EcPublicKey&) = default;

 private:
  EcPublicKey(Bytes spki, EcCurve curve)
      : spki_(std::move(spki)), curve_(curve) {}
  Bytes spki_;
  EcCurve curve_;
};

/// A private key on one of the three curves. Moves, never copies.
class EcSigningKey {
 public:
  /// PEM, PKCS#8 or SEC 1, encrypted or not.
  /// @throws Error{bad_input} if a passphrase is needed and wrong or absent,
  ///         Error{malformed} as EcPublicKey::from_text.
  [[nodiscard]] static EcSigningKey from_pem(
      std::string_view pem, std::string_view source,
      const PassphrasePrompt& passphrase);
  [[nodiscard]] static EcSigningKey generate(EcCurve curve);
  ~EcSigningKey();
  EcSigningKey(EcSigningKey&&) noexcept;
  EcSigningKey& operator=(EcSigningKey&&) noexcept;

  [[nodiscard]] EcPublicKey public_key() const;
  /// DER, over the curve's hash of `message`.
  [[nodiscard]] Bytes sign(std::string_view message) const;

 private:
  struct Key;
  explicit EcSigningKey(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace impound
