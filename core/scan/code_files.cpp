// SPDX-License-Identifier: Apache-2.0
#include "core/scan/code_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "core/base/text.hpp"
#include "core/formats/python_source.hpp"
#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

/// Bytes of a script or a list of packages that are looked at.
constexpr std::uint64_t kMaxScript = std::uint64_t{4} << 20U;
constexpr std::size_t kMaxLines = 50;  // findings of one file

struct CodeName {
  std::string_view suffix;
  Severity severity;
  std::string_view why;
};

constexpr std::array kCode{
    CodeName{"handler.py", Severity::medium,
             "Hugging Face endpoints run handler.py when they start"},
    CodeName{"sitecustomize.py", Severity::high,
             "Python runs it at every start with the folder on its path"},
    CodeName{"usercustomize.py", Severity::high,
             "Python runs it at every start with the folder on its path"},
    CodeName{"setup.py", Severity::medium,
             "pip runs it when the folder is installed"},
    CodeName{"conftest.py", Severity::medium,
             "pytest runs it when anything in the folder is tested"},
    CodeName{"hubconf.py", Severity::medium,
             "torch.hub runs it when the folder is loaded"},
    CodeName{"__init__.py", Severity::medium,
             "runs when the folder is imported"},
    CodeName{".py", Severity::medium, "Python code beside the model"},
    CodeName{".pyc", Severity::medium, "compiled Python beside the model"},
    CodeName{".sh", Severity::medium, "a shell script beside the model"},
    CodeName{".bat", Severity::medium, "a shell script beside the model"},
    CodeName{".cmd", Severity::medium, "a shell script beside the model"},
    CodeName{".ps1", Severity::medium, "a shell script beside the model"},
    CodeName{".so", Severity::high, "a native library beside the model"},
    CodeName{".pyd", Severity::high, "a native library beside the model"},
    CodeName{".dll", Severity::high, "a native library beside the model"},
    CodeName{".dylib", Severity::high, "a native library beside the model"},
    CodeName{"requirements.txt", Severity::low,
             "packages that an installer would fetch"},
};

bool is_code_name(std::string_view name, const CodeName& code) {
  if (!name.ends_with(code.suffix)) return false;
  if (code.suffix.starts_with('.')) return true;
  const std::size_t before = name.size() - code.suffix.size();
  return before == 0 || name[before - 1] == '/';
}

void add(FileReport& report, std::string_view rule, Severity severity,
         std::uint64_t offset, std::string message, std::string evidence = {}) {
  ScanFinding finding;
  finding.rule = std::string(rule);
  finding.severity = severity;
  finding.offset = offset;
  finding.message = std::move(message);
  finding.evidence = std::move(evidence);
  if (const Rule* known = find_rule(rule)) finding.atlas = known->atlas;
  report.findings.push_back(std::move(finding));
  report.verdict = std::max(report.verdict, verdict_of(severity));
}

std::string_view deed(PythonCall::Reach reach) {
  switch (reach) {
    case PythonCall::Reach::program:
      return "starts another program";
    case PythonCall::Reach::code:
      return "runs what it is given as code";
    case PythonCall::Reach::network:
      return "talks to another machine";
    case PythonCall::Reach::unpack:
      return "unpacks what may be code";
  }
  return "";
}

/// Words that turn "starts a program" into an attack: fetched or decoded.
bool fetches_or_decodes(std::string_view text) {
  constexpr std::array<std::string_view, 10> kSigns{
      "curl ",   "wget ", "/dev/tcp", "base64",   "b64decode",
      "fromhex", "nc -",  "urlopen",  "marshal.", "bash -i"};
  return std::any_of(kSigns.begin(), kSigns.end(), [&](std::string_view sign) {
    return text.find(sign) != std::string_view::npos;
  });
}

