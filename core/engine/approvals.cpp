// SPDX-License-Identifier: Apache-2.0
#include "core/engine/approvals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/crypto/digest.hpp"
#include "core/engine/deployment_record.hpp"

namespace impound {
namespace {

/// An approval is worth as long as the incident is acute.
constexpr std::int64_t kApprovalLifeNs = 24LL * 3600 * 1'000'000'000;

/// The policy that case.open stated.
int approvals_needed(const std::vector<Entry>& entries) {
  if (entries.empty()) return 0;
  const Json& detail = entries.front().json.at("detail");
  const auto policy = detail.find("approvals");
  if (policy == detail.end() || !policy->is_number_integer()) return 0;
  return policy->get<int>();
}

/// Whose the keys of a record are. Keys that a rotation ties together are one
/// person; two keys of one name are two, and neither counts unless somebody
/// vouched for it.
SignerRoll roll_of(const std::vector<Entry>& entries) {
  SignerRoll roll;
  for (const Entry& entry : entries) {
    // What it refuses is for custody verify to tell; here it has no effect.
    static_cast<void>(roll.apply(entry.seq, entry.json));
  }
  return roll;
}

std::string action_of(const Entry& entry) {
  return text_or(entry.json, "action", "");
}

const Entry* start_of(const std::vector<Entry>& entries, std::string_view run) {
  for (const Entry& entry : entries) {
    if (action_of(entry) == "playbook.start" &&
        text_or(entry.json, "run", "") == run) {
      return &entry;
    }
  }
  return nullptr;
}

/// One request of the record and all that was said to it.
struct Request {
  const Entry* entry = nullptr;
  const Entry* denial = nullptr;
  std::set<std::string> requesters;            ///< people who cannot approve it
  std::map<std::string, const Entry*> grants;  ///< by the person who granted
  bool is_used = false;  ///< by hand: the act it allowed was done

