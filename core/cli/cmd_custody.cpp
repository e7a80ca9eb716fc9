// SPDX-License-Identifier: Apache-2.0
/// impound custody: the chain.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/screen_text.hpp"
#include "core/base/text.hpp"
#include "core/casefile/entry_walk.hpp"
#include "core/casefile/export_list.hpp"
#include "core/cli/command.hpp"
#include "core/cli/standard_output.hpp"
#include "core/cli/table.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

/// What a person wants to know of an entry beside its action.
std::string gist(const Json& line) {
  const Json& detail = line.at("detail");
  const Json& slice_of = line.at("object");
  if (slice_of.is_object() && slice_of.contains("slice")) {
    const std::string reason = printable(text_or(detail, "reason", ""));
    return "slice of " + printable(text_or(slice_of, "path", "")) +
           (reason.empty() ? "" : ": " + reason);
  }
  for (const char* key : {"title", "text", "reason", "name", "state", "what"}) {
    const auto found = detail.find(key);
    if (found != detail.end() && found->is_string() &&
        !found->get_ref<const std::string&>().empty()) {
      return printable(found->get<std::string>());
    }
  }
  const Json& object = line.at("object");
  return object.is_object() ? printable(text_or(object, "path", "")) : "";
}

using Row = std::vector<std::string>;

/// Columns that the gist of an entry wants at least.
constexpr std::size_t kLeastGist = 24;

Row row_of(const Entry& entry) {
  const Json& line = entry.json;
  return {std::to_string(entry.seq),
          text_or(line, "ts", "?").substr(0, 19),
          printable(text_or(line.at("actor"), "name", "?")),
          text_or(line, "action", "?"),
          text_or(line, "item", ""),
          text_or(line, "outcome", ""),
          gist(line)};
}

/// Columns of the longest row, the last column left out.
std::size_t widest_line(const Row& widest) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i + 1 < widest.size(); ++i) {
    columns += screen_line(widest[i]).size() + 2;
  }
  return columns + kLeastGist;
}

/// Rows of a table that are held at once; a chain may have millions.
constexpr std::size_t kRowsAtOnce = 1000;

/// The chain as one table, in the memory of kRowsAtOnce rows: the first pass
/// finds how wide the columns are.
void print_log(const Globals& globals, const CaseFile& one, std::int64_t from) {
  std::vector<Row> page{
      {"seq", "time (UTC)", "who", "action", "item", "outcome", "what"}};
  Row widest = page.front();
  each_entry(one.folder(), from, [&](const Entry& entry) {
    const Row row = row_of(entry);
    // The last column has nothing to its right.
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      if (screen_line(row[i]).size() > screen_line(widest[i]).size()) {
        widest[i] = row[i];
      }
    }
  });
  const auto width = table_width();
  const bool is_wrapped = width && widest_line(widest) > *width;
  const auto flush = [&] {
    if (is_wrapped) {
      print_text(globals, table_of_width(page, TableHead::none, *width));
    } else {
      page.insert(page.begin(), widest);
      const std::string table = format_table(page);
      print_text(globals, std::string_view(table).substr(table.find('\n') + 1));
    }
    page.clear();
  };
  each_entry(one.folder(), from, [&](const Entry& entry) {
    page.push_back(row_of(entry));
    if (page.size() >= kRowsAtOnce) flush();
  });
  if (!page.empty()) flush();
}

/// As print_json() prints an array of all entries.
void print_log_json(const CaseFile& one, std::int64_t from) {
  bool is_first = true;
  each_entry(one.folder(), from, [&](const Entry& entry) {
    std::string text = dump_pretty(entry.json);
    text.pop_back();
    std::string indented = is_first ? "[\n  " : ",\n  ";
    for (const char c : text) {
      indented += c;
      if (c == '\n') indented += "  ";
    }
    write_stdout_json(indented);
    is_first = false;
  });
  write_stdout_json(is_first ? "[]\n" : "\n]\n");
}

