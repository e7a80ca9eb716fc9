// SPDX-License-Identifier: Apache-2.0
/// Approvals: by others, for one act, for a while.

#include "core/engine/approvals.hpp"

#include "core/base/error.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/signer_attacks.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

constexpr std::int64_t kHourNs = 3600LL * 1'000'000'000;

/// A case that asks for two further examiners, with a run that asked leave.
struct People {
  TempDir temp;
  FixedClock clock;
  Cancellation never;
  SilentProgress silent;
  Examiner ada = make_examiner("Ada");
  Examiner bob = make_examiner("Bob");
  Examiner eve = make_examiner("Eve");
  CaseFile file =
      CaseFile::create(temp.path() / "case", asking_for_two(), ada, clock);
  Session as_ada{.case_file = file,
                 .examiner = ada,
                 .clock = clock,
                 .cancellation = never,
                 .progress = silent};

  static CaseOpening asking_for_two() {
    CaseOpening two = opening();
    two.approvals = 2;
    return two;
  }

  People() {
    for (const Examiner* who : {&bob, &eve}) let_in(*who, "act,approve");
    start_run();
  }

  void start_run() {
    as_ada.run.clear();
    EntryDraft start = as_ada.draft("playbook.start");
    start.detail = {{"playbook", "p"},         {"version", "1.0.0"},
                    {"playbook_sha256", "00"}, {"parameters", Json::object()},
                    {"permissions", nullptr},  {"plan_sha256", "11"},
                    {"deployment", "small"}};
    as_ada.run = file.reserve_run(start, ada).run;
  }

  void let_in(const Examiner& who, const char* rights) {
    (void)file.append(
        {add_signer_draft(SignerCard::of(who), Rights::from(rights).value())},
        ada);
  }
  [[nodiscard]] ApprovalSubject subject(std::int64_t call) const {
    return subject_of_call(file, as_ada.run, call, GuardedAct::contain);
  }
  [[nodiscard]] int missing(std::int64_t call) const {
    return approvals_for(file, subject(call), clock.now()).missing;
  }
  void decide(const Examiner& who, const std::string& name,
              Decision decision = Decision::granted) {
    Session session{.case_file = file,
                    .examiner = who,
                    .clock = clock,
                    .cancellation = never,
                    .progress = silent};
    static_cast<void>(decide_approval(session, name, decision, "because"));
  }
};

TEST_CASE("as many people as the case asks for must approve, each once",
          "[engine][I12]") {
  People people;
  CHECK(people.missing(3) == 2);
  const OpenApproval open = request_approval(people.as_ada, people.subject(3));
  CHECK(open.request == "A001");
  CHECK(open.missing == 2);
  CHECK(open.requester == "Ada");
  CHECK(request_approval(people.as_ada, people.subject(3)).request == "A001");
  people.decide(people.bob, "A001");
  people.decide(people.bob, people.as_ada.run);
  CHECK(people.missing(3) == 1);
  people.decide(people.eve, "A001");
  CHECK(people.missing(3) == 0);
  CHECK(open_approvals(people.file, people.clock.now()).empty());
}

TEST_CASE("whoever asks for an act cannot approve it", "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  CHECK_THROWS_WITH(people.decide(people.ada, "A001"),
                    Catch::Contains("whoever asks for an act cannot approve"));
  CHECK(people.missing(3) == 2);
  people.decide(people.ada, "A001", Decision::denied);  // but may take it back
  CHECK_THROWS_WITH(people.missing(3), Catch::Contains("was denied by Ada"));
}

TEST_CASE("only people that were vouched for with the right approve count",
          "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  const Examiner unknown = make_examiner("Frank");
  CHECK_THROWS_WITH(
      people.decide(unknown, "A001"),
      Catch::Contains("is not vouched for, and the right approve"));
  CHECK_THROWS_WITH(people.decide(unknown, "A001", Decision::denied),
                    Catch::Contains("the right approve is needed"));
  const Examiner hand = make_examiner("Grace");
  people.let_in(hand, "act");
  CHECK_THROWS_WITH(people.decide(hand, "A001"),
                    Catch::Contains("holds act, and the right approve"));
  CHECK(people.missing(3) == 2);
  // A second key of the lead's name that nobody vouched for is nobody.
  const Examiner namesake = make_examiner("Ada");
  CHECK_THROWS_AS(people.decide(namesake, "A001"), Error);
  CHECK(people.missing(3) == 2);
}

