// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Turns what pickles do into findings and one of the four verdicts.

#include <cstddef>
#include <cstdint>

#include "core/formats/pickle/pickle.hpp"
#include "core/scan/file_scanner.hpp"

namespace impound {

/// Bytes of one encoded constant (base64, hexadecimal digits) that are decoded
/// to look into it. Of a longer one the beginning is, and the file counts as
/// not read to its end.
inline constexpr std::uint64_t kMaxDecodedConstant = std::uint64_t{64} << 20U;

/// The options with which every pickle is walked.
[[nodiscard]] PickleOptions scanning_options();

/// Reports one run; `source` is what it was read from.
void report_pickle_run(ScanContext& context, const ByteSource& source,
                       const PickleRun& run);

/// Reads and reports all pickles of a source, with those behind garbage.
void scan_pickle_stream(ScanContext& context, const ByteSource& source);

/// Looks for pickles anywhere in `rest`, bytes that the format does not account
/// for. They are reported as a member named after `offset`.
void scan_pickle_rest(ScanContext& context, const ByteSource& rest,
                      std::uint64_t offset);

}  // namespace impound
