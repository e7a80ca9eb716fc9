// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/certificate.hpp"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/openssl_memory.hpp"

namespace impound {
namespace {

using openssl::chars;
using openssl::require;
using X509Handle = Handle<X509, X509_free>;
using StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using ContextHandle = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using NamesHandle = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using ObjectHandle = Handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using TextHandle = Handle<ASN1_UTF8STRING, ASN1_UTF8STRING_free>;

void free_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
using StackHandle = Handle<STACK_OF(X509), free_stack>;

constexpr TimeNs kSecond = 1'000'000'000;
/// Alternative names of one certificate that are kept.
constexpr int kMaxAlternativeNames = 1000;
constexpr const char* kIssuerOid = "1.3.6.1.4.1.57264.1.8";
constexpr const char* kOldIssuerOid = "1.3.6.1.4.1.57264.1.1";

X509Handle decode(ByteView der) {
  const unsigned char* at = chars(der);
  return X509Handle(d2i_X509(nullptr, &at, narrow<long>(der.size())));
}

Bytes encode(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  require(size > 0, "i2d_X509");
  const ByteView view(reinterpret_cast<const std::byte*>(der),
                      static_cast<std::size_t>(size));
  Bytes copy(view.begin(), view.end());
  OPENSSL_free(der);
  return copy;
}

std::string name_text(const X509_NAME* name) {
  const auto stream = openssl::empty_stream();
  require(X509_NAME_print_ex(stream.get(), name, 0,
                             XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0,
          "X509_NAME_print_ex");
  return printable(openssl::content_of(stream));
}

std::string string_text(const ASN1_STRING* text) {
  const unsigned char* start = ASN1_STRING_get0_data(text);
  return printable({reinterpret_cast<const char*>(start),
                    static_cast<std::size_t>(ASN1_STRING_length(text))});
}

/// Nanoseconds hold the years 1678 to 2261; what lies outside is cut there.
TimeNs time_of(const ASN1_TIME* time) {
  std::tm parts{};
  require(ASN1_TIME_to_tm(time, &parts) == 1, "ASN1_TIME_to_tm");
  constexpr std::time_t kLast = INT64_MAX / kSecond;
  const std::time_t seconds = ::timegm(&parts);
  return std::clamp<std::time_t>(seconds, -kLast, kLast) * kSecond;
}

std::string serial_text(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const unsigned char* start = ASN1_STRING_get0_data(serial);
  return to_hex({reinterpret_cast<const std::byte*>(start),
                 static_cast<std::size_t>(ASN1_STRING_length(serial))});
}

std::vector<std::string> alternative_names(const X509* certificate) {
  const NamesHandle names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> texts;
  if (names == nullptr) {
    ERR_clear_error();
    return texts;
  }
  const int count = sk_GENERAL_NAME_num(names.get());
  for (int i = 0; i < count && i < kMaxAlternativeNames; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
      case GEN_EMAIL:
        texts.push_back("email:" + string_text(name->d.rfc822Name));
        break;
      case GEN_DNS:
        texts.push_back("DNS:" + string_text(name->d.dNSName));
        break;
      case GEN_URI:
        texts.push_back("URI:" +
                        string_text(name->d.uniformResourceIdentifier));
        break;
      default:
        texts.emplace_back("a name of another kind");
    }
  }
  return texts;
}

/// The bytes of an extension; empty if there is none.
std::string extension(const X509* certificate, const char* oid) {
  const ObjectHandle object(OBJ_txt2obj(oid, 1));
  require(object != nullptr, "OBJ_txt2obj");
  const int at = X509_get_ext_by_OBJ(certificate, object.get(), -1);
  if (at < 0) return {};
  const ASN1_OCTET_STRING* value =
      X509_EXTENSION_get_data(X509_get_ext(certificate, at));
  const unsigned char* start = ASN1_STRING_get0_data(value);
  return {reinterpret_cast<const char*>(start),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

/// The newer extension holds a DER string, the older one the bare text.
std::string oidc_issuer(const X509* certificate) {
  const std::string wrapped = extension(certificate, kIssuerOid);
  if (!wrapped.empty()) {
    const unsigned char* at = chars(as_bytes(wrapped));
    const TextHandle text(
        d2i_ASN1_UTF8STRING(nullptr, &at, narrow<long>(wrapped.size())));
    if (text != nullptr) return string_text(text.get());
    ERR_clear_error();
  }
  return printable(extension(certificate, kOldIssuerOid));
}

std::string key_text(X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) {
    ERR_clear_error();
    return "unreadable";
  }
  std::array<char, 80> group{};
  std::size_t size = 0;
  const char* kind = EVP_PKEY_get0_type_name(key);
  std::string text = kind == nullptr ? "unknown" : kind;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
    const std::string_view name(group.data(), size);
    text += name == "prime256v1"  ? " P-256"
            : name == "secp384r1" ? " P-384"
            : name == "secp521r1" ? " P-521"
                                  : " " + printable(name);
  } else {
    ERR_clear_error();
  }
  return text;
}

/// As model_signing asks: digitalSignature, or else code signing. A
/// certificate without either extension may not sign.
bool may_sign(X509* certificate) {
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  if ((flags & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0) {
    return true;
  }
  return (flags & EXFLAG_XKUSAGE) != 0 &&
         (X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN) != 0;
}

CertificateFacts facts_of(X509* certificate, ByteView der) {
  CertificateFacts facts;
  facts.subject = name_text(X509_get_subject_name(certificate));
  facts.issuer = name_text(X509_get_issuer_name(certificate));
  facts.serial = serial_text(certificate);
  facts.alternative_names = alternative_names(certificate);
  facts.not_before = time_of(X509_get0_notBefore(certificate));
  facts.not_after = time_of(X509_get0_notAfter(certificate));
  facts.sha256 = sha256(der).hex();
  facts.key = key_text(certificate);
  facts.oidc_issuer = oidc_issuer(certificate);
  facts.is_self_signed = X509_self_signed(certificate, 1) == 1;
  facts.is_authority = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
  facts.may_sign = may_sign(certificate);
  ERR_clear_error();
  return facts;
}

StackHandle stack_of(const std::vector<X509Handle>& certificates) {
  StackHandle stack(sk_X509_new_null());
  require(stack != nullptr, "sk_X509_new_null");
  for (const X509Handle& each : certificates) {
    require(sk_X509_push(stack.get(), each.get()) > 0, "sk_X509_push");
  }
  return stack;
}

std::vector<X509Handle> decode_all(std::span<const Certificate> certificates) {
  std::vector<X509Handle> handles;
  for (const Certificate& each : certificates) {
    handles.push_back(decode(each.der()));
    require(handles.back() != nullptr, "d2i_X509");
  }
  return handles;
}

}  // namespace

Certificate Certificate::from_der(ByteView der, std::string_view source) {
  const X509Handle handle = decode(der);
  if (handle == nullptr) {
    throw Error(Errc::malformed, std::string(source) +
                                     ": expected a certificate (X.509, DER), "
                                     "found " +
                                     openssl::last_words());
  }
  Certificate certificate;
  certificate.der_ = encode(handle.get());
  certificate.facts_ = facts_of(handle.get(), certificate.der_);
  return certificate;
}

std::vector<Certificate> Certificate::from_text(std::string_view text,
                                                std::string_view source) {
  std::vector<Certificate> certificates;
  if (text.find("-----BEGIN") == std::string_view::npos) {
    certificates.push_back(from_der(as_bytes(text), source));
    return certificates;
  }
  const auto stream = openssl::stream_over(text);
  while (true) {
    const X509Handle handle(
        PEM_read_bio_X509(stream.get(), nullptr, openssl::hand_over, nullptr));
    if (handle == nullptr) break;
    if (certificates.size() == kMaxCertificates) {
      throw Error(Errc::limit, std::string(source) + ": more than " +
                                   std::to_string(kMaxCertificates) +
                                   " certificates");
    }
    certificates.push_back(from_der(encode(handle.get()), source));
  }
  // The end of the file is reported as "no start line" too.
  const std::string words = openssl::last_words();
  if (certificates.empty() || words != "no start line") {
    throw Error(
        Errc::malformed,
        std::string(source) + ": expected certificates in PEM, found " + words);
  }
  return certificates;
}

EcPublicKey Certificate::key() const {
  const X509Handle handle = decode(der_);
  require(handle != nullptr, "d2i_X509");
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(handle.get()), &der);
  require(size > 0, "i2d_X509_PUBKEY");
  const ByteView view(reinterpret_cast<const std::byte*>(der),
                      static_cast<std::size_t>(size));
  const Bytes spki(view.begin(), view.end());
  OPENSSL_free(der);
  return EcPublicKey::from_spki(spki, "the certificate of " + facts_.subject);
}

ChainCheck verify_chain(const Certificate& leaf,
                        std::span<const Certificate> intermediates,
                        std::span<const Certificate> roots, TimeNs at) {
  const StoreHandle store(X509_STORE_new());
  require(store != nullptr, "X509_STORE_new");
  for (const X509Handle& root : decode_all(roots)) {
    require(X509_STORE_add_cert(store.get(), root.get()) == 1,
            "X509_STORE_add_cert");
  }
  const std::vector<X509Handle> between = decode_all(intermediates);
  const StackHandle untrusted = stack_of(between);
  const X509Handle end = decode(leaf.der());
  const ContextHandle context(X509_STORE_CTX_new());
  require(context != nullptr && end != nullptr, "X509_STORE_CTX_new");
  require(X509_STORE_CTX_init(context.get(), store.get(), end.get(),
                              untrusted.get()) == 1,
          "X509_STORE_CTX_init");
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                             static_cast<std::time_t>(at / kSecond));
  ChainCheck check;
  check.holds = X509_verify_cert(context.get()) == 1;
  if (!check.holds) {
    check.reason =
        X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    if (X509* about = X509_STORE_CTX_get_current_cert(context.get())) {
      check.reason +=
          " (certificate of " + name_text(X509_get_subject_name(about)) + ")";
    }
    ERR_clear_error();
    return check;
  }
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    check.path.push_back(
        name_text(X509_get_subject_name(sk_X509_value(chain, i))));
  }
  return check;
}

}  // namespace impound
