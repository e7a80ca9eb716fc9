// SPDX-License-Identifier: Apache-2.0
#include "core/cli/command.hpp"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/standard_output.hpp"
#include "core/engine/examiner.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

/// Reads a line without showing it.
std::string ask_passphrase() {
  if (::isatty(STDIN_FILENO) == 0) {
    throw Error(Errc::bad_input,
                "the key is encrypted and there is no terminal to ask for its "
                "passphrase: use --passphrase-file");
  }
  write_stderr("Passphrase of the examiner's key: ");
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  std::string line;
  std::getline(std::cin, line);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
  write_stderr("\n");
  return line;
}

}  // namespace

void print_text(const Globals& globals, std::string_view text) {
  if (globals.json) {
    write_stderr(text);
  } else {
    write_stdout(text);
  }
}

void print_json(const Json& document) {
  write_stdout_json(dump_pretty(document));
}

void print_note(const Globals& globals, std::string_view sentence) {
  if (!globals.quiet) write_stderr(fmt::format("{}\n", sentence));
}

Examiner examiner_for(const Globals& globals) {
  return load_examiner(globals.key_file, [&globals] {
    if (globals.passphrase_file.empty()) return ask_passphrase();
    const std::string text =
        read_text_file(globals.passphrase_file, limits::kMaxSmallFile);
    return text.substr(0, text.find('\n'));
  });
}

OpenCase::OpenCase(const Globals& globals, Events events)
    : examiner_(examiner_for(globals)),
      case_file_(find_case(globals.case_name), CaseMode::write, globals.clock),
      progress_(make_progress(globals, events)) {
  session_.emplace(Session{.case_file = case_file_,
                           .examiner = examiner_,
                           .clock = globals.clock,
                           .cancellation = *globals.cancellation,
                           .progress = *progress_});
  const SignerRoll roll = case_file_.signers();
  const SignerCard card = SignerCard::of(examiner_);
  const std::string key = card.key.fingerprint().hex();
  const Signer* signer = roll.find(key);
  if (!roll.asks_for_vouching() ||
      (signer != nullptr && signer->standing != Standing::unvouched)) {
    return;
  }
  print_note(
      globals,
      fmt::format("Nobody vouched for your key in case {}. What you do is "
                  "recorded, and every check of the case fails on it until "
                  "somebody who may introduce signers runs:\n  impound case "
                  "signer vouch {} --case {}",
                  case_file_.id(), key, case_file_.id()));
}

CaseFile open_case_to_read(const Globals& globals) {
  return {find_case(globals.case_name), CaseMode::read_only, globals.clock};
}

ExitCode exit_code_of(bool is_right, bool is_unsigned) {
  if (!is_right) return ExitCode::tampered;
  return is_unsigned ? ExitCode::findings : ExitCode::clean;
}

}  // namespace impound
