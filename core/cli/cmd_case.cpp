// SPDX-License-Identifier: Apache-2.0
/// impound case: the case file.

#include <fmt/format.h>

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/cli/command.hpp"
#include "core/cli/looking.hpp"
#include "core/cli/table.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/case_close.hpp"
#include "core/engine/case_export.hpp"
#include "core/engine/next_command.hpp"
#include "core/engine/places.hpp"
#include "core/engine/status.hpp"

namespace impound {
namespace {

Json summary_json(const CaseSummary& summary, const fs::path& folder) {
  Json json;
  json["case"] = summary.id;
  json["folder"] = lossless_utf8(folder.native());
  json["title"] = summary.title;
  json["lead"] = summary.lead;
  json["org"] = summary.org;
  json["opened_at"] = summary.opened_at;
  json["closed_at"] =
      summary.closed_at.empty() ? Json(nullptr) : Json(summary.closed_at);
  json["entries"] = summary.entries;
  json["exhibits"] = summary.exhibits;
  json["findings"] = summary.findings;
  json["gaps"] = summary.gaps;
  json["head"] = summary.head;
  return json;
}

std::string summary_text(const CaseSummary& summary, const fs::path& folder) {
  const std::vector<std::vector<std::string>> rows{
      {"case", printable(summary.id)},
      {"title", printable(summary.title)},
      {"lead",
       fmt::format("{}, {}", printable(summary.lead), printable(summary.org))},
      {"state", summary.closed_at.empty() ? "open since " + summary.opened_at
                                          : "closed at " + summary.closed_at},
      {"holds", fmt::format("{} exhibits, {} findings, {} gaps, {} entries",
                            summary.exhibits, summary.findings, summary.gaps,
                            summary.entries)},
      {"head", summary.head},
      {"folder", printable(folder.native())}};
  return fitted_table(rows, TableHead::none);
}

ExitCode open_new(const Globals& globals, const CaseOpening& opening,
                  const fs::path& place) {
  if (!is_case_id(opening.case_id)) {
    throw Error(Errc::bad_input,
                fmt::format("\"{}\" is no case id: expected letters, digits, "
                            "'.', '_', '-', at most 64, the first a letter or "
                            "digit",
                            printable(opening.case_id)));
  }
  const Examiner examiner = examiner_for(globals);
  CaseOpening complete = opening;
  if (complete.lead.empty()) complete.lead = examiner.actor.name;
  if (complete.org.empty()) complete.org = examiner.actor.org;
  const fs::path folder =
      place.empty() ? cases_folder() / opening.case_id : place;
  const CaseFile made =
      CaseFile::create(folder, complete, examiner, globals.clock);
  if (globals.json) {
    print_json(summary_json(made.summary(), folder));
  } else {
    print_text(globals, summary_text(made.summary(), folder));
    print_note(globals,
               fmt::format("Opened by key {}: whoever checks the case compares "
                           "it (--signer), so let it be written down "
                           "elsewhere. Others are let in with impound case "
                           "signer add.",
                           examiner.key.public_key().fingerprint().hex()));
  }
  return ExitCode::clean;
}

ExitCode list(const Globals& globals) {
  Json documents = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"case", "state", "exhibits", "findings", "title"}};
  for (const fs::path& folder : list_case_folders()) {
    try {
      const CaseFile one(folder, CaseMode::read_only, globals.clock);
      const CaseSummary summary = one.summary();
      documents.push_back(summary_json(summary, folder));
      rows.push_back(
          {printable(summary.id), summary.closed_at.empty() ? "open" : "closed",
           std::to_string(summary.exhibits), std::to_string(summary.findings),
           printable(summary.title)});
    } catch (const Error& error) {
      // One damaged case must not hide the others.
      documents.push_back({{"folder", lossless_utf8(folder.native())},
                           {"error", error.what()}});
      rows.push_back({printable(folder.filename().native()), "UNREADABLE", "",
                      "", error.what()});
    }
  }
  if (globals.json) {
    print_json(documents);
  } else if (rows.size() == 1) {
    print_text(globals, fmt::format("No case in {}.\n",
                                    printable(cases_folder().native())));
  } else {
    print_text(globals, fitted_table(rows, TableHead::first_row));
  }
  return ExitCode::clean;
}