ExitCode log(const Globals& globals, std::int64_t from) {
  const CaseFile one = open_case_to_read(globals);
  if (globals.json) {
    print_log_json(one, from);
    return ExitCode::clean;
  }
  print_log(globals, one, from);
  print_text(globals, fmt::format("head {}\n", one.head()));
  return ExitCode::clean;
}

/// What stands behind a verdict that was "right": files nobody looked at.
std::string beside_text(const CustodyReport& report) {
  if (report.foreign.empty()) return "";
  return fmt::format("; {} file{} here {} not part of the record",
                     report.foreign.size(),
                     report.foreign.size() == 1 ? "" : "s",
                     report.foreign.size() == 1 ? "is" : "are");
}

/// Who signed, in front of all else: everything below rests on it.
void print_signers(const Globals& globals, const CustodyReport& report) {
  std::string text = "Who signed (as the record says it):\n";
  for (const Signer& signer : report.signers.all()) {
    text +=
        fmt::format("  {}\n    \"{}\", {} entries: {}\n", signer.fingerprint,
                    printable(signer.name), signer.entries,
                    introduction_text(report.signers, signer));
  }
  if (!report.signers.asks_for_vouching()) {
    text +=
        "  The first entry asks nobody to vouch for a key: each introduced "
        "itself.\n";
  }
  print_text(globals, text);
}

struct VerifyArguments {
  fs::path note;
  std::string signer;
  std::string head;
  std::string witness;
};

ExitCode verify(const Globals& globals, const VerifyArguments& arguments) {
  const fs::path& note_file = arguments.note;
  const fs::path folder = find_case(globals.case_name);
  const std::string note =
      note_file.empty() ? std::string()
                        : read_text_file(note_file, limits::kMaxSmallFile);
  const CustodyReport report =
      verify_custody(folder, WrittenDown{.note = note,
                                         .signer = arguments.signer,
                                         .head = arguments.head,
                                         .witness = arguments.witness});
  if (!globals.json) print_signers(globals, report);
  if (globals.json) {
    print_json(report.to_json());
  } else if (report.problems.empty()) {
    print_text(globals,
               fmt::format("{} entries: every line, link and signature is "
                           "right{}\nhead {}\n",
                           report.entries, beside_text(report), report.head));
    if (report.is_unsigned()) {
      print_text(globals, fmt::format("{}\n", kUnsignedSentence));
    }
    if (report.is_signer_compared) {
      print_text(globals, "The key that was written down opened the case.\n");
    } else {
      print_note(globals,
                 "No --signer was given: whose the key is that opened the case "
                 "was not compared; somebody else could have opened one of "
                 "this name.");
    }
    if (report.is_head_compared) {
      print_text(globals,
                 fmt::format("The head that was written down is that of entry "
                             "{}; {} entries follow it.\n",
                             report.compared_head_seq,
                             report.entries - report.compared_head_seq));
    } else if (note.empty()) {
      print_note(globals,
                 "Without a head that left this machine (--head, "
                 "--checkpoint) this does not tell whether entries were cut "
                 "off, and proves nothing against whoever holds the key.");
    }
  } else {
    std::string text = "The custody chain is BROKEN.\n";
    for (const CustodyProblem& problem : report.problems) {
      text += fmt::format(
          "  entry {}: {}\n    expected {}\n    found    {}\n", problem.seq,
          problem.what, printable(problem.expected), printable(problem.found));
    }
    print_text(globals, text);
  }
  if (!globals.json) {
    for (const std::string& sentence : report.vouching) {
      print_text(globals, printable(sentence) + "\n");
    }
    for (const std::string& name : report.foreign) {
      print_text(globals, fmt::format("not part of the record, not checked: "
                                      "{}\n",
                                      printable(name)));
    }
    for (const CustodyProblem& warning : report.warnings) {
      print_note(globals,
                 fmt::format("entry {}: {}: {}, and {}; to be explained, no "
                             "defect of the chain",
                             warning.seq, warning.what, warning.expected,
                             warning.found));
    }
  }
  return exit_code_of(report.problems.empty(), report.is_unsigned());
}

