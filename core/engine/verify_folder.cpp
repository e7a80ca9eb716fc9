// SPDX-License-Identifier: Apache-2.0
#include "core/engine/verify_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/casefile/record_files.hpp"
#include "core/engine/case_check.hpp"
#include "core/engine/exhibits.hpp"

namespace impound {
namespace {

VerifyReport unread(std::string exhibit, const Error& error) {
  VerifyReport report;
  report.exhibit = std::move(exhibit);
  report.problems.push_back(
      {"exhibit", report.exhibit, "a bundle that can be read", error.what()});
  return report;
}

/// A folder that is worked on: its exhibits, and every other file by the table.
class CaseFolder {
 public:
  CaseFolder(FolderReport& report, const CaseFile& case_file)
      : report_(report), rows_(case_file.exhibits()) {
    for (const ExhibitRow& row : rows_) begun_.insert(row.id);
  }

  void check_exhibits(const CaseFile& case_file, unsigned threads,
                      const Cancellation& cancellation, Progress& progress) {
    for (const ExhibitRow& row : rows_) {
      if (row.state != "sealed") continue;
      for (const std::string_view ending : kExhibitEndings) {
        sealed_.insert(row.id + std::string(ending));
      }
      try {
        report_.exhibits.push_back(measure_exhibit(case_file, row.id, threads,
                                                   cancellation, progress));
      } catch (const Error& error) {
        if (cancellation.requested()) throw;
        report_.exhibits.push_back(unread(row.id, error));
      }
    }
  }

  void check_files() {
    for (const std::string& name : names_in("")) {
      if (name == "evidence" || name == "reports") {
        for (const std::string& inner : names_in(name)) judge(name, inner);
        continue;
      }
      const auto known =
          std::ranges::find(kCaseFiles, name, &CaseFolderFile::name);
      if (known == kCaseFiles.end()) {
        outside(name, "no part of a case");
      } else if (!known->is_covered) {
        outside(name, known->how);
      }
    }
  }

 private:
  std::vector<std::string> names_in(std::string_view folder) {
    const auto names = list_directory(report_.folder / folder);
    if (names) return *names;
    report_.files.push_back({"folder", std::string(folder),
                             "a folder that can be read",
                             names.failure().message()});
    return {};
  }

  void judge(const std::string& folder, const std::string& name) {
    const std::string path = folder + "/" + name;
    if (folder == "reports") {
      if (!std::ranges::count(report_.custody.kept, path)) {
        outside(path, "kept by a command; no entry names it");
      }
      return;
    }
    if (sealed_.contains(name)) return;
    if (begun_.contains(name.substr(0, name.find('.')))) {
      outside(path, "left by an acquisition; no seal names it");
      return;
    }
    report_.files.push_back({"file", path,
                             "nothing: the record knows no such exhibit",
                             "a file that was added"});
  }

  void outside(std::string name, std::string_view why) {
    report_.outside.push_back({std::move(name), std::string(why)});
  }

  FolderReport& report_;
  std::vector<ExhibitRow> rows_;
  std::set<std::string, std::less<>> begun_;
  std::set<std::string, std::less<>> sealed_;
};

Json list_of(const std::vector<VerifyProblem>& problems) {
  Json list = Json::array();
  for (const VerifyProblem& problem : problems) {
    list.push_back({{"what", problem.what},
                    {"where", lossless_utf8(problem.where)},
                    {"expected", problem.expected},
                    {"found", problem.found}});
  }
  return list;
}

}  // namespace

bool FolderReport::is_right() const {
  return custody.problems.empty() && files.empty() &&
         std::ranges::all_of(exhibits,
                             [](const VerifyReport& one) { return one.ok(); });
}

Json FolderReport::to_json() const {
  Json documents = Json::array();
  for (const VerifyReport& one : exhibits) documents.push_back(one.to_json());
  Json others = Json::array();
  for (const OutsideFile& file : outside) {
    others.push_back({{"name", lossless_utf8(file.name)}, {"why", file.why}});
  }
  return {{"ok", ok()},
          {"folder", lossless_utf8(folder.native())},
          {"kind", is_export ? "export" : "case"},
          {"custody", custody.to_json()},
          {"exhibits", std::move(documents)},
          {"left_out", left_out},
          {"files", list_of(files)},
          {"outside", std::move(others)}};
}

FolderReport verify_folder(const fs::path& folder, const WrittenDown& known,
                           unsigned threads, const Clock& clock,
                           const Cancellation& cancellation,
                           Progress& progress) {
  FolderReport report;
  report.folder = folder;
  report.is_export = is_export(folder);
  if (report.is_export && !stat_path(folder / "case.db", Links::follow)) {
    report.files.push_back(
        {"file", "case.db", "a file of this export", "nothing"});
    return report;
  }
  report.custody = verify_custody(folder, known);
  for (const std::string& name : report.custody.foreign) {
    report.outside.push_back({name, "no part of the record"});
  }
  try {
    const CaseFile case_file(folder, CaseMode::read_only, clock);
    if (report.is_export) {
      ExportedExhibits result =
          verify_exported(case_file, {}, threads, cancellation, progress);
      report.exhibits = std::move(result.reports);
      report.left_out = std::move(result.left_out);
    } else {
      CaseFolder worked_on(report, case_file);
      worked_on.check_exhibits(case_file, threads, cancellation, progress);
      worked_on.check_files();
      for (const JournalProblem& one : check_resting_journals(case_file)) {
        report.files.push_back(
            {"journal", one.run, "the rows that the chain names", one.what});
      }
    }
  } catch (const Error& error) {
    // A record that is broken may be too broken to ask for its exhibits.
    if (report.custody.problems.empty() || cancellation.requested()) throw;
    report.exhibits.push_back(unread("all exhibits", error));
  }
  return report;
}

}  // namespace impound
