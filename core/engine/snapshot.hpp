// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Taking evidence: collectors in order of volatility into one sealed exhibit,
/// every file of it a custody entry.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/session.hpp"
#include "core/evidence/bundle_writer.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/item.hpp"
#include "core/evidence/target.hpp"

namespace impound {

/// The one of `collectors` that is called `name`.
/// @throws Error{bad_input} naming those there are.
[[nodiscard]] const Collector& find_collector(
    std::span<const Collector* const> collectors, std::string_view name);

struct CollectRequest {
  const Collector* collector = nullptr;
  Arguments arguments = {};
};

struct SnapshotRequest {
  const Deployment& deployment;
  std::vector<CollectRequest> collectors = {};
  std::string title = {};  ///< what was asked for: "model-files of support-llm"
  std::string purpose = {};  ///< why, for the custody record
  /// Members below meta/: the playbook that asked, its parameters.
  std::vector<std::pair<std::string, std::string>> meta = {};
  unsigned threads = 0;  ///< 0 = all cores
};

/// "model-files of support-llm"; with arguments, which may name another thing
/// than the deployment does, "process (pid=7) for support-llm".
[[nodiscard]] std::string title_of(const std::vector<CollectRequest>& requests,
                                   const Deployment& deployment);

/// What one collector brought, for the summary table.
struct CollectorSummary {
  std::string name;
  std::uint64_t taken = 0;    ///< items that are whole
  std::uint64_t partial = 0;  ///< cut, padded, or not as asked
  std::uint64_t missing = 0;
  std::uint64_t empty = 0;
  std::uint64_t failed = 0;  ///< denied or failed
  std::uint64_t own = 0;     ///< of the taken: what the collector notes itself
  std::uint64_t bytes = 0;   ///< stored
  double seconds = 0;
  /// What the collector replaced as secrets, and looked into; null where it
  /// replaces none.
  Json redaction = nullptr;

  void add(const Item& item);
  void add(const Gap& gap);
  /// Of what was asked for, nothing: what was missed is all there is.
  [[nodiscard]] bool is_empty_handed() const;
  [[nodiscard]] Json to_json() const;

 private:
  void count(Outcome outcome);
};

struct Snapshot {
  std::string exhibit;  ///< "E001"
  SealedBundle bundle;
  std::vector<CollectorSummary> collectors;
  std::vector<Gap> gap_list;    ///< what could not be had, and why
  bool is_interrupted = false;  ///< a person or a full disk ended it early
  bool is_adopted = false;      ///< finished by an earlier, interrupted process

  /// ok, partial, or, where nothing at all was had, why: missing, denied …
  [[nodiscard]] Outcome outcome() const;
  /// Some collector brought nothing of what it was asked for.
  [[nodiscard]] bool is_empty_handed() const;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string to_text() const;  ///< table and one sentence
};

/// Runs the collectors, most volatile first, and seals what they brought.
/// Interrupted (Ctrl-C, full disk), it seals what it has and says so.
/// @throws Error if nothing could be sealed; the custody chain says why.
[[nodiscard]] Snapshot take_snapshot(Session& session,
                                     const SnapshotRequest& request);

}  // namespace impound
