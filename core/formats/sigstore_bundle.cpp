// SPDX-License-Identifier: Apache-2.0
#include "core/formats/sigstore_bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.hpp"

#include "core/base/text.hpp"
#include "core/formats/bounded_json.hpp"

namespace impound {
namespace {

/// Characters of a foreign text that a message repeats.
constexpr std::size_t kMaxShown = 80;

std::string shown(std::string_view text) {
  return printable(text.substr(0, kMaxShown)) +
         (text.size() > kMaxShown ? "…" : "");
}

/// Protobuf's JSON reader takes both alphabets, with or without padding.
std::optional<Bytes> decode_base64(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  while (text.size() % 4 != 0) text += '=';
  try {
    return from_base64(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

class BundleReading {
 public:
  explicit BundleReading(SigstoreBundle& out) : out_(out) {}

  void read(std::string_view text) {
    if (text.size() > kMaxSigstoreBundle) {
      return strict("sigstore-too-large",
                    fmt::format("{} bytes, at most {} are read", text.size(),
                                kMaxSigstoreBundle));
    }
    Json bundle;
    try {
      bundle = parse_bounded_json(text, "signature");
    } catch (const Error& error) {
      return strict("sigstore-not-json", error.what());
    }
    if (!bundle.is_object()) {
      return strict("sigstore-not-json", "the bundle is no JSON object");
    }
    out_.media_type = text_or(bundle, "mediaType", "");
    if (out_.media_type != kSigstoreMediaType) {
      strict("sigstore-media-type",
             fmt::format("Invalid sigstore bundle, got media type {} but "
                         "expected {}",
                         shown(out_.media_type), kSigstoreMediaType));
    }
    if (const Json* part = object(bundle, "verificationMaterial")) {
      read_material(*part);
    } else {
      strict("sigstore-no-material", "there is no verificationMaterial");
    }
    if (const Json* part = object(bundle, "dsseEnvelope")) {
      read_envelope(*part);
    } else {
      strict("sigstore-no-envelope",
             "there is no dsseEnvelope: other kinds of bundles sign no model");
    }
  }

 private:
  static const Json* object(const Json& parent, const char* key) {
    const auto found = parent.find(key);
    return found != parent.end() && found->is_object() ? &*found : nullptr;
  }
  static const Json* array(const Json& parent, const char* key) {
    const auto found = parent.find(key);
    return found != parent.end() && found->is_array() ? &*found : nullptr;
  }

  void strict(std::string rule, std::string message) {
    out_.problems.push_back(
        {std::move(rule), Severity::high, 0, std::move(message)});
  }
  void lenient(std::string rule, std::string message) {
    out_.problems.push_back(
        {std::move(rule), Severity::low, 0, std::move(message)});
  }

  void read_material(const Json& material) {
    int kinds = 0;
    if (const Json* part = object(material, "publicKey")) {
      ++kinds;
      out_.material = SigstoreMaterial::public_key;
      read_public_key(*part);
    }
    if (const Json* part = object(material, "x509CertificateChain")) {
      ++kinds;
      out_.material = SigstoreMaterial::certificate_chain;
      if (const Json* list = array(*part, "certificates")) {
        for (const Json& each : *list) read_certificate(each);
      }
    }
    if (const Json* part = object(material, "certificate")) {
      ++kinds;
      out_.material = SigstoreMaterial::certificate;
      read_certificate(*part);
    }
    if (kinds != 1) {
      strict("sigstore-material",
             fmt::format("{} kinds of verification material, expected one of "
                         "publicKey, x509CertificateChain and certificate",
                         kinds));
    } else if (out_.material != SigstoreMaterial::public_key &&
               out_.certificates.empty()) {
      strict("sigstore-certificate", "there is no certificate in the bundle");
    }
    read_log(material);
  }

  void read_public_key(const Json& key) {
    out_.key_hint = text_or(key, "hint", "");
    const std::string raw = text_or(key, "rawBytes", "");
    if (raw.empty()) return;
    const auto bytes = decode_base64(raw);
    if (!bytes) {
      return lenient("sigstore-base64", "publicKey.rawBytes is no base64");
    }
    out_.key_text = as_text(*bytes);
  }

  void read_certificate(const Json& certificate) {
    if (out_.certificates.size() == kMaxSigstoreEntries) {
      return strict(
          "sigstore-too-large",
          fmt::format("more than {} certificates", kMaxSigstoreEntries));
    }
    if (!certificate.is_object()) {
      return strict("sigstore-certificate", "a certificate is no object");
    }
    auto der = decode_base64(text_or(certificate, "rawBytes", ""));
    if (!der || der->empty()) {
      return strict("sigstore-certificate",
                    "a certificate's rawBytes is no base64");
    }
    out_.certificates.push_back(std::move(*der));
  }

  void read_log(const Json& material) {
    if (const Json* list = array(material, "tlogEntries")) {
      for (const Json& each : *list) {
        if (out_.log_entries.size() == kMaxSigstoreEntries) break;
        if (!each.is_object()) continue;
        SigstoreLogEntry entry;
        if (const Json* kind = object(each, "kindVersion")) {
          entry.kind = shown(text_or(*kind, "kind", ""));
        }
        entry.log_index = number_text(each, "logIndex");
        entry.integrated_time = number_text(each, "integratedTime");
        out_.log_entries.push_back(std::move(entry));
      }
    }
    if (const Json* data = object(material, "timestampVerificationData")) {
      if (const Json* list = array(*data, "rfc3161Timestamps")) {
        out_.timestamps = list->size();
      }
    }
  }

  /// Protobuf writes 64-bit numbers as texts.
  static std::string number_text(const Json& entry, const char* key) {
    const auto found = entry.find(key);
    if (found == entry.end()) return {};
    if (found->is_number_integer()) return found->dump();
    return found->is_string() ? shown(found->get<std::string>()) : "";
  }

  void read_envelope(const Json& envelope) {
    out_.payload_type = text_or(envelope, "payloadType", "");
    if (out_.payload_type != kInTotoPayloadType) {
      strict("sigstore-payload-type",
             fmt::format("Expected DSSE payload {}, but got {}",
                         kInTotoPayloadType, shown(out_.payload_type)));
    }
    const auto payload = decode_base64(text_or(envelope, "payload", ""));
    if (!payload || payload->empty()) {
      strict("sigstore-payload", "the payload is empty or no base64");
    } else {
      out_.payload = as_text(*payload);
    }
    const Json* list = array(envelope, "signatures");
    out_.signatures = list == nullptr ? 0 : list->size();
    if (out_.signatures != 1) {
      strict("sigstore-signatures",
             fmt::format("{} signatures, expected exactly one: readers look at "
                         "the first and believe the rest",
                         out_.signatures));
    }
    if (out_.signatures == 0 || !list->front().is_object()) return;
    const auto bytes = decode_base64(text_or(list->front(), "sig", ""));
    if (!bytes || bytes->empty()) {
      return strict("sigstore-signature", "the signature is no base64");
    }
    out_.signature = *bytes;
  }

  SigstoreBundle& out_;
};

}  // namespace

std::string_view to_string(SigstoreMaterial material) noexcept {
  switch (material) {
    case SigstoreMaterial::none:
      return "none";
    case SigstoreMaterial::public_key:
      return "public-key";
    case SigstoreMaterial::certificate_chain:
      return "certificate-chain";
    case SigstoreMaterial::certificate:
      return "certificate";
  }
  return "none";
}

bool looks_like_sigstore_bundle(std::string_view head) noexcept {
  return trim(head).starts_with("{") &&
         head.find("application/vnd.dev.sigstore.bundle") !=
             std::string_view::npos;
}

SigstoreBundle read_sigstore_bundle(std::string_view text) {
  SigstoreBundle bundle;
  BundleReading(bundle).read(text);
  return bundle;
}

}  // namespace impound