/// "IR-1  chosen by 'impound case use' …": which case commands work in, and
/// why in this one.
ExitCode show_choice(const Globals& globals) {
  const CaseChoice choice = choose_case(globals.case_name);
  if (globals.json) {
    print_json({{"case", lossless_utf8(case_argument(choice.folder))},
                {"folder", lossless_utf8(choice.folder.native())},
                {"source", to_string(choice.source)}});
  } else {
    print_text(globals,
               fmt::format("{}: {}\n", printable(case_argument(choice.folder)),
                           in_words(choice.source)));
  }
  return ExitCode::clean;
}

struct UseArguments {
  std::string name;
  bool none = false;
};

ExitCode use(const Globals& globals, const UseArguments& arguments) {
  if (arguments.none && !arguments.name.empty()) {
    throw Error(Errc::bad_input,
                fmt::format("--none and \"{}\" exclude each other",
                            printable(arguments.name)));
  }
  if (arguments.none) {
    const bool was_there = use_no_case();
    if (globals.json) {
      print_json({{"case", nullptr}, {"forgotten", was_there}});
    } else {
      print_text(globals, was_there ? "No case is chosen any more.\n"
                                    : "No case was chosen.\n");
    }
    return ExitCode::clean;
  }
  if (arguments.name.empty()) return show_choice(globals);
  const fs::path folder = use_case(arguments.name);
  // What is asked before the choice still is.
  const CaseChoice meant = choose_case(globals.case_name);
  if (meant.folder != folder) {
    print_note(globals, fmt::format("Here commands still work in {}, {}.",
                                    printable(case_argument(meant.folder)),
                                    in_words(meant.source)));
  }
  if (globals.json) {
    print_json({{"case", lossless_utf8(case_argument(folder))},
                {"folder", lossless_utf8(folder.native())},
                {"source", to_string(CaseSource::chosen)}});
  } else {
    print_text(globals,
               fmt::format("Commands that name no case work in {} from now "
                           "on.\n",
                           printable(case_argument(folder))));
  }
  return ExitCode::clean;
}

ExitCode show(const Globals& globals) {
  const CaseChoice choice = choose_case(globals.case_name);
  const CaseFile one(choice.folder, CaseMode::read_only, globals.clock);
  const CaseStatus status =
      status_of(one, all_containments(), globals.clock, *globals.cancellation);
  if (globals.json) {
    Json document = summary_json(one.summary(), one.folder());
    document["case_source"] = to_string(choice.source);
    // What the summary has already is said the same way in both.
    const Json measured = status.to_json();
    for (const auto& [key, value] : measured.items()) {
      if (!document.contains(key)) document[key] = value;
    }
    print_json(document);
    return ExitCode::clean;
  }
  print_text(globals, summary_text(one.summary(), one.folder()));
  if (choice.source != CaseSource::named) {
    print_note(globals, fmt::format("This case, because it is {}.",
                                    in_words(choice.source)));
  }
  std::vector<std::vector<std::string>> rows;
  for (const FindingRow& finding : one.findings()) {
    rows.push_back({finding.id, finding.verdict, finding.severity,
                    printable(from_lossless_utf8(finding.title))});
  }
  if (!rows.empty()) {
    print_text(globals, "\n" + fitted_table(rows, TableHead::none));
  }
  const std::string open = status.to_text();
  print_text(globals, open.empty() ? "" : "\n" + open);
  print_text(globals, "\n" + status.closing_text());
  return ExitCode::clean;
}

