// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A baseline: a signed description of a known-good model. The document is
/// described in docs/baselines.md.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/crypto/signature.hpp"
#include "core/view/model_view.hpp"

namespace impound {

struct BaselineOptions {
  std::string name;    ///< what people call the model
  Json made_by;        ///< the examiner as custody names them; null if unknown
  TimeNs made_at = 0;  ///< from the injected clock [I8]
  std::string tool;    ///< "impound 0.1.0"
  ViewOptions view;    ///< threads, folder
  /// {"file","sha256"} of the bill of material beside the baseline; may be
  /// null.
  Json mbom;
  /// What vouched for the model when the baseline was made; may be null.
  Json provenance;
};

/// The object under "baseline": every file and every tensor of the tree.
/// @throws Error{io} if a file cannot be read (a baseline with holes would call
///         a hole known good) or if it was told to stop.
[[nodiscard]] Json make_baseline(const Tree& tree,
                                 const BaselineOptions& options,
                                 Progress& progress,
                                 const Cancellation& cancellation);

/// The same from a view that exists already.
[[nodiscard]] Json describe_baseline(const ModelView& view,
                                     const BaselineOptions& options);

/// The whole document, signed: what is written to the file, byte for byte.
[[nodiscard]] std::string sign_baseline(const Json& baseline,
                                        const SigningKey& key);
/// The whole document without a signature.
[[nodiscard]] std::string write_baseline(const Json& baseline);

enum class BaselineSignature : std::uint8_t {
  absent,   ///< nobody signed
  valid,    ///< the key in the document signed exactly these bytes
  invalid,  ///< it did not, or the document was laid out anew since
};

[[nodiscard]] std::string_view to_string(BaselineSignature state) noexcept;

/// A baseline document that somebody gave us.
struct Baseline {
  std::string name;
  std::string made_at;  ///< RFC 3339, as it says
  Json document;        ///< the object under "baseline"
  std::string text;     ///< the whole document, as read
  Digest sha256;        ///< of the whole document, as custody records it
  ModelView view;       ///< kind "baseline"; locator is where it was read from

  BaselineSignature signature = BaselineSignature::absent;
  std::string signature_problem;  ///< why it is invalid
  std::string key_fingerprint;    ///< hex; empty if absent
  std::string mbom_file;          ///< beside the document; empty if none
  std::optional<Digest> mbom_sha256;
  std::string public_key_pem;  ///< as found in the document
};

/// Reads a document and checks its signature. A bad signature is a value: the
/// caller decides, having looked at `signature`, and at whether the key is one
/// that it knows.
/// @throws Error{malformed} naming `source` and what was expected,
///         Error{unsupported} for a newer version, Error{limit}.
[[nodiscard]] Baseline parse_baseline(std::string_view text,
                                      std::string_view source);

/// True if `text` begins like a baseline document.
[[nodiscard]] bool looks_like_baseline(std::string_view head) noexcept;

}  // namespace impound