TEST_CASE(
    "an approval that was written past the program counts only with the "
    "right",
    "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  const Examiner hand = make_examiner("Grace");
  people.let_in(hand, "act");
  const auto forge = [&](const Examiner& who) {
    const auto entries = people.file.entries();
    EntryDraft grant = people.as_ada.draft("approval.grant");
    grant.detail = {{"request", "A001"},
                    {"subject_sha256", people.subject(3).sha256},
                    {"plan_sha256", "11"},
                    {"class", "isolate"},
                    {"act", "contain"},
                    {"approver", who.actor.name},
                    {"reason", "because"},
                    {"signature", "x"},
                    {"expires_at", format_time(people.clock.now() + kHourNs)}};
    ChainPlace at{.case_id = people.file.id(),
                  .nonce = entries[0].json["detail"]["nonce"],
                  .seq = entries.back().seq + 1,
                  .prev = link_of(entries.back().line)};
    const Database database(people.file.folder() / "case.db",
                            Database::Mode::write);
    ForgedCase::insert(database, make_entry(at, grant,
                                            make_recording(people.clock, who,
                                                           read_host_facts(),
                                                           read_tool_facts()),
                                            who.key));
  };
  forge(hand);                    // vouched for, and not to approve
  forge(make_examiner("Frank"));  // whom nobody let in
  CHECK(people.missing(3) == 2);
  forge(people.bob);
  CHECK(people.missing(3) == 1);
}

TEST_CASE("keys that a rotation ties together are one person",
          "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  const auto rotate = [&](const Examiner& from, const Examiner& to) {
    const std::string key = from.key.public_key().fingerprint().hex();
    (void)people.file.append(
        {rotate_draft(*people.file.signers().find(key), to.key.public_key())},
        from);
  };
  people.decide(people.bob, "A001");
  const Examiner bob_again = make_examiner("Bob");
  rotate(people.bob, bob_again);
  people.decide(bob_again, "A001");
  CHECK(people.missing(3) == 1);
  // Nor does a new key make the requester another person.
  const Examiner ada_again = make_examiner("Ada");
  rotate(people.ada, ada_again);
  CHECK_THROWS_WITH(people.decide(ada_again, "A001"),
                    Catch::Contains("cannot approve it"));
  CHECK(people.missing(3) == 1);
  // What a key said counts no more once it was revoked.
  const std::string bob = bob_again.key.public_key().fingerprint().hex();
  (void)people.file.append(
      {revoke_draft(*people.file.signers().find(bob), "lost")}, ada_again);
  CHECK(people.missing(3) == 2);
}

TEST_CASE("an approval is for one act of a run and not for the next",
          "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  people.decide(people.bob, "A001");
  people.decide(people.eve, "A001");
  CHECK(people.missing(3) == 0);
  CHECK(people.missing(7) == 2);
  CHECK(request_approval(people.as_ada, people.subject(7)).request == "A002");
  const ApprovalSubject back =
      subject_of_call(people.file, people.as_ada.run, 3, GuardedAct::release);
  CHECK(approvals_for(people.file, back, people.clock.now()).missing == 2);
}

TEST_CASE("an approval ends after a day, and so does a denial",
          "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  people.decide(people.bob, "A001");
  people.clock.advance(20 * kHourNs);
  people.decide(people.eve, "A001");
  CHECK(people.missing(3) == 0);
  people.clock.advance(5 * kHourNs);
  CHECK(people.missing(3) == 1);  // Bob's has ended
  CHECK_THROWS_WITH(people.decide(people.bob, "A001"),
                    Catch::Contains("nothing waits for an approval"));
  CHECK(request_approval(people.as_ada, people.subject(3)).request == "A002");
  people.decide(people.bob, "A002");
  CHECK(people.missing(3) == 0);  // with Eve's, which still stands
}

TEST_CASE("an approval stands until the moment at which it ends",
          "[engine][I12]") {
  People people;
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  people.decide(people.bob, "A001");
  people.decide(people.eve, "A001");
  people.clock.advance(24 * kHourNs - 1'000'000);
  CHECK(people.missing(3) == 0);
  people.clock.advance(1'000'000);
  CHECK(people.missing(3) == 2);
}

TEST_CASE("who answered for the run is one of those who asked",
          "[engine][I12]") {
  People people;
  people.as_ada.slot = JournalSlot{.n = 3, .call_sha256 = "", .call = ""};
  const Question question{.id = "go",
                          .text = "Now?",
                          .choices = {"yes", "no"},
                          .otherwise = "no",
                          .approves = GuardedAct::contain};
  record_question(people.as_ada, question);
  record_question(people.as_ada, question);
  const auto open = open_questions(people.file, people.as_ada.run);
  REQUIRE(open.size() == 1);
  CHECK(open[0].call == 3);
  CHECK(open[0].question.otherwise == "no");
  Session as_bob{.case_file = people.file,
                 .examiner = people.bob,
                 .clock = people.clock,
                 .cancellation = people.never,
                 .progress = people.silent};
  record_pending_answer(
      as_bob, open[0],
      {.text = "yes", .basis = "said so", .by = "Bob", .at = "now"});
  const auto pending = pending_answer(people.as_ada, question);
  REQUIRE(pending);
  CHECK(pending->text == "yes");
  CHECK(pending->by == "Bob");
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  CHECK_THROWS_WITH(people.decide(people.bob, "A001"),
                    Catch::Contains("cannot approve"));
  people.decide(people.eve, "A001");
  CHECK(people.missing(3) == 1);
}

