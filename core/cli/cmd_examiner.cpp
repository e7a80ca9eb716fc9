// SPDX-License-Identifier: Apache-2.0
/// impound examiner: who acts.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/engine/examiner.hpp"

namespace impound {
namespace {

Json profile_json(const ExaminerProfile& profile) {
  Json json;
  json["name"] = profile.name;
  json["org"] = profile.org;
  json["role"] = profile.role;
  json["key_file"] = lossless_utf8(profile.key_file.native());
  json["fingerprint"] = profile.fingerprint;
  json["card"] = lossless_utf8(card_file().native());
  return json;
}

void show(const Globals& globals, const ExaminerProfile& profile) {
  if (globals.json) {
    print_json(profile_json(profile));
    return;
  }
  print_text(
      globals,
      fmt::format("{}, {}, {}\nkey  {}\n     SHA-256 {}\ncard {}\n",
                  printable(profile.name), printable(profile.role),
                  printable(profile.org), printable(profile.key_file.native()),
                  profile.fingerprint, printable(card_file().native())));
  print_note(globals,
             fmt::format("To be let into a case, give its lead the card, which "
                         "holds no secret, and the fingerprint by another way; "
                         "the lead runs: impound case signer add CARD "
                         "--fingerprint {}",
                         profile.fingerprint));
}

/// What a new key is encrypted with; empty if nothing was named.
std::string new_passphrase(const Globals& globals) {
  if (globals.passphrase_file.empty()) return {};
  const std::string text =
      read_text_file(globals.passphrase_file, limits::kMaxSmallFile);
  std::string passphrase = text.substr(0, text.find('\n'));
  if (passphrase.empty()) {
    throw Error(Errc::bad_input, printable(globals.passphrase_file.native()) +
                                     ": the first line is empty, expected a "
                                     "passphrase");
  }
  return passphrase;
}

ExitCode renew(const Globals& globals) {
  const ExaminerProfile before = load_profile();
  show(globals, renew_examiner(new_passphrase(globals)));
  print_note(globals,
             fmt::format("The old key stays in {}. In each case that it is "
                         "known in: impound case signer rotate --key {}",
                         printable(before.key_file.native()),
                         printable(before.key_file.native())));
  return ExitCode::clean;
}

ExitCode init(const Globals& globals, ExaminerProfile wanted) {
  const std::string passphrase = new_passphrase(globals);
  wanted.key_file = globals.key_file;
  const ExaminerProfile made = create_examiner(wanted, passphrase);
  show(globals, made);
  if (passphrase.empty()) {
    print_note(globals,
               "The key is not encrypted; --passphrase-file would encrypt it. "
               "Keep a copy of the fingerprint off this machine.");
  }
  return ExitCode::clean;
}

}  // namespace

void add_examiner(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group =
      add_command(app, Group::keys, "examiner", "Who acts: key and identity.",
                  "impound examiner init --name \"Ada Example\" --org "
                  "\"Example Corp\" --role responder");
  group->require_subcommand(1);
  CLI::App* make =
      add_command(*group, "init", "Make an Ed25519 key and say who holds it.",
                  "impound examiner init --name \"Ada Example\" --org "
                  "\"Example Corp\" --role responder");
  auto wanted = std::make_shared<ExaminerProfile>();
  make->add_option("--name", wanted->name, "Full name.")->required();
  make->add_option("--org", wanted->org, "Organisation.")->required();
  make->add_option("--role", wanted->role, "Role in the incident.")->required();
  make->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return init(globals, *wanted); };
  });
  add_command(*group, "renew",
              "Make a new key for the same examiner; the old one stays, and "
              "hands over in each case (case signer rotate).",
              "impound examiner renew")
      ->callback([&globals, &run] { run = [&] { return renew(globals); }; });
  CLI::App* tell = add_command(*group, "show", "Print identity and key.",
                               "impound examiner show");
  tell->callback([&globals, &run] {
    run = [&globals] {
      show(globals, load_profile());
      return ExitCode::clean;
    };
  });
}

}  // namespace impound
