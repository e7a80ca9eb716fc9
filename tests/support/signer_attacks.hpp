// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Records that are validly signed line by line and wrong in one meaning: each
/// is made by whoever holds the keys it names, past the program that would have
/// refused it. Both verifiers must find every one of them.

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/signers.hpp"
#include "core/crypto/merkle.hpp"
#include "core/crypto/note.hpp"
#include "core/storage/sqlite.hpp"

namespace impound::test {

inline Examiner signer_named(const std::string& name) {
  Actor actor;
  actor.name = name;
  actor.org = "Example Org";
  actor.role = "examiner";
  actor.auth = "os uid 1000 (x)";
  return {actor, SigningKey::generate()};
}

/// A case that Ada opened, and a pen that writes what no program of ours would.
class ForgedCase {
 public:
  explicit ForgedCase(const std::filesystem::path& place,
                      const std::string& id = "IR-2026-001")
      : folder(place),
        file(CaseFile::create(place,
                              {.case_id = id,
                               .title = "Poisoned weights",
                               .lead = "",
                               .org = "Example Org",
                               .hold_reference = "",
                               .approvals = 0},
                              ada, clock)) {}

  /// Appends an entry, signed by `who`, whatever it says.
  void write(const EntryDraft& draft, const Examiner& who) {
    const Database database(folder / "case.db", Database::Mode::write);
    ChainPlace at;
    at.case_id = file.id();
    at.nonce = database.text_of(
        "SELECT json_extract(line,'$.detail.nonce') FROM custody WHERE seq=1");
    at.seq = database.integer_of("SELECT count(*) FROM custody") + 1;
    at.prev = link_of(
        database.text_of("SELECT line FROM custody ORDER BY seq DESC LIMIT 1"));
    insert(database, make_entry(at, draft,
                                make_recording(clock, who, read_host_facts(),
                                               read_tool_facts()),
                                who.key));
  }
  void note(const std::string& text, const Examiner& who) {
    EntryDraft draft;
    draft.action = "note";
    draft.detail = {{"text", text}};
    write(draft, who);
  }
  void find(const Examiner& who) {
    EntryDraft draft;
    draft.action = "note";
    draft.detail = {{"kind", "finding"},       {"id", "F001"},
                    {"verdict", "cleared"},    {"severity", "info"},
                    {"title", "nothing here"}, {"detail", ""},
                    {"items", Json::array()}};
    write(draft, who);
  }
  void approve(const Examiner& who) {
    EntryDraft draft;
    draft.action = "approval.grant";
    draft.detail = {{"plan_sha256", "00"}, {"class", "isolate"},
                    {"approver", "x"},     {"signature", "x"},
                    {"expires_at", "x"},   {"reason", "x"}};
    write(draft, who);
  }
  void introduce_itself(const Examiner& who) {
    EntryDraft draft;
    draft.action = "note";
    draft.detail = {{"kind", "signer.introduce"},
                    {"text", "here I am"},
                    {"signer", SignerCard::of(who).to_json()}};
    write(draft, who);
  }
  void add(const Examiner& whom, const char* rights, const Examiner& by) {
    write(add_signer_draft(SignerCard::of(whom), Rights::from(rights).value()),
          by);
  }
  void vouch(const Examiner& whom, const char* rights, std::int64_t through,
             const Examiner& by, const std::string& head = "") {
    write(
        vouch_draft(
            SignerCard::of(whom), Rights::from(rights).value(), through,
            head.empty() ? link_of(file.entries(through).front().line) : head),
        by);
  }
  void revoke(const Examiner& whom, const Examiner& by) {
    Signer signer;
    signer.fingerprint = fingerprint(whom);
    signer.name = whom.actor.name;
    write(revoke_draft(signer, "stolen"), by);
  }
  void rotate(const Examiner& from, const Examiner& to, const char* rights,
              const std::string& name = "") {
    Signer old;
    old.name = name.empty() ? from.actor.name : name;
    old.rights = Rights::from(rights).value();
    write(rotate_draft(old, to.key.public_key()), from);
  }
  /// A signed head over the chain as it stands.
  void sign_head(const Examiner& who) {
    MerkleFrontier frontier;
    for (const Entry& entry : file.entries()) {
      frontier.append(merkle_leaf(as_bytes(entry.line)));
    }
    const Checkpoint head{
        .origin = head_origin("Example Org", file.id()),
        .size = frontier.size(),
        .root = frontier.root(),
        .chain = Digest::from_hex(file.head()).value_or(Digest{})};
    const std::string note = sign_note(head.text(), head.origin, who.key);
    const Database database(folder / "case.db", Database::Mode::write);
    Statement row = database.prepare(
        "INSERT INTO heads VALUES(:size, :note, :frontier, :at)");
    row.bind(":size", static_cast<std::int64_t>(frontier.size()))
        .bind(":note", std::string_view(note))
        .bind(":frontier", std::string_view(frontier.saved()))
        .bind(":at", std::string_view(format_time(clock.now())));
    row.run();
  }
  /// Writes the first entry anew, by Ada's own hand.
  void reopen(const std::function<void(Json&)>& change) {
    Json json = file.entries().front().json;
    change(json);
    Entry entry;
    entry.seq = 1;
    entry.line = dump_line(json);
    entry.signature = to_base64(ada.key.sign(as_bytes(entry.line + "\n")));
    past_triggers("DELETE FROM custody",
                  [&](const Database& database) { insert(database, entry); });
  }
  /// Runs `sql` and `act` as somebody does who drops the triggers meanwhile.
  void past_triggers(const std::string& sql,
                     const std::function<void(const Database&)>& act = {}) {
    const Database database(folder / "case.db", Database::Mode::write);
    std::vector<std::pair<std::string, std::string>> triggers;
    Statement rows = database.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type='trigger'");
    while (rows.step()) triggers.emplace_back(rows.text(0), rows.text(1));
    rows.reset();
    for (const auto& [name, text] : triggers) {
      database.execute("DROP TRIGGER " + name);
    }
    database.execute(sql);
    if (act) act(database);
    for (const auto& [name, text] : triggers) database.execute(text);
  }
  /// Back to the first entry, as somebody does who has the folder and no key.
  void cut_to_first() {
    past_triggers("DELETE FROM custody WHERE seq>1; DELETE FROM heads");
  }
  static std::string fingerprint(const Examiner& who) {
    return who.key.public_key().fingerprint().hex();
  }

