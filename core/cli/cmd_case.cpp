// SPDX-License-Identifier: Apache-2.0
/// impound case: the case file.

#include <fmt/format.h>

#include "containment/probe.hpp"
#include "containment/registry.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/case_close.hpp"
#include "core/engine/case_export.hpp"
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
  return format_table(rows);
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
    print_text(globals, format_table(rows));
  }
  return ExitCode::clean;
}

ExitCode show(const Globals& globals) {
  const CaseFile one = open_case_to_read(globals);
  const CaseStatus status =
      status_of(one, all_containments(), globals.clock, *globals.cancellation);
  if (globals.json) {
    Json document = summary_json(one.summary(), one.folder());
    // What the summary has already is said the same way in both.
    const Json measured = status.to_json();
    for (const auto& [key, value] : measured.items()) {
      if (!document.contains(key)) document[key] = value;
    }
    print_json(document);
    return ExitCode::clean;
  }
  print_text(globals, summary_text(one.summary(), one.folder()));
  std::vector<std::vector<std::string>> rows;
  for (const FindingRow& finding : one.findings()) {
    rows.push_back({finding.id, finding.verdict, finding.severity,
                    printable(from_lossless_utf8(finding.title))});
  }
  if (!rows.empty()) print_text(globals, "\n" + format_table(rows));
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
  OpenCase open(globals);
  const CaseExport result = export_case_folder(
      open.session(),
      {.folder = options.folder,
       .with_exhibits = !options.without_exhibits,
       .copies = options.link ? ExhibitCopies::shared : ExhibitCopies::apart,
       .recipient = options.recipient,
       .purpose = options.purpose});
  if (globals.json) {
    print_json(result.to_json());
  } else {
    print_text(globals, result.to_text());
  }
  return ExitCode::clean;
}

}  // namespace

void add_case(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(app, "case", "The case file.");
  group->require_subcommand(1);

  CLI::App* make = add_command(*group, "new", "Open a case.");
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
  make->add_option("--folder", *place, "Place instead of $IMPOUND_HOME/<id>.");
  make->callback([&globals, &run, opening, place] {
    run = [&globals, opening, place] {
      return open_new(globals, *opening, *place);
    };
  });

  add_command(*group, "list", "Print all cases of this user.")
      ->callback([&globals, &run] { run = [&] { return list(globals); }; });
  add_command(*group, "show",
              "Print one case: its findings, what is contained now, "
              "what waits and what is incomplete.")
      ->callback([&globals, &run] { run = [&] { return show(globals); }; });

  CLI::App* add_note =
      add_command(*group, "note", "Write a note into the chain.");
  auto text = std::make_shared<std::string>();
  add_note->add_option("text", *text, "The note.")->required();
  add_note->callback([&globals, &run, text] {
    run = [&globals, text] { return note(globals, *text); };
  });

  add_signer(*group, globals, run);

  CLI::App* inspect = add_command(
      *group, "check",
      "Find what a crash left, and repair it: adopt verified orphans, set "
      "partial bundles aside. Deletes nothing.");
  auto dry_run = std::make_shared<bool>(false);
  inspect->add_flag("--dry-run", *dry_run, "Report only, repair nothing.");
  inspect->callback([&globals, &run, dry_run] {
    run = [&globals, dry_run] { return check(globals, !*dry_run); };
  });

  CLI::App* end = add_command(*group, "close", "Close the case.");
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
      "tools.");
  auto options = std::make_shared<ExportArguments>();
  out->add_option("--out", options->folder, "Folder to make.")->required();
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
