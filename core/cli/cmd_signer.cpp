// SPDX-License-Identifier: Apache-2.0
/// impound case signer: whose the keys of a case are, and who says so.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/cli/command.hpp"
#include "core/engine/examiner.hpp"

namespace impound {
namespace {

constexpr const char* kFooter =
    "Two people, one case. Bob: impound examiner show, sends the card and "
    "reads "
    "the\nfingerprint out. Ada, who opened the case:\n"
    "  impound case signer add bob.json --fingerprint 5e91… --rights "
    "act,approve\n"
    "Bob began at 3 a.m. without her; Ada reads what he did, then takes it "
    "over:\n"
    "  impound custody log\n"
    "  impound case signer vouch 5e91… --rights act --through 41\n"
    "A new key of one's own; a key that was lost:\n"
    "  impound examiner renew\n"
    "  impound case signer rotate --key ~/.config/impound/examiner.key\n"
    "  impound case signer revoke 5e91… --reason \"laptop stolen\"";

std::string digits(const std::string& text) {
  std::string digits = to_lower_ascii(text);
  std::erase(digits, ' ');
  if (!Digest::from_hex(digits)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" is no fingerprint: expected 64 hexadecimal "
                            "digits, as impound examiner show prints them",
                            printable(text)));
  }
  return digits;
}

Rights rights_from(const std::string& text) {
  const auto rights = Rights::from(text);
  if (rights) return *rights;
  throw Error(Errc::bad_input,
              fmt::format("--rights \"{}\": expected some of {}, separated by "
                          "commas",
                          printable(text), Rights::all().text()));
}

/// The signer of that fingerprint.
/// @throws Error{bad_input} if the case knows no such key.
const Signer& find_signer(const SignerRoll& roll, const std::string& key) {
  if (const Signer* signer = roll.find(key)) return *signer;
  throw Error(Errc::bad_input,
              fmt::format("no entry of this case brings in key {}: see impound "
                          "case signer list",
                          key));
}

SignerCard card_of(const Signer& signer) {
  return {.name = signer.name,
          .org = signer.org,
          .role = signer.role,
          .key = PublicKey::from_pem(signer.public_key, "a key of the case")};
}

SignerCard read_card(const fs::path& file) {
  const std::string source = printable(file.native());
  return SignerCard::from_json(
      parse_json(read_text_file(file, limits::kMaxSmallFile), source), source);
}

/// Writes one statement and tells what the roll says of `key` then.
ExitCode state(const Globals& globals, OpenCase& open, const EntryDraft& draft,
               const std::string& key) {
  const auto entries = open.file().append({draft}, open.session().examiner);
  const SignerRoll roll = open.file().signers();
  const Signer& signer = find_signer(roll, key);
  if (globals.json) {
    Json json = signer_to_json(roll, signer);
    json["seq"] = entries.front().seq;
    print_json(json);
  } else {
    print_text(globals, fmt::format("entry {}: \"{}\", key {}\n  {}\n",
                                    entries.front().seq, printable(signer.name),
                                    key, introduction_text(roll, signer)));
  }
  return ExitCode::clean;
}

ExitCode list(const Globals& globals) {
  const CaseFile one = open_case_to_read(globals);
  const SignerRoll roll = one.signers();
  const auto same = roll.same_names();
  bool is_waiting = false;
  Json documents = Json::array();
  std::string text;
  for (const Signer& signer : roll.all()) {
    documents.push_back(signer_to_json(roll, signer));
    is_waiting = is_waiting || (roll.asks_for_vouching() &&
                                signer.standing == Standing::unvouched);
    text += fmt::format(
        "{}\n  \"{}\", {}, {}; may {}\n  {}\n", signer.fingerprint,
        printable(signer.name), printable(signer.role), printable(signer.org),
        signer.rights == Rights() ? "wait for a voucher" : signer.rights.text(),
        introduction_text(roll, signer));
  }
  Json names = Json::array();
  for (const auto& group : same) {
    Json keys = Json::array();
    text +=
        fmt::format("{} keys carry the name \"{}\" and are {} people:\n",
                    group.size(), printable(group.front()->name), group.size());
    for (const Signer* signer : group) {
      keys.push_back(signer->fingerprint);
      text += fmt::format("  {}\n", signer->fingerprint);
    }
    names.push_back({{"name", group.front()->name}, {"keys", keys}});
  }
  if (!roll.asks_for_vouching()) {
    text += "The first entry asks nobody to vouch for a key.\n";
  }
  if (globals.json) {
    print_json({{"signers_must_be_vouched_for", roll.asks_for_vouching()},
                {"signers", documents},
                {"same_name", names}});
  } else {
    print_text(globals, text);
  }
  return is_waiting ? ExitCode::findings : ExitCode::clean;
}

struct Introduced {
  fs::path card;
  std::string fingerprint;
  std::string rights = "act";
  std::int64_t through = 0;
  std::string reason;
};

ExitCode add(const Globals& globals, const Introduced& wanted) {
  const SignerCard card = read_card(wanted.card);
  const std::string key = card.key.fingerprint().hex();
  if (digits(wanted.fingerprint) != key) {
    throw Error(Errc::bad_input,
                fmt::format("{} is the card of key {}, expected {}: this is "
                            "not the key whose fingerprint you were given",
                            printable(wanted.card.native()), key,
                            digits(wanted.fingerprint)));
  }
  const Rights rights = rights_from(wanted.rights);
  OpenCase open(globals);
  return state(globals, open, add_signer_draft(card, rights), key);
}

