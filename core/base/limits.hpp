// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The bounds that several rooms share: unit, reason, and what the user sees
/// when one is reached. An untrusted size is compared with a bound before
/// anything is allocated.
///
/// A bound that one room needs stands in that room, beside the code that
/// compares with it: one of a format with its reader (core/formats, core/scan),
/// of a comparison in core/compare, of a bundle in core/evidence, of a record
/// in core/casefile, of keys and signatures in core/crypto, of what a playbook
/// may send in lua/host, of what is read of a running system in collectors and
/// containment.

#include <cstddef>
#include <cstdint>

namespace impound::limits {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// Nesting of JSON, directories' own recursion in parsers, pickles' containers.
/// Deeper input is hostile or broken; seen as Error{limit} or as a finding.
inline constexpr int kMaxDepth = 64;

/// Directories below a collected root. A deeper tree becomes one gap.
inline constexpr int kMaxDirectoryDepth = 128;

/// Bytes of one JSON document read whole (descriptor, baseline, seal, answer).
/// A baseline of a model with 100 000 tensors takes about 30 MB. Error{limit}.
inline constexpr std::uint64_t kMaxJsonDocument = 512 * kMiB;

/// Bytes of a small text file read whole (keys, descriptors, /proc entries).
inline constexpr std::uint64_t kMaxSmallFile = 16 * kMiB;

/// Bytes of a safetensors header, as in the reference reader
/// (huggingface/safetensors, MAX_HEADER_SIZE). Error{limit}.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Bytes of content in one zstd frame of a bundle: 4 MiB was measured as the
/// smallest size that costs no ratio (docs/benchmarks.md).
inline constexpr std::size_t kFrameContent = 4 * kMiB;

/// Members of one bundle. More is refused when reading (Error{limit}).
inline constexpr std::uint64_t kMaxBundleMembers = 20'000'000;

/// One read of a volatile source (/proc, a socket): seconds and bytes. What was
/// read until then is kept and recorded as partial (acquire's VolatileStream).
inline constexpr int kVolatileSeconds = 5;
inline constexpr std::uint64_t kVolatileBytes = 5 * kMiB;

/// Bytes kept of one HTTP answer to a probe.
inline constexpr std::uint64_t kMaxProbeAnswer = 1 * kMiB;

/// Bytes of one custody line; details above it belong into an exhibit.
inline constexpr std::size_t kMaxCustodyLine = 8 * kMiB;

/// Space that must stay free on the disk of a case while evidence is written,
/// so that the case file itself can still record the end. Error{io}.
inline constexpr std::uint64_t kReservedFreeBytes = 32 * kMiB;

}  // namespace impound::limits