  SystemClock clock;
  Examiner ada = signer_named("Ada Example");
  Examiner bob = signer_named("Bob Second");
  Examiner eve = signer_named("Eve Third");
  std::filesystem::path folder;
  CaseFile file;

  static void insert(const Database& database, const Entry& entry) {
    Statement row =
        database.prepare("INSERT INTO custody VALUES(:seq, :line, :signature)");
    row.bind(":seq", entry.seq)
        .bind(":line", std::string_view(entry.line))
        .bind(":signature", std::string_view(entry.signature));
    row.run();
  }
};

struct SignerAttack {
  const char* name;  ///< a sentence that both verifiers must deny
  const char* told;  ///< what both must say, up to the keys: a part of it
  std::function<void(ForgedCase&)> make;
};

inline const std::vector<SignerAttack>& signer_attacks() {
  static const std::vector<SignerAttack> kAttacks{
      {"a key that made itself up under the lead's name signs a cut chain",
       "nobody",
       [](ForgedCase& one) {
         one.note("the weights were edited", one.ada);
         one.cut_to_first();
         const Examiner fresh = signer_named("Ada Example");
         one.introduce_itself(fresh);
         one.note("nothing was found", fresh);
       }},
      {"an old key signs after its rotation", "was rotated in entry 2",
       [](ForgedCase& one) {
         const Examiner second = signer_named("Ada Example");
         one.rotate(one.ada, second, "introduce,approve,release,act");
         one.note("with the new one", second);
         one.note("with the old one", one.ada);
       }},
      {"a revoked key signs", "was revoked in entry 3",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.revoke(one.bob, one.ada);
         one.note("with a stolen laptop", one.bob);
       }},
      {"somebody without the right introduces", "the right introduce is needed",
       [](ForgedCase& one) {
         one.add(one.bob, "act,approve", one.ada);
         one.add(one.eve, "act", one.bob);
         one.note("let in by nobody", one.eve);
       }},
      {"an introduction stands in front of its author's own",
       "the right introduce is needed",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.add(one.eve, "act", one.bob);
         one.vouch(one.bob, "introduce,act", 2, one.ada);
       }},
      {"a key signs before it is brought in", "introduce",
       [](ForgedCase& one) {
         one.note("too early", one.bob);
         one.add(one.bob, "act", one.ada);
       }},
      {"a key that nobody vouched for approves", "the right approve is needed",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.approve(one.bob);
         one.vouch(one.bob, "approve,act", 3, one.ada);
       }},
      {"a key approves without the right", "the right approve is needed",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.approve(one.bob);
       }},
      {"a key that may only approve finds", "the right act is needed",
       [](ForgedCase& one) {
         one.add(one.bob, "approve", one.ada);
         one.find(one.bob);
       }},
      {"a voucher for the right to approve covers a finding", "the right act",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.find(one.bob);
         one.vouch(one.bob, "approve", 3, one.ada);
       }},
      {"somebody vouches for another chain than this", "3",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.note("what Ada did not read", one.bob);
         one.vouch(one.bob, "act", 3, one.ada, std::string(64, 'a'));
       }},
      {"an entry slips in between what was read and the voucher", "nobody",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.note("Ada read this", one.bob);
         one.note("and not this", one.bob);
         one.vouch(one.bob, "act", 3, one.ada);
         one.note("and this is covered", one.bob);
       }},
      {"a key vouches for itself", "needed",
       [](ForgedCase& one) {
         one.introduce_itself(one.bob);
         one.vouch(one.bob, "introduce,approve,release,act", 2, one.bob);
       }},
      {"a key speaks under somebody else's name", "another name|belongs",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         Examiner posing{one.ada.actor,
                         SigningKey::from_pem(one.bob.key.pem(""), "bob", {})};
         one.note("so says Ada", posing);
       }},
      {"a rotation hands the key to somebody else", "signer.add",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.rotate(one.bob, one.eve, "act", "Eve Third");
       }},
      {"a rotation brings more rights", "carries the rights over",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         const Examiner second = signer_named("Bob Second");
         one.rotate(one.bob, second, "introduce,act");
         one.add(one.eve, "act", second);
       }},
      {"a revoked key signs the head", "signature|no key of the record signed",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.revoke(one.bob, one.ada);
         one.sign_head(one.bob);
         one.note("the head before is nobody's", one.ada);
       }},
      {"somebody without the right revokes", "the right introduce is needed",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.add(one.eve, "act", one.ada);
         one.revoke(one.eve, one.bob);
       }},
      {"a known key is brought in once more", "in the case since entry 2",
       [](ForgedCase& one) {
         one.add(one.bob, "act", one.ada);
         one.add(one.bob, "introduce,act", one.ada);
       }},
      {"a key introduces another one as itself", "a key introduces itself",
       [](ForgedCase& one) {
         EntryDraft draft;
         draft.action = "note";
         draft.detail = {{"kind", "signer.introduce"},
                         {"text", "a friend"},
                         {"signer", SignerCard::of(one.bob).to_json()}};
         one.write(draft, one.ada);
       }},
      {"a first entry forgets to ask for vouchers", "signers is|its signers",
       [](ForgedCase& one) {
         one.reopen([](Json& line) { line["detail"].erase("signers"); });
       }},
      {"a word of version 3 stands in a line of version 2",
       "version 3|a word of version 2",
       [](ForgedCase& one) {
         one.reopen([](Json& line) { line["v"] = 2; });
         one.past_triggers("SELECT 1", [&](const Database& database) {
           ChainPlace at;
           at.case_id = one.file.id();
           const auto first = one.file.entries().front();
           at.nonce = text_or(first.json["detail"], "nonce", "");
           at.seq = 2;
           at.prev = link_of(first.line);
           Entry entry = make_entry(
               at, add_signer_draft(SignerCard::of(one.bob), Rights::all()),
               make_recording(one.clock, one.ada, read_host_facts(),
                              read_tool_facts()),
               one.ada.key);
           entry.line.replace(0, 6, "{\"v\":2");
           entry.signature =
               to_base64(one.ada.key.sign(as_bytes(entry.line + "\n")));
           ForgedCase::insert(database, entry);
         });
       }},
      {"an entry of another case of the same name stands here",
       "breaks at entry 2|prev",
       [](ForgedCase& one) {
         // The same id, the same examiners, another beginning.
         const auto before = one.file.entries().front().json;
         one.note("of the other case", one.ada);
         const Entry foreign = one.file.entries(2).front();
         one.past_triggers("DELETE FROM custody WHERE seq>1");
         one.reopen([](Json& line) {
           line["detail"]["nonce"] = std::string(32, '7');
           const ChainPlace at{.case_id = line["case"],
                               .nonce = line["detail"]["nonce"],
                               .seq = 1,
                               .prev = genesis_prev()};
           line["id"] = entry_id(at);
         });
         one.past_triggers("SELECT 1", [&](const Database& database) {
           ForgedCase::insert(database, foreign);
         });
       }},
  };
  return kAttacks;
}

}  // namespace impound::test