ExitCode note(const Globals& globals, const std::string& text) {
  OpenCase open(globals);
  EntryDraft draft = open.session().draft("note");
  draft.detail["text"] = lossless_utf8(text);
  const auto entries = open.file().append({draft}, open.session().examiner);
  if (globals.json) {
    print_json({{"seq", entries.front().seq}});
  } else {
    print_text(globals,
               fmt::format("noted as entry {}\n", entries.front().seq));
  }
  return ExitCode::clean;
}

struct CloseArguments {
  std::string reason;
  std::string still_contained;
};

ExitCode close(const Globals& globals, const CloseArguments& arguments) {
  OpenCase open(globals);
  const CloseResult result =
      close_case(open.session(), {.reason = arguments.reason,
                                  .still_contained = arguments.still_contained,
                                  .methods = all_containments()});
  if (globals.json) {
    print_json(result.to_json());
  } else {
    print_text(globals, result.to_text());
    print_text(globals, "\n" + status_of(open.file(), all_containments(),
                                         globals.clock, *globals.cancellation)
                                   .closing_text());
  }
  return ExitCode::clean;
}

ExitCode check(const Globals& globals, bool repair) {
  OpenCase open(globals);
  const CaseCheck result =
      check_case(open.session(), {.repair = repair ? Repair::yes : Repair::no,
                                  .methods = all_containments(),
                                  .probe = run_probe});
  if (globals.json) {
    print_json(result.to_json());
  } else {
    print_text(globals, result.to_text());
  }
  if (!result.custody.ok()) return ExitCode::tampered;
  return result.open_problems() == 0 ? ExitCode::clean : ExitCode::findings;
}

struct ExportArguments {
  fs::path folder;
  bool without_exhibits = false;
  bool link = false;
  std::string recipient;
  std::string purpose = "export for review";
};

ExitCode export_out(const Globals& globals, const ExportArguments& options) {
  Looking looking(globals, Looking::AfterClose::allowed);
  if (is_export(looking.file().folder())) {
    throw Error(Errc::bad_input,
                fmt::format("{} is an export: hand on the folder as it is, or "
                            "export the case itself",
                            printable(looking.file().folder().native())));
  }
  const CaseExportRequest request{
      .folder = options.folder,
      .with_exhibits = !options.without_exhibits,
      .copies = options.link ? ExhibitCopies::shared : ExhibitCopies::apart,
      .recipient = options.recipient,
      .purpose = options.purpose};
  CaseExport result;
  const LookRecord recording = looking.record_first(
      [&](Session& session) { result = export_case_folder(session, request); });
  if (recording.is_missing()) {
    result = export_unrecorded(looking.file(), request, recording.why,
                               globals.clock);
  }
  if (globals.json) {
    Json document = result.to_json();
    recording.add_to(document);
    print_json(document);
  } else {
    print_text(globals, result.to_text());
    print_text(globals, recording.in_words());
  }
  return ExitCode::clean;
}

}  // namespace

