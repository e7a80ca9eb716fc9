// SPDX-License-Identifier: Apache-2.0
/// Whose the keys of a case are: introduction, vouching, rotation, revocation.
/// The attacks are lines that are validly signed and wrong in one meaning;
/// tests/compat/signers_test.sh shows the same ones to VERIFY.sh.

#include "core/casefile/signers.hpp"

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/signer_attacks.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/casefile/examiner.hpp"

namespace impound::test {
namespace {

/// True if some problem's words hold one of the alternatives "a|b".
bool tells(const CustodyReport& report, std::string_view alternatives) {
  for (const CustodyProblem& problem : report.problems) {
    const std::string text =
        problem.what + ": " + problem.expected + "; " + problem.found;
    for (const std::string& one : split(alternatives, '|')) {
      if (text.find(one) != text.npos) return true;
    }
  }
  return false;
}

struct Place {
  TempDir temp;
  ForgedCase one{temp.path() / "case"};

  [[nodiscard]] CustodyReport verify(const WrittenDown& known = {}) const {
    return verify_custody(one.folder, known);
  }
};

TEST_CASE("no validly signed line with a wrong word about signers verifies",
          "[casefile][signers]") {
  REQUIRE(signer_attacks().size() >= 20);
  for (const SignerAttack& attack : signer_attacks()) {
    INFO(attack.name);
    Place place;
    attack.make(place.one);
    const CustodyReport report = place.verify();
    INFO(dump_pretty(report.to_json()));
    CHECK_FALSE(report.ok());
    CHECK(tells(report, attack.told));
  }
}

TEST_CASE("a case with added, vouched, rotated and revoked keys verifies",
          "[casefile][signers]") {
  Place place;
  ForgedCase& one = place.one;
  const Examiner second = signer_named("Ada Example");
  const auto draft_of = [](const Examiner& who) { return SignerCard::of(who); };
  (void)one.file.append({add_signer_draft(draft_of(one.bob),
                                          Rights::from("act,approve").value())},
                        one.ada);
  (void)one.file.append({note_draft("by night, unknown")}, one.eve);
  CHECK_FALSE(place.verify().ok());
  const std::int64_t read = one.file.entry_count();
  (void)one.file.append(
      {vouch_draft(draft_of(one.eve), Rights::from("act").value(), read,
                   link_of(one.file.entries(read).front().line))},
      one.ada);
  CHECK(place.verify().ok());
  (void)one.file.append(
      {rotate_draft(*one.file.signers().find(ForgedCase::fingerprint(one.ada)),
                    second.key.public_key())},
      one.ada);
  (void)one.file.append(
      {revoke_draft(*one.file.signers().find(ForgedCase::fingerprint(one.bob)),
                    "left the company")},
      second);
  (void)one.file.sign_head(second);
  const CustodyReport report = place.verify();
  INFO(dump_pretty(report.to_json()));
  CHECK(report.ok());
  CHECK(report.signers.all().size() == 4);
  CHECK(report.signers.person_of(ForgedCase::fingerprint(second)) ==
        ForgedCase::fingerprint(one.ada));
  CHECK(report.signers.same_names().empty());  // one person, by rotation
  SECTION("and the keys that ended write nothing more") {
    CHECK_THROWS_WITH(one.file.append({note_draft("x")}, one.ada),
                      Catch::Contains("was rotated in entry"));
    CHECK_THROWS_WITH(one.file.append({note_draft("x")}, one.bob),
                      Catch::Contains("was revoked in entry"));
    CHECK_THROWS_WITH(one.file.sign_whole_chain(one.bob),
                      Catch::Contains("was revoked in entry"));
  }
}

TEST_CASE("the program refuses what the verifier would find",
          "[casefile][signers]") {
  Place place;
  ForgedCase& one = place.one;
  (void)one.file.append(
      {add_signer_draft(SignerCard::of(one.bob), Rights::from("act").value())},
      one.ada);
  const std::int64_t before = one.file.entry_count();
  CHECK_THROWS_WITH(
      one.file.append(
          {add_signer_draft(SignerCard::of(one.eve), Rights::all())}, one.bob),
      Catch::Contains("the right introduce is needed"));
  CHECK_THROWS_WITH(
      one.file.append(
          {add_signer_draft(SignerCard::of(one.bob), Rights::all())}, one.ada),
      Catch::Contains("is in the case since entry 2"));
  CHECK_THROWS_WITH(one.file.require_right(one.bob, Right::release),
                    Catch::Contains("holds act, and the right release"));
  CHECK_THROWS_WITH(one.file.require_right(one.eve, Right::approve),
                    Catch::Contains("is not vouched for"));
  CHECK_NOTHROW(one.file.require_right(one.eve, Right::act));
  Examiner renamed{one.bob.actor,
                   SigningKey::from_pem(one.bob.key.pem(""), "bob", {})};
  renamed.actor.name = "Robert Second";
  CHECK_THROWS_WITH(one.file.append({note_draft("x")}, renamed),
                    Catch::Contains("stands in the record for"));
  CHECK(one.file.entry_count() == before);
}

TEST_CASE("what an unknown examiner did is named until somebody vouches for it",
          "[casefile][signers]") {
  Place place;
  ForgedCase& one = place.one;
  (void)one.file.append({note_draft("a"), note_draft("b")}, one.eve);
  (void)one.file.append({note_draft("c")}, one.ada);
  (void)one.file.append({note_draft("d")}, one.eve);
  const CustodyReport report = place.verify();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].seq == 2);
  CHECK(report.problems[0].found ==
        "\"Eve Third\", key " + ForgedCase::fingerprint(one.eve) +
            ", for whom nobody did, in entries 2-4, 6");
}