ExitCode vouch(const Globals& globals, const Introduced& wanted) {
  const std::string key = digits(wanted.fingerprint);
  const Rights rights = rights_from(wanted.rights);
  OpenCase open(globals);
  const Signer signer = find_signer(open.file().signers(), key);
  const std::int64_t last = open.file().entry_count();
  const std::int64_t through = wanted.through == 0 ? last : wanted.through;
  if (through < 1 || through > last) {
    throw Error(Errc::bad_input,
                fmt::format("--through {}: expected an entry from 1 to {}",
                            through, last));
  }
  const std::string head = link_of(open.file().entries(through).front().line);
  return state(globals, open,
               vouch_draft(card_of(signer), rights, through, head), key);
}

ExitCode rotate(const Globals& globals, const fs::path& card_path) {
  if (globals.key_file.empty()) {
    throw Error(Errc::bad_input,
                "rotate is signed with the old key: name it with --key");
  }
  const SignerCard card =
      read_card(card_path.empty() ? card_file() : card_path);
  const std::string key = card.key.fingerprint().hex();
  OpenCase open(globals);
  const std::string old =
      open.session().examiner.key.public_key().fingerprint().hex();
  if (old == key) {
    throw Error(Errc::bad_input,
                fmt::format("--key is key {} itself: expected the key that it "
                            "takes the place of",
                            key));
  }
  const Signer before = find_signer(open.file().signers(), old);
  return state(globals, open, rotate_draft(before, card.key), key);
}

ExitCode revoke(const Globals& globals, const Introduced& wanted) {
  const std::string key = digits(wanted.fingerprint);
  OpenCase open(globals);
  const SignerRoll roll = open.file().signers();
  const Signer signer = find_signer(roll, key);
  bool is_left = false;
  for (const Signer& other : roll.all()) {
    is_left = is_left || (other.fingerprint != key && other.is_open() &&
                          other.rights.has(Right::introduce));
  }
  if (!is_left) {
    throw Error(Errc::bad_input,
                fmt::format("key {} is the last one that may introduce: nobody "
                            "could be let in any more; rotate it, or add "
                            "another with that right first",
                            key));
  }
  return state(globals, open, revoke_draft(signer, wanted.reason), key);
}

}  // namespace

void add_signer(CLI::App& case_group, Globals& globals, Run& run) {
  CLI::App* group = add_command(
      case_group, "signer", "Whose the keys of a case are, and who says so.",
      "impound case signer list");
  group->require_subcommand(1);
  group->footer(kFooter);
  add_command(*group, "list",
              "Print every key, how it came in, and what it may do; 1 if one "
              "waits for a voucher.",
              "impound case signer list")
      ->callback([&globals, &run] { run = [&] { return list(globals); }; });

  auto wanted = std::make_shared<Introduced>();
  const auto take_rights = [&](CLI::App* command) {
    command->add_option("--rights", wanted->rights,
                        "Some of " + Rights::all().text() +
                            ", separated by commas; act if not given.");
  };
  const auto take_key = [&](CLI::App* command) {
    takes(ValueKind::fingerprint,
          command->add_option("fingerprint", wanted->fingerprint,
                              "SHA-256 of the key, 64 digits."))
        ->required();
  };
  CLI::App* one = add_command(*group, "add",
                              "Let a key in that has not signed anything yet.",
                              "impound case signer add bob.json --fingerprint "
                              "5e91… --rights act,approve");
  takes(ValueKind::file,
        one->add_option(
            "card", wanted->card,
            "The examiner.json of its holder (impound examiner show)."))
      ->required();
  takes(
      ValueKind::fingerprint,
      one->add_option("--fingerprint", wanted->fingerprint,
                      "Its fingerprint, as its holder told it by another way."))
      ->required();
  take_rights(one);
  one->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return add(globals, *wanted); };
  });

  one = add_command(
      *group, "vouch",
      "Vouch for a key that introduced itself, and for its entries so far.",
      "impound case signer vouch 5e91… --through 41");
  take_key(one);
  take_rights(one);
  takes(ValueKind::entry,
        one->add_option(
            "--through", wanted->through,
            "The last entry that you have read; the last there is if not "
            "given."));
  one->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return vouch(globals, *wanted); };
  });

  one = add_command(
      *group, "rotate", "Hand over from your old key (--key) to your new one.",
      "impound case signer rotate --key ~/.config/impound/examiner.key");
  auto card = std::make_shared<fs::path>();
  takes(
      ValueKind::file,
      one->add_option("--to", *card,
                      "Card of the new key; your examiner.json if not given."));
  one->callback([&globals, &run, card] {
    run = [&globals, card] { return rotate(globals, *card); };
  });

  one = add_command(
      *group, "revoke", "End what a key may sign, from this entry on.",
      "impound case signer revoke 5e91… --reason \"laptop stolen\"");
  take_key(one);
  one->add_option("--reason", wanted->reason, "Why.")->required();
  one->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return revoke(globals, *wanted); };
  });
}

}  // namespace impound
