// SPDX-License-Identifier: Apache-2.0
#include "core/cli/known_things.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "collectors/registry.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/engine/approvals.hpp"
#include "core/engine/places.hpp"
#include "core/engine/questions.hpp"
#include "lua/host/playbook_commands.hpp"

namespace impound {
namespace {

using Candidates = std::vector<Candidate>;

CaseFile open_case(const Globals& globals, const TypedBefore& before) {
  return {find_case(before.case_name), CaseMode::read_only, globals.clock};
}

Candidates cases() {
  Candidates found;
  for (const fs::path& folder : list_case_folders()) {
    found.push_back({folder.filename().native(), ""});
  }
  return found;
}

Candidates exhibits(const CaseFile& one) {
  Candidates found;
  for (const ExhibitRow& row : one.exhibits()) {
    found.push_back({row.id, from_lossless_utf8(row.title)});
  }
  return found;
}

/// Runs that can go on; others are of no use to any command.
Candidates runs(const CaseFile& one) {
  Candidates found;
  for (const RunRow& row : one.runs()) {
    if (row.state == "done" || row.state == "aborted") continue;
    found.push_back({row.id, row.state});
  }
  return found;
}

Candidates requests(const Globals& globals, const CaseFile& one) {
  Candidates found = runs(one);
  for (const OpenApproval& open : open_approvals(one, globals.clock.now())) {
    found.push_back({open.request, open.what});
  }
  return found;
}

Candidates questions(const CaseFile& one, const TypedBefore& before) {
  Candidates found;
  if (before.positionals.empty()) return found;
  for (const OpenQuestion& open :
       open_questions(one, before.positionals.front())) {
    found.push_back({open.question.id, open.question.text});
  }
  return found;
}

Candidates signers(const CaseFile& one) {
  Candidates found;
  const SignerRoll roll = one.signers();
  for (const Signer& signer : roll.all()) {
    found.push_back({signer.fingerprint, from_lossless_utf8(signer.name)});
  }
  return found;
}

Candidates deployments(const CaseFile& one) {
  Candidates found;
  for (const ContainmentRow& row : one.containments()) {
    const bool is_there = std::ranges::find(found, row.deployment,
                                            &Candidate::word) != found.end();
    if (!is_there) found.push_back({row.deployment, row.method});
  }
  return found;
}

/// By their folders alone: to load one is to run it.
Candidates playbooks() {
  Candidates found;
  for (const std::string& id : lua::playbook_ids()) found.push_back({id, ""});
  return found;
}

template <typename Registry>
Candidates names_of(const Registry& registry) {
  Candidates found;
  for (const auto* one : registry) {
    found.push_back({std::string(one->name), std::string(one->summary)});
  }
  return found;
}

Candidates look_up(const Globals& globals, ValueKind kind,
                   const TypedBefore& before) {
  switch (kind) {
    case ValueKind::case_name:
      return cases();
    case ValueKind::exhibit:
    case ValueKind::item:
    case ValueKind::model:
      return exhibits(open_case(globals, before));
    case ValueKind::run:
      return runs(open_case(globals, before));
    case ValueKind::request:
      return requests(globals, open_case(globals, before));
    case ValueKind::question:
      return questions(open_case(globals, before), before);
    case ValueKind::fingerprint:
      return signers(open_case(globals, before));
    case ValueKind::deployment:
      return deployments(open_case(globals, before));
    case ValueKind::playbook:
      return playbooks();
    case ValueKind::collector:
      return names_of(all_collectors());
    case ValueKind::containment:
      return names_of(all_containments());
    case ValueKind::text:
    case ValueKind::number:
    case ValueKind::file:
    case ValueKind::folder:
    case ValueKind::descriptor:
    case ValueKind::step:
    case ValueKind::entry:
    case ValueKind::assignment:
    case ValueKind::digest:
    case ValueKind::command:
      return {};
  }
  return {};
}

}  // namespace

std::vector<Candidate> known_things(const Globals& globals, ValueKind kind,
                                    const TypedBefore& before) {
  try {
    return look_up(globals, kind, before);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace impound
