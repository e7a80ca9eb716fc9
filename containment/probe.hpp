// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Asks a served model for an answer, to measure whether it is in service.

#include "core/evidence/containment.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// Sends one probe and waits at most probe.timeout_ms for the whole answer.
///
/// Each doubt counts against us: a `forbidden` probe has answered as soon as
/// anybody at all spoke, an `allowed` one only with a whole answer.
///
/// http: a whole response that holds probe.expect is an answer; 502, 503 and
/// 504 are a gateway's word that nobody behind it answers, and are none. For a
/// forbidden probe the beginning of a response, an untrusted certificate or a
/// closed connection is one as well. TLS is verified, redirects are not
/// followed, proxies of the environment are ignored, at most
/// limits::kMaxProbeAnswer bytes of the body are kept.
///
/// tcp: probe.send is sent once connected; answered means that at least one
/// byte came back, and that the bytes hold probe.expect. With both empty
/// nothing is sent or read: connected_only is set and `answered` says whether
/// the connection was completed. The kernel completes connections for a frozen
/// listener until its backlog is full, so such a probe proves neither service
/// nor silence.
///
/// A refused, silent or broken peer is a result. @throws Error{io} or
/// Error{bad_input} for what is wrong on our side (an unreadable token, a
/// malformed URL), because that must not be taken for silence.
[[nodiscard]] ProbeResult run_probe(const Probe& probe);

}  // namespace impound
