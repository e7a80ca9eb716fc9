// SPDX-License-Identifier: Apache-2.0
/// impound exhibit: what was taken.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/cli/command.hpp"
#include "core/cli/looking.hpp"
#include "core/cli/standard_output.hpp"
#include "core/cli/table.hpp"
#include "core/engine/exhibits.hpp"
#include "core/engine/places.hpp"
#include "core/evidence/redaction.hpp"

namespace impound {
namespace {

Json row_json(const ExhibitRow& row) {
  Json json;
  json["exhibit"] = row.id;
  json["state"] = row.state;
  json["title"] = row.title;
  json["begun_at"] = row.begun_at;
  json["sealed_at"] = row.sealed_at;
  json["bundle"] = row.bundle;
  json["size"] = row.size;
  json["sha256"] = row.sha256;
  json["manifest_sha256"] = row.manifest_sha256;
  json["items"] = row.items;
  json["gaps"] = row.gaps;
  json["payload_bytes"] = row.payload_bytes;
  json["outcome"] = row.outcome;
  json["run"] = row.run;
  json["step"] = row.step;
  return json;
}

ExitCode list(const Globals& globals) {
  const CaseFile one = open_case_to_read(globals);
  Json documents = Json::array();
  std::vector<std::vector<std::string>> rows{{"exhibit", "state", "outcome",
                                              "items", "gaps", "content",
                                              "stored", "what"}};
  for (const ExhibitRow& row : one.exhibits()) {
    documents.push_back(row_json(row));
    rows.push_back({row.id, row.state, row.outcome, std::to_string(row.items),
                    std::to_string(row.gaps), human_bytes(row.payload_bytes),
                    human_bytes(row.size), printable(row.title)});
  }
  if (globals.json) {
    print_json(documents);
  } else {
    print_text(globals, rows.size() == 1
                            ? std::string("No exhibit yet.\n")
                            : fitted_table(rows, TableHead::first_row));
  }
  return ExitCode::clean;
}

/// What the digest of a slice is of, and what it is not of; "" for whole files.
std::string slice_text(const Item& item) {
  if (item.ranges.empty()) return "";
  const auto& notes = item.notes;
  std::string text = fmt::format(
      "slice of {}: {} bytes in {} part{}", printable(item.source),
      item.size_stored, item.ranges.size(), item.ranges.size() == 1 ? "" : "s");
  const auto size = notes.find("source_size");
  const std::string sha256 = text_or(notes, "source_sha256", "");
  if (size == notes.end() || sha256.empty()) {
    return text + "; the whole file was not hashed";
  }
  return text + fmt::format(
                    "; the whole file, {} bytes when it was read, has "
                    "SHA-256 {}",
                    size->dump(), printable(sha256));
}

/// What must be read beside the table: items that are not what they seem.
std::string remarks_text(const std::string& exhibit,
                         const std::vector<Item>& items) {
  std::string text;
  for (const Item& item : items) {
    const auto redaction = item.notes.find("redaction");
    for (const std::string& words :
         {slice_text(item), printable(item.reason),
          redaction == item.notes.end() ? std::string()
                                        : redaction_sentence(*redaction)}) {
      if (words.empty()) continue;
      text += fmt::format("  {}/{} {}\n", exhibit, item.number, words);
    }
  }
  return text.empty()
             ? text
             : "\nRemarks: parts of files, and what is not as asked\n" + text;
}

ExitCode show(const Globals& globals, const std::string& exhibit) {
  const CaseFile one = open_case_to_read(globals);
  const auto opened = open_exhibit(one, exhibit);
  const BundleReader& reader = *opened;
  const auto row = one.exhibit(exhibit);
  if (globals.json) {
    Json document = row ? row_json(*row) : Json::object();
    Json items = Json::array();
    for (const Item& item : reader.items()) items.push_back(item.to_json());
    Json gaps = Json::array();
    for (const Gap& gap : reader.gaps()) gaps.push_back(gap.to_json());
    document["item_list"] = std::move(items);
    document["gap_list"] = std::move(gaps);
    print_json(document);
    return ExitCode::clean;
  }
  std::vector<std::vector<std::string>> rows{
      {"item", "outcome", "size", "sha256", "name"}};
  for (const Item& item : reader.items()) {
    rows.push_back(
        {fmt::format("{}/{}", exhibit, item.number),
         std::string(to_string(item.outcome)), std::to_string(item.size_stored),
         item.kind == FileKind::regular ? item.sha256.hex().substr(0, 16) + "…"
                                        : std::string(to_string(item.kind)),
         printable(item.name)});
  }
  std::string text = fitted_table(rows, TableHead::first_row) +
                     remarks_text(exhibit, reader.items());
  if (!reader.gaps().empty()) {
    text += "\nGaps: asked for and not obtained\n";
    std::vector<std::vector<std::string>> gaps;
    for (const Gap& gap : reader.gaps()) {
      gaps.push_back({"  " + std::string(to_string(gap.outcome)),
                      printable(gap.subject), printable(gap.reason)});
    }
    text += fitted_table(gaps, TableHead::none);
  }
  print_text(globals, text);
  return ExitCode::clean;
}

std::string verify_text(const VerifyReport& report) {
  if (report.ok()) {
    return fmt::format(
        "{}: whole: {} items, {}, every digest and the seal "
        "match\n",
        report.exhibit, report.whole.size(), human_bytes(report.content_bytes));
  }
  std::string text =
      fmt::format("{}: DAMAGED: {} items are whole, {} are not\n",
                  report.exhibit, report.whole.size(), report.damaged.size());
  for (const VerifyProblem& problem : report.problems) {
    text += fmt::format("  {} of {}\n    expected {}\n    found    {}\n",
                        problem.what, printable(problem.where),
                        printable(problem.expected), printable(problem.found));
  }
  for (const std::uint64_t number : report.damaged) {
    text += fmt::format("  damaged: {}/{}\n", report.exhibit, number);
  }
  return text;
}

/// An export is signed as it is: its exhibits are checked, nothing is recorded.
ExitCode verify_export(const Globals& globals,
                       const std::vector<std::string>& exhibits,
                       unsigned threads) {
  const CaseFile one = open_case_to_read(globals);
  const auto progress = make_progress(globals, Events::no);
  const ExportedExhibits result =
      verify_exported(one, exhibits, threads, *globals.cancellation, *progress);
  Json documents = Json::array();
  for (const VerifyReport& report : result.reports) {
    documents.push_back(report.to_json());
    if (!globals.json) print_text(globals, verify_text(report));
  }
  if (globals.json) {
    print_json(documents.size() == 1 ? documents.front() : documents);
  } else {
    for (const std::string& exhibit : result.left_out) {
      print_text(globals,
                 fmt::format("{}: NOT CHECKED: this export was made without "
                             "its exhibits\n",
                             exhibit));
    }
    print_note(globals, "This is an export: the check is not recorded in it.");
  }
  return result.ok() ? ExitCode::clean : ExitCode::tampered;
}

ExitCode verify(const Globals& globals, std::vector<std::string> exhibits,
                unsigned threads) {
  if (is_export(find_case(globals.case_name))) {
    return verify_export(globals, exhibits, threads);
  }
  Looking looking(globals, Looking::AfterClose::allowed);
  if (exhibits.empty()) {
    for (const ExhibitRow& row : looking.file().exhibits()) {
      if (row.state == "sealed") exhibits.push_back(row.id);
    }
  }
  bool is_whole = true;
  bool has_failed = false;
  std::string not_recorded;
  Json documents = Json::array();
  for (const std::string& exhibit : exhibits) {
    const VerifyReport report =
        measure_exhibit(looking.file(), exhibit, threads, *globals.cancellation,
                        looking.progress());
    const LookRecord recording = looking.record(
        [&](Session& session) { record_verification(session, report); });
    is_whole = is_whole && report.ok();
    has_failed = has_failed || recording.has_failed();
    if (recording.is_missing()) not_recorded = recording.in_words();
    documents.push_back(report.to_json());
    recording.add_to(documents.back());
    if (!globals.json) print_text(globals, verify_text(report));
  }
  if (globals.json) {
    print_json(documents.size() == 1 ? documents.front() : documents);
  } else {
    print_text(globals, not_recorded);
  }
  if (!is_whole) return ExitCode::tampered;
  return has_failed ? ExitCode::failed : ExitCode::clean;
}

struct ExtractOptions {
  std::string exhibit;
  std::vector<std::string> items;
  fs::path folder;
  std::string purpose = "analysis";
};

ExitCode extract(const Globals& globals, const ExtractOptions& options) {
  Looking looking(globals, Looking::AfterClose::allowed);
  const WorkingCopy copy =
      extract_exhibit(looking.file(), options.exhibit, options.items,
                      options.folder, looking.progress());
  const LookRecord recording = looking.record(
      [&](Session& session) { record_copy(session, copy, options.purpose); });
  if (globals.json) {
    Json document;
    document["exhibit"] = options.exhibit;
    document["folder"] = lossless_utf8(options.folder.native());
    document["ok"] = copy.problems.empty();
    Json list = Json::array();
    for (const std::string& problem : copy.problems) {
      list.push_back(lossless_utf8(problem));
    }
    document["problems"] = std::move(list);
    recording.add_to(document);
    print_json(document);
  } else {
    for (const std::string& problem : copy.problems) {
      print_text(globals, "  " + printable(problem) + "\n");
    }
    print_text(globals, fmt::format("working copy in {}\n",
                                    printable(options.folder.native())) +
                            recording.in_words());
  }
  if (!copy.problems.empty()) return ExitCode::tampered;
  return recording.has_failed() ? ExitCode::failed : ExitCode::clean;
}

/// Writes one item to stdout, digest checked over what was written.
ExitCode cat(const Globals& globals, const std::string& text,
             const std::string& purpose) {
  const auto reference = parse_exhibit_reference(text);
  if (!reference || reference->item == 0) {
    throw Error(
        Errc::bad_input,
        fmt::format("\"{}\" is no item; expected E001/17", printable(text)));
  }
  Looking looking(globals, Looking::AfterClose::allowed);
  const auto opened = open_exhibit(looking.file(), reference->exhibit);
  const BundleReader& reader = *opened;
  const Item* item = reader.find(reference->item);
  if (item == nullptr) {
    throw Error(Errc::bad_input,
                fmt::format("{} has no item {}; it has {}", reference->exhibit,
                            reference->item, reader.items().size()));
  }
  const LookRecord recording = looking.record_first(
      [&](Session& session) { record_access(session, text, purpose); });
  if (recording.is_missing()) {
    print_note(globals, "NOT RECORDED in case " + printable(recording.case_id) +
                            ": " + printable(recording.why));
  }
  const auto source = reader.open(*item);
  Sha256 hash;
  Bytes block(static_cast<std::size_t>(4 * limits::kMiB));
  for (std::uint64_t at = 0; at < source->size();) {
    const auto part = std::span(block).first(static_cast<std::size_t>(
        std::min<std::uint64_t>(block.size(), source->size() - at)));
    source->read(at, part);
    hash.update(part);
    write_stdout_bytes(as_text(part));
    if (has_stdout_failed()) return ExitCode::failed;
    at += part.size();
  }
  const Digest found = hash.finish();
  if (found != item->sha256) {
    throw Error(Errc::integrity,
                fmt::format("{}: expected SHA-256 {}, found {}", text,
                            item->sha256.hex(), found.hex()));
  }
  return ExitCode::clean;
}

}  // namespace

void add_exhibit(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* group = add_command(app, Group::look, "exhibit", "What was taken.",
                                "impound exhibit show E001");
  group->require_subcommand(1);
  add_command(*group, "list", "Print all exhibits of the case.",
              "impound exhibit list")
      ->callback([&globals, &run] { run = [&] { return list(globals); }; });

  CLI::App* one = add_command(*group, "show", "Print items and gaps of one.",
                              "impound exhibit show E001");
  auto exhibit = std::make_shared<std::string>();
  takes(ValueKind::exhibit, one->add_option("exhibit", *exhibit, "E001"))
      ->required();
  one->callback([&globals, &run, exhibit] {
    run = [&globals, exhibit] { return show(globals, *exhibit); };
  });

  CLI::App* check = add_command(
      *group, "verify", "Check exhibits against chain, seal and manifests.",
      "impound exhibit verify");
  auto exhibits = std::make_shared<std::vector<std::string>>();
  auto threads = std::make_shared<unsigned>(0);
  takes(ValueKind::exhibit, check->add_option("exhibits", *exhibits,
                                              "E001 …; all if none is named."));
  check->add_option("--threads", *threads, "Cores to use; 0 = all.");
  check->callback([&globals, &run, exhibits, threads] {
    run = [&globals, exhibits, threads] {
      return verify(globals, *exhibits, *threads);
    };
  });

  CLI::App* unpack = add_command(
      *group, "extract", "Unpack a verified working copy into a folder.",
      "impound exhibit extract E001 --out copy/");
  auto options = std::make_shared<ExtractOptions>();
  takes(ValueKind::exhibit,
        unpack->add_option("exhibit", options->exhibit, "E001"))
      ->required();
  unpack->add_option("items", options->items,
                     "Item numbers or patterns; all if none is named.");
  takes(ValueKind::folder,
        unpack->add_option("--out", options->folder, "Folder to make."))
      ->required();
  unpack->add_option("--purpose", options->purpose, "Why, for the chain.");
  unpack->callback([&globals, &run, options] {
    run = [&globals, options] { return extract(globals, *options); };
  });

  CLI::App* write = add_command(
      *group, "cat", "Write one item to standard output, by seeking to it.",
      "impound exhibit cat E001/17 | less");
  auto item = std::make_shared<std::string>();
  auto purpose = std::make_shared<std::string>("analysis");
  takes(ValueKind::item, write->add_option("item", *item, "E001/17"))
      ->required();
  write->add_option("--purpose", *purpose, "Why, for the chain.");
  write->callback([&globals, &run, item, purpose] {
    run = [&globals, item, purpose] { return cat(globals, *item, *purpose); };
  });
}

}  // namespace impound
