// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One custody entry: what an act states about itself, and the line it becomes.
/// The format is that of core/casefile/SCHEMA.md.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/crypto/signature.hpp"
#include "core/evidence/outcome.hpp"

namespace impound {

/// Who acts. `kind` is "person", "service" or "tool".
struct Actor {
  std::string kind = "person";
  std::string name;
  std::string org;
  std::string role;
  std::string auth;  ///< "os uid 1000 (eve), key <fingerprint>"
  std::string on_behalf_of;

  [[nodiscard]] Json to_json() const;
};

/// The machine and the program that act; the same for a whole process.
struct HostFacts {
  std::string hostname;
  std::string machine_id_sha256;
  std::string os;
  std::int64_t uid = 0;
};
struct ToolFacts {
  std::string name = "impound";
  std::string version;
  std::string executable_sha256;
  std::string build_id;
};
[[nodiscard]] HostFacts read_host_facts();
[[nodiscard]] ToolFacts read_tool_facts();

/// What an act says; the case file adds v, case, seq, prev, id, clock.
struct EntryDraft {
  std::string action;               ///< "acquire.begin" …, SCHEMA.md
  std::optional<TimeNs> at;         ///< when it happened; now if empty
  std::string late_reason;          ///< required if `at` is > 60 s ago
  std::optional<std::string> item;  ///< "E001", "E001/17"
  Json object;                      ///< null or {"kind","path",…}
  std::string purpose;
  Json authority;  ///< null or object
  Outcome outcome = Outcome::ok;
  Json detail = Json::object();
  std::string run;  ///< "R001" or empty
  std::string step;
  std::vector<std::string> refs;  ///< ids of earlier entries
};

/// One entry as it stands in the chain.
struct Entry {
  std::int64_t seq = 0;
  std::string line;       ///< exact bytes without the final LF
  std::string signature;  ///< base64 Ed25519 over line + LF
  Json json;              ///< `line`, parsed
};

/// The examiner who signs: identity and key, loaded from disk by the engine.
struct Examiner {
  Actor actor;
  SigningKey key;
};

}  // namespace impound