TEST_CASE(
    "what was said in another run is no authority for this one, and "
    "forbids nothing in it",
    "[engine][I12]") {
  People people;
  const std::string first = people.as_ada.run;
  people.start_run();
  const std::string second = people.as_ada.run;
  REQUIRE(first != second);
  const auto missing_in = [&](const std::string& run) {
    const ApprovalSubject subject =
        subject_of_call(people.file, run, 3, GuardedAct::contain);
    return approvals_for(people.file, subject, people.clock.now()).missing;
  };
  // Bob answered the question of the same call number, in the second run.
  people.as_ada.slot = JournalSlot{.n = 3, .call_sha256 = "", .call = ""};
  const Question question{.id = "go",
                          .text = "Now?",
                          .choices = {"yes", "no"},
                          .otherwise = "no",
                          .approves = GuardedAct::contain};
  record_question(people.as_ada, question);
  Session as_bob{.case_file = people.file,
                 .examiner = people.bob,
                 .clock = people.clock,
                 .cancellation = people.never,
                 .progress = people.silent};
  record_pending_answer(
      as_bob, open_questions(people.file, second).at(0),
      {.text = "yes", .basis = "said so", .by = "Bob", .at = "now"});
  CHECK(open_questions(people.file, first).empty());
  people.as_ada.run = first;
  CHECK_FALSE(pending_answer(people.as_ada, question));
  static_cast<void>(request_approval(people.as_ada, people.subject(3)));
  people.decide(people.bob, "A001");  // he asked for nothing in the first run
  people.decide(people.eve, "A001");
  CHECK(missing_in(first) == 0);
  CHECK(missing_in(second) == 2);
}

TEST_CASE("an answer to one call leaves the same question of another open",
          "[engine][I13]") {
  People people;
  const Question question{.id = "go",
                          .text = "Now?",
                          .choices = {"yes", "no"},
                          .otherwise = std::nullopt,
                          .approves = GuardedAct::none};
  for (const std::int64_t n : {3, 9}) {
    people.as_ada.slot = JournalSlot{.n = n, .call_sha256 = "", .call = ""};
    record_question(people.as_ada, question);
  }
  static_cast<void>(record_answer(
      people.as_ada, question,
      {.text = "yes", .basis = "said so", .by = "Ada", .at = "now"}));
  const auto open = open_questions(people.file, people.as_ada.run);
  REQUIRE(open.size() == 1);
  CHECK(open[0].call == 3);
  CHECK_FALSE(open[0].given);
}

TEST_CASE("an approval by hand is for one repetition of the act",
          "[engine][I12]") {
  People people;
  people.as_ada.run.clear();
  Deployment deployment;
  deployment.name = "small";
  const auto subject = [&] {
    return subject_by_hand(people.as_ada, deployment, "process",
                           Json::object());
  };
  const ApprovalSubject first = subject();
  CHECK(subject().sha256 == first.sha256);
  static_cast<void>(request_approval(people.as_ada, first));
  people.decide(people.bob, "A001");
  people.decide(people.eve, "A001");
  CHECK(approvals_for(people.file, first, people.clock.now()).missing == 0);
  // It was done, on that authority.
  EntryDraft applied = people.as_ada.draft("isolate.apply");
  applied.purpose = "a test";
  applied.authority = {{"plan_sha256", first.plan_sha256},
                       {"subject_sha256", first.sha256}};
  applied.object = Json{{"kind", "deployment"}, {"path", "small"}};
  applied.detail = {{"phase", "after"},        {"intent", "x"},
                    {"deployment", "small"},   {"target", Json::object()},
                    {"method", "process"},     {"before", Json::object()},
                    {"after", Json::object()}, {"arguments", Json::object()}};
  static_cast<void>(people.file.append({applied}, people.ada));
  const ApprovalSubject second = subject();
  CHECK(second.plan_sha256 == first.plan_sha256);
  CHECK(second.sha256 != first.sha256);
  CHECK(approvals_for(people.file, second, people.clock.now()).missing == 2);
  // Another examiner, another method: another act.
  CHECK(subject_by_hand(people.as_ada, deployment, "other", Json::object())
            .plan_sha256 != first.plan_sha256);
}

TEST_CASE("an answer belongs to one question of one call", "[engine][I13]") {
  People people;
  const Question question{.id = "go",
                          .text = "Now?",
                          .choices = {"yes", "no"},
                          .otherwise = std::nullopt,
                          .approves = GuardedAct::none};
  people.as_ada.slot = JournalSlot{.n = 3, .call_sha256 = "", .call = ""};
  record_question(people.as_ada, question);
  record_pending_answer(
      people.as_ada, open_questions(people.file, people.as_ada.run)[0],
      {.text = "yes", .basis = "said so", .by = "Ada", .at = "now"});
  CHECK(pending_answer(people.as_ada, question));
  people.as_ada.slot->n = 9;  // the same question, asked again later
  CHECK_FALSE(pending_answer(people.as_ada, question));
  people.as_ada.slot->n = 3;
  const Json taken = record_answer(people.as_ada, question,
                                   *pending_answer(people.as_ada, question));
  CHECK(taken["answer"] == "yes");
  CHECK(taken["by"] == "Ada");
  CHECK(open_questions(people.file, people.as_ada.run).empty());
}

}  // namespace
}  // namespace impound::test