TEST_CASE("two keys of one name are told to be two people",
          "[casefile][signers]") {
  Place place;
  const Examiner other = signer_named("ada  EXAMPLE");
  place.one.add(other, "act", place.one.ada);
  const CustodyReport report = place.verify();
  CHECK(report.ok());
  REQUIRE(report.warnings.size() == 1);
  CHECK(report.warnings[0].expected ==
        "2 keys carry the name \"Ada Example\" and are 2 people");
  CHECK(report.warnings[0].found.find(ForgedCase::fingerprint(other)) !=
        std::string::npos);
}

TEST_CASE("a fingerprint and a head that somebody wrote down are compared",
          "[casefile][signers]") {
  Place place;
  ForgedCase& one = place.one;
  (void)one.file.append({note_draft("a")}, one.ada);
  const std::string head = one.file.head();
  (void)one.file.append({note_draft("b")}, one.ada);
  const std::string key = ForgedCase::fingerprint(one.ada);
  const CustodyReport same =
      place.verify({.note = {}, .signer = key, .head = head, .witness = {}});
  CHECK(same.ok());
  CHECK(same.is_signer_compared);
  CHECK(same.compared_head_seq == 2);
  CHECK_FALSE(place.verify().is_signer_compared);
  CHECK(
      place
          .verify({.note = {}, .signer = "  " + key, .head = {}, .witness = {}})
          .ok());
  // A case that somebody else opened, with Ada brought in by the back door.
  TempDir other;
  ForgedCase forged(other.path() / "case");
  const auto report = verify_custody(
      forged.folder,
      WrittenDown{.note = {}, .signer = key, .head = head, .witness = {}});
  CHECK(report.problems.size() == 2);
  CHECK(tells(report, "a case that key " + key + " opened"));
  CHECK(tells(report, "an entry with SHA-256 " + head));
  CHECK_THROWS_AS(
      place.verify({.note = {}, .signer = "Ada", .head = {}, .witness = {}}),
      Error);
}

TEST_CASE("rights are words of one table, each once", "[casefile][signers]") {
  CHECK(Rights::from("act,introduce").value().text() == "introduce,act");
  CHECK(Rights::from(Rights::all().text()) == Rights::all());
  for (const char* wrong :
       {"", "act,act", "act,", "Act", "all", "act approve"}) {
    INFO(wrong);
    CHECK_FALSE(Rights::from(wrong));
  }
}

}  // namespace
}  // namespace impound::test