ExitCode gaps(const Globals& globals) {
  const CaseFile one = open_case_to_read(globals);
  const auto rows = one.gaps();
  if (globals.json) {
    print_json(Json(rows));
    return rows.empty() ? ExitCode::clean : ExitCode::findings;
  }
  if (rows.empty()) {
    print_text(globals, "No gap: all that was asked for was obtained.\n");
    return ExitCode::clean;
  }
  std::vector<std::vector<std::string>> table{
      {"seq", "item or run", "kind", "outcome", "what was asked for", "why"}};
  for (const Json& row : rows) {
    std::string whose = text_or(row, "item", "");
    if (whose.empty()) whose = text_or(row, "run", "");
    table.push_back({row.contains("seq") ? row.at("seq").dump() : "", whose,
                     text_or(row, "kind", ""), text_or(row, "outcome", ""),
                     printable(text_or(row, "subject", "")),
                     printable(text_or(row, "reason", ""))});
  }
  print_text(globals, fitted_table(table, TableHead::first_row));
  return ExitCode::findings;
}

/// One entry can be shown without the others: privilege, data protection.
ExitCode prove(const Globals& globals, std::int64_t seq) {
  const CaseFile one = open_case_to_read(globals);
  const std::string proof = one.inclusion_proof(seq);
  const std::string line = one.entries(seq).front().line;
  if (globals.json) {
    print_json({{"seq", seq}, {"line", line}, {"proof", proof}});
  } else {
    print_text(globals, proof);
    print_note(globals, "The entry itself: " + printable(line));
  }
  return ExitCode::clean;
}

ExitCode head(const Globals& globals) {
  OpenCase open(globals);
  const std::string note = open.file().sign_head(open.session().examiner);
  if (globals.json) {
    print_json({{"head", open.file().head()}, {"checkpoint", note}});
  } else {
    print_text(globals, note);
  }
  return ExitCode::clean;
}

}  // namespace

void add_custody(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group =
      add_command(app, Group::record, "custody", "The custody chain.",
                  "impound custody verify --case IR-2026-001");
  group->require_subcommand(1);
  CLI::App* print = add_command(*group, "log", "Print the chain.",
                                "impound custody log --from 40");
  auto from = std::make_shared<std::int64_t>(1);
  takes(ValueKind::entry,
        print->add_option("--from", *from, "First entry to print."));
  print->callback([&globals, &run, from] {
    run = [&globals, from] { return log(globals, *from); };
  });
  CLI::App* check = add_command(
      *group, "verify", "Check every line, link, signature and signed head.",
      "impound custody verify --head 9f2c…");
  auto known = std::make_shared<VerifyArguments>();
  takes(
      ValueKind::file,
      check->add_option("--checkpoint", known->note,
                        "A signed head that left this machine: the chain must "
                        "contain it."));
  takes(ValueKind::fingerprint,
        check->add_option(
            "--signer", known->signer,
            "Fingerprint of the key that opened the case, as its lead "
            "wrote it down."));
  check->add_option("--head", known->head,
                    "A head (SHA-256) that somebody wrote down: an entry must "
                    "have it.");
  check->add_option("--witness", known->witness,
                    "Fingerprint of a witness you know: an export must be "
                    "cosigned by that key.");
  check->callback([&globals, &run, known] {
    run = [&globals, known] { return verify(globals, *known); };
  });
  add_command(*group, "gaps", "Print what was asked for and not obtained.",
              "impound custody gaps")
      ->callback([&globals, &run] { run = [&] { return gaps(globals); }; });
  CLI::App* one = add_command(
      *group, "prove",
      "Print a proof (C2SP tlog-proof) that one entry belongs to a signed "
      "head, to be shown without the rest.",
      "impound custody prove 17");
  auto seq = std::make_shared<std::int64_t>(0);
  takes(ValueKind::entry, one->add_option("seq", *seq, "Number of the entry."))
      ->required();
  one->callback([&globals, &run, seq] {
    run = [&globals, seq] { return prove(globals, *seq); };
  });
  add_command(*group, "head",
              "Sign the present head and print the checkpoint note, to be sent "
              "off this machine.",
              "impound custody head")
      ->callback([&globals, &run] { run = [&] { return head(globals); }; });
}

}  // namespace impound