void report_python(const ByteSource& source, FileReport& report) {
  const Bytes bytes = source.head(0, PythonSource::kMaxBytes + 1);
  const PythonSource python = read_python_source(as_text(bytes));
  if (!python.imports.empty()) {
    std::string names;
    for (const std::string& name : python.imports) {
      names += (names.empty() ? "" : ", ") + printable(name);
    }
    report.findings.back().evidence = "imports " + names;
  }
  if (python.is_cut) {
    report.read_to_end = false;
    add(report, "file-unread", Severity::medium, PythonSource::kMaxBytes,
        "the source is longer than is read");
  }
  std::size_t listed = 0;
  for (const PythonCall& call : python.calls) {
    // Decoding alone is what every loader of data does.
    const bool is_quiet = call.reach == PythonCall::Reach::unpack;
    if (is_quiet && !call.at_import) continue;
    if (++listed > kMaxLines) break;
    const bool runs = call.reach == PythonCall::Reach::program ||
                      call.reach == PythonCall::Reach::code;
    const bool is_attack =
        call.at_import && runs && fetches_or_decodes(call.text);
    add(report, call.at_import ? "code-import-effect" : "code-dangerous",
        is_attack  ? Severity::critical
        : is_quiet ? Severity::medium
                   : Severity::high,
        call.offset,
        fmt::format("line {}: {} {}{}", call.line, printable(call.name),
                    deed(call.reach),
                    call.at_import ? " as soon as it is imported" : ""),
        printable(call.text));
  }
}

void report_shell(const ByteSource& source, FileReport& report) {
  const Bytes bytes = source.head(0, kMaxScript);
  std::size_t listed = 0;
  std::size_t number = 0;
  for (const std::string& each : split(as_text(bytes), '\n')) {
    ++number;
    const std::string_view line = trim(each);
    if (line.starts_with('#') || !fetches_or_decodes(line)) continue;
    if (++listed > kMaxLines) break;
    add(report, "code-dangerous", Severity::high, 0,
        fmt::format("line {}: fetches or decodes what it may run", number),
        printable(line.substr(0, 400)));
  }
}

/// PyTorch's own index is where its documentation sends everybody.
bool is_known_index(std::string_view line) {
  return line.find("https://download.pytorch.org/") != std::string_view::npos ||
         line.find("https://pypi.org/") != std::string_view::npos;
}

void report_requirements(const ByteSource& source, FileReport& report) {
  const Bytes bytes = source.head(0, kMaxScript);
  std::size_t listed = 0;
  std::size_t number = 0;
  for (const std::string& each : split(as_text(bytes), '\n')) {
    ++number;
    std::string_view line = trim(each);
    if (line.starts_with('#')) continue;
    line = trim(line.substr(0, line.find(" #")));
    const bool is_option =
        line.starts_with("--index-url") || line.starts_with("--extra-index") ||
        line.starts_with("-i ") || line.starts_with("--find-links") ||
        line.starts_with("-f ") || line.starts_with("--trusted-host");
    const bool is_reference =
        line.find("://") != std::string_view::npos || line.starts_with("-e ") ||
        line.starts_with("git+") ||
        line.find(" @ ") != std::string_view::npos || line.ends_with(".whl");
    if (!is_option && !is_reference) continue;
    if (++listed > kMaxLines) break;
    add(report, "requirements-source",
        is_known_index(line) ? Severity::low : Severity::medium, 0,
        fmt::format("line {}: {}", number,
                    is_option ? "packages from another index"
                              : "a package from an address"),
        printable(line.substr(0, 400)));
  }
}

}  // namespace

void report_code_file(const TreeFile& file, const ByteSource& source,
                      FileReport& report) {
  for (const CodeName& code : kCode) {
    if (!is_code_name(file.name, code)) continue;
    add(report, "folder-code", code.severity, 0, std::string(code.why));
    if (file.name.ends_with(".py")) report_python(source, report);
    if (file.name.ends_with(".sh")) report_shell(source, report);
    if (file.name.ends_with("requirements.txt")) {
      report_requirements(source, report);
    }
    std::stable_sort(report.findings.begin(), report.findings.end(),
                     [](const ScanFinding& a, const ScanFinding& b) {
                       return a.severity > b.severity;
                     });
    return;
  }
}

}  // namespace impound
