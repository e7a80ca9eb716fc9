// SPDX-License-Identifier: Apache-2.0
/// One door to the screen: no file of the program but the door names stdout,
/// stderr or a function that prints, so that a new command cannot forget to
/// escape what others wrote.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDoor = "core/cli/standard_output.cpp";

/// The commands that hand out bytes of evidence as they are, by name.
constexpr std::array<std::string_view, 1> kMayWriteBytes{
    "core/cli/cmd_exhibit.cpp"};  // exhibit cat

/// `line` without comment and without what stands in its string literals.
std::string code_of(const std::string& line) {
  std::string code;
  bool in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (in_text && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"' && !(i > 0 && line[i - 1] == '\'')) {
      in_text = !in_text;
    } else if (!in_text) {
      if (line.compare(i, 2, "//") == 0) break;
      code += line[i];
    }
  }
  return code;
}

/// What is wrong with one line of `file`; empty when nothing is.
std::string complaint(std::string_view file, const std::string& line) {
  static const std::regex kStream(
      R"(\b(stdout|stderr|STDOUT_FILENO|STDERR_FILENO)\b|\bw?(cout|cerr|clog)\b)");
  static const std::regex kPrints(
      R"((^|[^A-Za-z0-9_])((v?d?f?w?printf|f?puts|f?putc|putchar|f?putwc|perror|psignal|psiginfo)\s*\(|(std|fmt)::v?print(ln)?\s*\(|::write\s*\(\s*[12]\s*,))");
  static const std::regex kHeader(R"(#\s*include\s*<err\.h>)");
  static const std::regex kTerminal(R"("/dev/(tty|std(out|err)|fd/))");
  static const std::regex kBytes(R"(\bwrite_stdout_bytes\s*\()");
  if (file == kDoor) return {};
  const std::string code = code_of(line);
  if (std::regex_search(code, kStream)) return "names a standard stream";
  if (std::regex_search(code, kPrints)) return "prints past the door";
  if (std::regex_search(code, kHeader)) return "prints with warn() or err()";
  if (std::regex_search(line, kTerminal)) return "opens a terminal";
  if (std::regex_search(code, kBytes) && !file.ends_with(".hpp") &&
      std::ranges::find(kMayWriteBytes, file) == kMayWriteBytes.end()) {
    return "writes bytes unescaped";
  }
  return {};
}

TEST_CASE("nothing is printed but through the output door", "[house]") {
  const fs::path root = IMPOUND_SOURCE_DIR;
  std::size_t files = 0;
  for (const char* folder : {"core", "collectors", "containment", "lua"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".hpp") continue;
      const std::string name = fs::relative(entry.path(), root).string();
      ++files;
      std::ifstream file(entry.path());
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        INFO(name << ':' << number << ": " << line);
        CHECK(complaint(name, line) == "");
      }
    }
  }
  CHECK(files > 100);
  CHECK(fs::exists(root / kDoor));
}

TEST_CASE("the rule of the output door does catch each way to print",
          "[house]") {
  const std::string file = "core/cli/cmd_new.cpp";
  for (const char* line : {
           "  std::cout << name;",
           "  cerr << name;",
           "  std::clog << name;",
           "  std::fputs(name.c_str(), stderr);",
           "  fwrite(p, 1, n, stdout);",
           "  printf(\"%s\", name);",
           "  std::printf(\"%s\", name);",
           "  dprintf(fd, \"x\");",
           "  std::puts(name.c_str());",
           "  putchar(c);",
           "  perror(\"open\");",
           "  fmt::print(\"{}\", name);",
           "  fmt::println(\"{}\", name);",
           "  std::println(\"{}\", name);",
           "  ::write(1, p, n);",
           "  ::write(STDERR_FILENO, p, n);",
           "#include <err.h>",
           "  open(\"/dev/tty\", O_RDWR);",
           "  write_stdout_bytes(name);",
       }) {
    INFO(line);
    CHECK(complaint(file, line) != "");
  }
  for (const char* line : {
           "  write_stdout(text);",
           "  std::snprintf(buffer, size, \"%s\", name);",
           "  if (has_stdout_failed()) return;",
           "  text += \"written to stderr\";  // to stderr",
           "  std::vsnprintf(buffer, size, format, list);",
           "  ::write(fd.get(), p, n);",
       }) {
    INFO(line);
    CHECK(complaint(file, line) == "");
  }
  CHECK(complaint("core/cli/cmd_exhibit.cpp", "write_stdout_bytes(x);") == "");
}

}  // namespace
}  // namespace impound::test
