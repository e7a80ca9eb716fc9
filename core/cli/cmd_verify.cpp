// SPDX-License-Identifier: Apache-2.0
/// impound verify: a whole folder, whoever's it is.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/cli/command.hpp"
#include "core/engine/verify_folder.hpp"

namespace impound {
namespace {

struct Arguments {
  fs::path folder;
  fs::path note;
  std::string signer;
  std::string head;
  std::string witness;
  unsigned threads = 0;
};

std::string problem_text(std::string_view where, std::string_view expected,
                         std::string_view found) {
  return fmt::format("  {}\n    expected {}\n    found    {}\n",
                     printable(where), printable(expected), printable(found));
}

std::string problems_of(const FolderReport& report) {
  std::string text;
  for (const CustodyProblem& problem : report.custody.problems) {
    text += problem_text(
        problem.seq == 0
            ? problem.what
            : fmt::format("entry {}: {}", problem.seq, problem.what),
        problem.expected, problem.found);
  }
  for (const VerifyReport& exhibit : report.exhibits) {
    for (const VerifyProblem& problem : exhibit.problems) {
      text += problem_text(fmt::format("{}: {} of {}", exhibit.exhibit,
                                       problem.what, problem.where),
                           problem.expected, problem.found);
    }
  }
  for (const VerifyProblem& problem : report.files) {
    text += problem_text(problem.where, problem.expected, problem.found);
  }
  return text;
}

std::size_t whole_exhibits(const FolderReport& report) {
  return static_cast<std::size_t>(
      std::ranges::count_if(report.exhibits, &VerifyReport::ok));
}

std::string to_text(const FolderReport& report) {
  std::string text =
      fmt::format("{} {}\n", report.is_export ? "export" : "case",
                  printable(report.folder.native()));
  for (const Signer& signer : report.custody.signers.all()) {
    text += fmt::format("signed {} entries: {} \"{}\"\n", signer.entries,
                        signer.fingerprint, printable(signer.name));
  }
  text += fmt::format("{} entries, head {}\n", report.custody.entries,
                      report.custody.head);
  for (const std::string& exhibit : report.left_out) {
    text += fmt::format(
        "{}: NOT CHECKED: this export was made without its exhibits\n",
        exhibit);
  }
  for (const OutsideFile& file : report.outside) {
    text += fmt::format("outside the record, not checked: {} ({})\n",
                        printable(file.name), file.why);
  }
  for (const std::string& sentence : report.custody.vouching) {
    text += printable(sentence) + "\n";
  }
  if (!report.is_right()) {
    return text + "NOT AS THE RECORD SAYS:\n" + problems_of(report);
  }
  if (report.custody.is_unsigned()) {
    text += fmt::format("{}\n", kUnsignedSentence);
  }
  text += fmt::format(
      "as the record says: every line, link and signature, {} exhibit{}, and "
      "every other file of the record",
      whole_exhibits(report), whole_exhibits(report) == 1 ? "" : "s");
  if (!report.outside.empty()) {
    text +=
        fmt::format("; {} file{} here {} not part of it", report.outside.size(),
                    report.outside.size() == 1 ? "" : "s",
                    report.outside.size() == 1 ? "is" : "are");
  }
  return text + "\n";
}

/// What a result that is right leaves open.
void print_open_questions(const Globals& globals, const FolderReport& report,
                          bool has_note) {
  if (!report.custody.is_signer_compared) {
    print_note(globals,
               "No --signer was given: whose the key is that opened the case "
               "was not compared.");
  }
  if (!report.custody.is_head_compared && !has_note) {
    print_note(globals,
               "Without a head that left this machine (--head, --checkpoint) "
               "this does not tell whether entries were cut off, and proves "
               "nothing against whoever holds the keys.");
  }
}

ExitCode verify(const Globals& globals, const Arguments& arguments) {
  WrittenDown known{.note = {},
                    .signer = arguments.signer,
                    .head = arguments.head,
                    .witness = arguments.witness};
  if (!arguments.note.empty()) {
    known.note = read_text_file(arguments.note, limits::kMaxSmallFile);
  }
  const auto progress = make_progress(globals, Events::no);
  const FolderReport report =
      verify_folder(arguments.folder, known, arguments.threads, globals.clock,
                    *globals.cancellation, *progress);
  if (globals.json) {
    print_json(report.to_json());
  } else {
    print_text(globals, to_text(report));
    if (report.is_right()) {
      print_open_questions(globals, report, !known.note.empty());
    }
  }
  return exit_code_of(report.is_right(), report.custody.is_unsigned());
}

}  // namespace

void add_verify(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* check = add_command(
      app, Group::record, "verify",
      "Check a whole export or case folder, also somebody else's: custody, "
      "every exhibit, every other file. Needs no key, writes nothing.",
      "impound verify /media/usb/IR-2026-001 --signer 5e91…");
  auto arguments = std::make_shared<Arguments>();
  takes(ValueKind::folder, check->add_option("folder", arguments->folder,
                                             "An export, or a case folder."))
      ->required();
  takes(ValueKind::file,
        check->add_option("--checkpoint", arguments->note,
                          "A signed head that left this machine: the chain "
                          "must contain it."));
  takes(ValueKind::fingerprint,
        check->add_option("--signer", arguments->signer,
                          "Fingerprint of the key that opened the case, as "
                          "its lead wrote it down."));
  check->add_option("--head", arguments->head,
                    "A head (SHA-256) that somebody wrote down: an entry must "
                    "have it.");
  check->add_option("--witness", arguments->witness,
                    "Fingerprint of a witness you know: an export must be "
                    "cosigned by that key.");
  check->add_option("--threads", arguments->threads, "Cores to use; 0 = all.");
  check->callback([&globals, &run, arguments] {
    run = [&globals, arguments] { return verify(globals, *arguments); };
  });
}

}  // namespace impound
