// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Time stamps of an authority (RFC 3161), as `openssl ts -verify` judges them.

#include <cstdint>
#include <string_view>

#include "core/base/bytes.hpp"

namespace impound {

/// Checks that `reply` (a TimeStampResp, DER) stamps exactly `stamped`, and
/// that a certificate for time stamping under those of `chain_pem` signed it,
/// valid at the time that it states: a stamp does not end with its certificate.
/// Who the authority is, no check can say; the certificates are the caller's.
/// @return that time, in seconds since 1970, UTC.
/// @throws Error{malformed} with the library's words if anything does not fit.
[[nodiscard]] std::int64_t verify_time_stamp(ByteView reply,
                                             std::string_view chain_pem,
                                             std::string_view stamped);

}  // namespace impound
