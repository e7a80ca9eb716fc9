// SPDX-License-Identifier: Apache-2.0
#pragma once
/// CycloneDX 1.6 bills of material for models: writing one from what the bytes
/// show, and holding somebody else's against the bytes.
/// docs/bills-of-material.md says which statements are checked and how.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/trust/model_facts.hpp"
#include "core/view/model_view.hpp"

namespace impound {

/// What a bill of material is about.
enum class MbomSubject : std::uint8_t { model, data };

struct MbomOptions {
  std::string name;          ///< what people call the model
  std::string author;        ///< who made the document; may be empty
  std::string organisation;  ///< may be empty
  TimeNs made_at = 0;        ///< from the injected clock [I8]
  std::string tool_version;
  MbomSubject subject = MbomSubject::model;
};

/// A document that states only what the bytes show: files, digests, tensors,
/// architecture, templates. The same view, facts and options give the same
/// bytes, the serial number included. Ends with a line break.
[[nodiscard]] std::string write_mbom(const ModelView& view,
                                     const ModelFacts& facts,
                                     const MbomOptions& options);

/// Bytes of a bill of material that is read; those of models have some MB.
/// Seen as Error{limit}.
inline constexpr std::uint64_t kMaxMbom = 64ULL * 1024 * 1024;

enum class ClaimState : std::uint8_t {
  holds,
  fails,
  unchecked,  ///< the bytes cannot show it, or those needed are not at hand
};

[[nodiscard]] std::string_view to_string(ClaimState state) noexcept;

/// One statement of a bill of material.
struct MbomClaim {
  std::string at;    ///< RFC 6901 pointer into the document
  std::string kind;  ///< "hash", "revision", "repository", "statement" …
  std::string stated;
  std::string found;  ///< where it fails
  ClaimState state = ClaimState::unchecked;
  std::string reason;  ///< how it was checked, or why not
};

struct MbomReport {
  std::string serial;  ///< as it says; may be empty
  std::string spec;    ///< "1.6"
  std::vector<MbomClaim> claims;
  std::uint64_t left_out = 0;  ///< claims above kMostMbomClaims

  [[nodiscard]] std::size_t count(ClaimState state) const;
  [[nodiscard]] Json to_json() const;
  /// Those that fail first, then those nobody can check.
  [[nodiscard]] std::string to_text() const;
};

/// Statements that are listed; a hostile document can hold millions.
inline constexpr std::size_t kMostMbomClaims = 20'000;

/// Holds every statement of `text` against the model. Nothing is passed over:
/// what the bytes cannot show is listed as unchecked.
/// @throws Error{malformed} naming `source` if it is no CycloneDX JSON,
///         Error{unsupported} for a version before 1.5 (no models) or 2,
///         Error{limit}.
[[nodiscard]] MbomReport check_mbom(std::string_view text,
                                    std::string_view source,
                                    const ModelView& view,
                                    const ModelFacts& facts);

}  // namespace impound