  [[nodiscard]] const Json& detail() const { return entry->json.at("detail"); }
  [[nodiscard]] std::string subject() const {
    return text_or(detail(), "subject_sha256", "");
  }
};

/// People who asked for what a run does: who started it, and who gave the
/// answer that its question waits with.
std::set<std::string> requesters_of_run(const std::vector<Entry>& entries,
                                        const SignerRoll& roll,
                                        const Entry& request) {
  std::set<std::string> keys;
  const std::string run = text_or(request.json, "run", "");
  if (run.empty()) return keys;
  if (const Entry* start = start_of(entries, run)) {
    keys.insert(roll.person_of(signer_of(start->json)));
  }
  const Json& asked = request.json.at("detail");
  std::string answerer;
  for (const Entry& entry : entries) {
    if (action_of(entry) != "note" || text_or(entry.json, "run", "") != run) {
      continue;
    }
    const Json& detail = entry.json.at("detail");
    if (text_or(detail, "kind", "") == "answer" && asked.contains("call") &&
        detail.contains("call") && detail["call"] == asked["call"]) {
      answerer = roll.person_of(signer_of(entry.json));  // the newest counts
    }
  }
  if (!answerer.empty()) keys.insert(answerer);
  return keys;
}

/// A containment that was applied; one that failed used up no approval.
bool is_applied(const Entry& entry) {
  return action_of(entry) == "isolate.apply" &&
         text_or(entry.json.at("detail"), "phase", "") == "after" &&
         outcome_from(text_or(entry.json, "outcome", "")) != Outcome::failed;
}

std::vector<Request> requests_of(const std::vector<Entry>& entries) {
  std::vector<Request> requests;
  const SignerRoll roll = roll_of(entries);
  SignerRoll then;  // as it was when the entry was written
  for (const Entry& entry : entries) {
    static_cast<void>(then.apply(entry.seq, entry.json));
    const std::string action = action_of(entry);
    const Json& detail = entry.json.at("detail");
    if (action == "approval.request" && detail.contains("subject_sha256")) {
      Request request;
      request.entry = &entry;
      request.requesters = requesters_of_run(entries, roll, entry);
      request.requesters.insert(roll.person_of(signer_of(entry.json)));
      requests.push_back(std::move(request));
      continue;
    }
    if (is_applied(entry) && text_or(entry.json, "run", "").empty() &&
        entry.json.at("authority").is_object()) {
      const Json& authority = entry.json.at("authority");
      for (Request& request : requests) {
        request.is_used =
            request.is_used ||
            text_or(authority, "subject_sha256", "") == request.subject();
      }
      continue;
    }
    if (action != "approval.grant" && action != "approval.deny") continue;
    // The word of a key that held no such right then, or that was revoked
    // since, counts for nothing.
    const std::string key = signer_of(entry.json);
    const std::string person = roll.person_of(key);
    // Of any key of theirs: whoever stole the newest may have had the others.
    const bool is_revoked =
        std::ranges::any_of(roll.all(), [&](const Signer& signer) {
          return signer.person == person &&
                 signer.standing == Standing::revoked;
        });
    if (then.refusal(key, Right::approve) || is_revoked) continue;
    const std::string name = text_or(detail, "request", "");
    for (Request& request : requests) {
      if (text_or(request.detail(), "request", "") != name) continue;
      if (action == "approval.deny") {
        request.denial = &entry;
      } else {
        request.grants.insert_or_assign(person, &entry);
      }
    }
  }
  return requests;
}

bool is_over(const Json& detail, TimeNs now) {
  const auto end = parse_time(text_or(detail, "expires_at", ""));
  return !end || *end <= now;
}

/// The grants that count now: ids of their entries by the person who granted.
std::map<std::string, std::string> standing_grants(const Request& request,
                                                   TimeNs now) {
  std::map<std::string, std::string> ids;
  for (const auto& [key, entry] : request.grants) {
    if (request.requesters.contains(key) ||
        is_over(entry->json.at("detail"), now)) {
      continue;
    }
    ids[key] = text_or(entry->json, "id", "");
  }
  return ids;
}

/// What the policy asks for, or the act itself where that is more.
int needed_for(const Request& request, int policy) {
  const auto own = request.detail().find("needed");
  return own != request.detail().end() && own->is_number_integer()
             ? std::max(policy, own->get<int>())
             : policy;
}

int missing_of(const Request& request, int policy, TimeNs now) {
  const int needed = needed_for(request, policy);
  const int granted = static_cast<int>(standing_grants(request, now).size());
  return std::max(0, needed - granted);
}

OpenApproval open_approval(const Request& request, int missing) {
  const Json& detail = request.detail();
  return {.request = text_or(detail, "request", ""),
          .run = text_or(request.entry->json, "run", ""),
          .step = text_or(request.entry->json, "step", ""),
          .what = text_or(detail, "what", ""),
          .requester = text_or(request.entry->json.at("actor"), "name", ""),
          .expires_at = text_or(detail, "expires_at", ""),
          .missing = missing};
}

/// What the approver signs besides the entry itself, so that the approval can
/// be shown without the chain.
std::string approval_text(const CaseFile& case_file, const Request& request,
                          std::string_view expires) {
  return fmt::format(
      "impound approval\ncase {}\nrequest {}\nsubject {}\nplan {}\n{}\n"
      "until {}\n",
      case_file.id(), text_or(request.detail(), "request", ""),
      request.subject(), text_or(request.detail(), "plan_sha256", ""),
      text_or(request.detail(), "what", ""), expires);
}

const Request& find_request(const std::vector<Request>& requests,
                            const std::string& name, TimeNs now) {
  const Request* found = nullptr;
  for (const Request& request : requests) {
    if (text_or(request.detail(), "request", "") != name &&
        text_or(request.entry->json, "run", "") != name) {
      continue;
    }
    if (request.denial == nullptr && !is_over(request.detail(), now)) {
      found = &request;
    }
  }
  if (found != nullptr && !found->is_used) return *found;
  throw Error(Errc::bad_input,
              fmt::format("nothing waits for an approval under the name "
                          "\"{}\": expected the id of a run that waits for "
                          "one (R001), or of a request (A001)",
                          printable(name)));
}

}  // namespace

ApprovalSubject subject_of_call(const CaseFile& case_file,
                                const std::string& run, std::int64_t call,
                                GuardedAct act) {
  ApprovalSubject subject;
  subject.act = act;
  subject.run = run;
  subject.call = call;
  const auto entries = case_file.entries();
  std::string deployment;
  if (const Entry* start = start_of(entries, run)) {
    const Json& detail = start->json.at("detail");
    subject.plan_sha256 = text_or(detail, "plan_sha256", "");
    deployment = text_or(detail, "deployment", "");
  }
  subject.what =
      act == GuardedAct::read
          ? fmt::format("read further files for {} in {}", deployment, run)
          : fmt::format("{} {} in {}", to_string(act), deployment, run);
  const Json one{{"act", to_string(act)},
                 {"run", run},
                 {"call", call},
                 {"plan_sha256", subject.plan_sha256}};
  subject.sha256 = sha256(dump_line(one)).hex();
  return subject;
}

ApprovalSubject subject_by_hand(const Session& session,
                                const Deployment& deployment,
                                const std::string& method,
                                const Json& arguments) {
  ApprovalSubject subject;
  subject.what =
      fmt::format("contain {} by {}", deployment.name, printable(method));
  const Json act{{"act", to_string(GuardedAct::contain)},
                 {"deployment", deployment_to_json(deployment)},
                 {"method", method},
                 {"arguments", arguments}};
  subject.plan_sha256 = sha256(dump_line(act)).hex();
  // The same act, done once and wanted again, is another act.
  std::int64_t done = 0;
  for (const Entry& entry : session.case_file.entries()) {
    const Json& authority = entry.json.at("authority");
    if (is_applied(entry) && authority.is_object() &&
        text_or(authority, "plan_sha256", "") == subject.plan_sha256) {
      ++done;
    }
  }
  const Json one{
      {"plan_sha256", subject.plan_sha256},
      {"requester", session.examiner.key.public_key().fingerprint().hex()},
      {"done_before", done}};
  subject.sha256 = sha256(dump_line(one)).hex();
  return subject;
}

ApprovalState approvals_for(const CaseFile& case_file,
                            const ApprovalSubject& subject, TimeNs now) {
  ApprovalState state;
  const auto entries = case_file.entries();
  state.needed = std::max(approvals_needed(entries), subject.at_least);
  state.missing = state.needed;
  if (state.needed == 0) return state;
  std::map<std::string, std::string> grants;  // each person counts once
  for (const Request& request : requests_of(entries)) {
    if (request.subject() != subject.sha256) continue;
    if (request.denial != nullptr && !is_over(request.detail(), now)) {
      const Json& line = request.denial->json;
      throw Error(Errc::bad_input,
                  fmt::format("to {} was denied by {}: {}", subject.what,
                              printable(text_or(line.at("actor"), "name", "?")),
                              printable(from_lossless_utf8(
                                  text_or(line.at("detail"), "reason", "")))));
    }
    grants.merge(standing_grants(request, now));
  }
  for (auto& [key, id] : grants) state.grants.push_back(std::move(id));
  state.missing =
      std::max(0, state.needed - static_cast<int>(state.grants.size()));
  return state;
}

std::vector<OpenApproval> open_approvals(const CaseFile& case_file,
                                         TimeNs now) {
  std::vector<OpenApproval> open;
  const auto entries = case_file.entries();
  const int needed = approvals_needed(entries);
  for (const Request& request : requests_of(entries)) {
    if (request.denial != nullptr || request.is_used ||
        is_over(request.detail(), now)) {
      continue;
    }
    const int missing = missing_of(request, needed, now);
    if (missing > 0) open.push_back(open_approval(request, missing));
  }
  return open;
}

OpenApproval request_approval(Session& session,
                              const ApprovalSubject& subject) {
  const TimeNs now = session.clock.now();
  const auto entries = session.case_file.entries();
  const auto requests = requests_of(entries);
  const int needed = approvals_needed(entries);
  for (const Request& request : requests) {
    if (request.subject() == subject.sha256 && request.denial == nullptr &&
        !is_over(request.detail(), now)) {
      return open_approval(request, missing_of(request, needed, now));
    }
  }
  EntryDraft draft = session.draft("approval.request");
  draft.detail["request"] = fmt::format("A{:03}", requests.size() + 1);
  draft.detail["subject_sha256"] = subject.sha256;
  draft.detail["plan_sha256"] = subject.plan_sha256;
  draft.detail["class"] = "isolate";
  draft.detail["act"] = to_string(subject.act);
  draft.detail["what"] = lossless_utf8(subject.what);
  if (subject.call > 0) draft.detail["call"] = subject.call;
  if (subject.at_least > 0) draft.detail["needed"] = subject.at_least;
  draft.detail["reason"] = "leave to " + lossless_utf8(subject.what);
  draft.detail["expires_at"] = format_time(now + kApprovalLifeNs);
  const Entry entry =
      session.case_file.append({draft}, session.examiner).front();
  Request request;
  request.entry = &entry;
  return open_approval(request, needed_for(request, needed));
}

OpenApproval decide_approval(Session& session,
                             const std::string& request_or_run,
                             Decision decision, const std::string& reason) {
  const TimeNs now = session.clock.now();
  const auto entries = session.case_file.entries();
  const auto requests = requests_of(entries);
  const Request& request = find_request(requests, request_or_run, now);
  session.case_file.require_right(session.examiner, Right::approve);
  const std::string key = roll_of(entries).person_of(
      session.examiner.key.public_key().fingerprint().hex());
  if (decision == Decision::granted && request.requesters.contains(key)) {
    throw Error(
        Errc::bad_input,
        fmt::format("{} asked to {} with this key: whoever asks for an act "
                    "cannot approve it, another examiner must",
                    session.examiner.actor.name,
                    printable(text_or(request.detail(), "what", ""))));
  }
  EntryDraft draft = session.draft(
      decision == Decision::granted ? "approval.grant" : "approval.deny");
  draft.run = text_or(request.entry->json, "run", "");
  draft.step = text_or(request.entry->json, "step", "");
  draft.refs = {text_or(request.entry->json, "id", "")};
  for (const char* same :
       {"request", "subject_sha256", "plan_sha256", "class", "act", "what"}) {
    draft.detail[same] = text_or(request.detail(), same, "");
  }
  draft.detail["approver"] = session.examiner.actor.name;
  draft.detail["reason"] = lossless_utf8(reason);
  if (decision == Decision::granted) {
    const std::string expires = format_time(now + kApprovalLifeNs);
    draft.detail["signature"] = to_base64(session.examiner.key.sign(
        as_bytes(approval_text(session.case_file, request, expires))));
    draft.detail["expires_at"] = expires;
  }
  session.case_file.append({draft}, session.examiner);
  OpenApproval open = open_approval(
      request, missing_of(request, approvals_needed(entries), now));
  if (decision == Decision::granted && !request.grants.contains(key)) {
    open.missing = std::max(0, open.missing - 1);
  }
  return open;
}

}  // namespace impound