void add_case(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group =
      add_command(app, Group::record, "case", "The case file.",
                  "impound case new IR-2026-001 --title \"weights changed\"");
  group->require_subcommand(1);

  CLI::App* make =
      add_command(*group, "new", "Open a case.",
                  "impound case new IR-2026-001 --title \"weights changed\"");
  auto opening = std::make_shared<CaseOpening>();
  auto place = std::make_shared<fs::path>();
  make->add_option("id", opening->case_id, "Case id, such as IR-2026-001.")
      ->required();
  make->add_option("--title", opening->title, "What happened, in one line.")
      ->required();
  make->add_option("--lead", opening->lead,
                   "Person in charge; the examiner if not given.");
  make->add_option("--hold", opening->hold_reference,
                   "Legal hold, ticket or order this rests on.");
  make->add_option("--approvals", opening->approvals,
                   "Other examiners who must approve before a playbook may "
                   "contain: people that were vouched for with the right "
                   "approve (case signer).");
  takes(ValueKind::folder,
        make->add_option("--folder", *place,
                         "Place instead of $IMPOUND_HOME/<id>."));
  make->callback([&globals, &run, opening, place] {
    run = [&globals, opening, place] {
      return open_new(globals, *opening, *place);
    };
  });

  add_command(*group, "list", "Print all cases of this user.",
              "impound case list")
      ->callback([&globals, &run] { run = [&] { return list(globals); }; });
  add_command(*group, "show",
              "Print one case: its findings, what is contained now, "
              "what waits and what is incomplete.",
              "impound case show --case IR-2026-001")
      ->callback([&globals, &run] { run = [&] { return show(globals); }; });

  CLI::App* choose = add_command(
      *group, "use",
      "Choose the case that commands work in where none is named; without a "
      "case, tell which one that is, and why.",
      "impound case use IR-2026-001");
  choose->footer(
      "Which case a command works in: --case, else $IMPOUND_CASE, else what "
      "was chosen here, else the only case there is.");
  auto wanted = std::make_shared<UseArguments>();
  takes(ValueKind::case_name,
        choose->add_option("case", wanted->name, "Its id, or a folder."));
  choose->add_flag("--none", wanted->none, "Choose none any more.");
  choose->callback([&globals, &run, wanted] {
    run = [&globals, wanted] { return use(globals, *wanted); };
  });

  CLI::App* add_note =
      add_command(*group, "note", "Write a note into the chain.",
                  "impound case note \"Bob was told by phone\"");
  auto text = std::make_shared<std::string>();
  add_note->add_option("text", *text, "The note.")->required();
  add_note->callback([&globals, &run, text] {
    run = [&globals, text] { return note(globals, *text); };
  });

  add_signer(*group, globals, run);

  CLI::App* inspect = add_command(
      *group, "check",
      "Find what a crash left, and repair it: adopt verified orphans, set "
      "partial bundles aside. Deletes nothing.",
      "impound case check --dry-run");
  auto dry_run = std::make_shared<bool>(false);
  inspect->add_flag("--dry-run", *dry_run, "Report only, repair nothing.");
  inspect->callback([&globals, &run, dry_run] {
    run = [&globals, dry_run] { return check(globals, !*dry_run); };
  });

  CLI::App* end = add_command(
      *group, "close", "Close the case.",
      "impound case close --reason \"restored, watched for a week\"");
  auto closing = std::make_shared<CloseArguments>();
  end->add_option("--reason", closing->reason, "Why it is closed.");
  end->add_option("--still-contained", closing->still_contained,
                  "Why it is closed although something is contained, or not "
                  "measured to be over; refused without.");
  end->callback([&globals, &run, closing] {
    run = [&globals, closing] { return close(globals, *closing); };
  });

  CLI::App* out = add_command(
      *group, "export",
      "Write the case into an empty folder with a check that needs only stock "
      "tools. Without a key, or where the case cannot be written to, it is "
      "made unsigned and says so.",
      "impound case export --out /media/usb/IR-2026-001 --recipient "
      "\"Counsel\"");
  auto options = std::make_shared<ExportArguments>();
  takes(ValueKind::folder,
        out->add_option("--out", options->folder, "Folder to make."))
      ->required();
  out->add_flag("--without-exhibits", options->without_exhibits,
                "Leave the bundles out; VERIFY.sh says so.");
  out->add_flag("--link", options->link,
                "Give the sealed files second names instead of copying them: "
                "saves space, and whoever writes to the export or changes a "
                "mode in it does so to the evidence.");
  out->add_option("--recipient", options->recipient, "Who receives it.");
  out->add_option("--purpose", options->purpose, "Why it is handed out.");
  out->callback([&globals, &run, options] {
    run = [&globals, options] { return export_out(globals, *options); };
  });
}

}  // namespace impound
