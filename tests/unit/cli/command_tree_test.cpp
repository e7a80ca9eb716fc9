// SPDX-License-Identifier: Apache-2.0
/// What help, completion and manual pages are made from: the parser's own tree.

#include "core/cli/command_tree.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <set>

#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/complaint.hpp"
#include "core/cli/completion.hpp"
#include "core/cli/help.hpp"
#include "core/cli/man_page.hpp"

namespace impound {
namespace {

/// The program's command line, and nothing it would do.
struct Program {
  Globals globals;
  Run run;
  CLI::App app;

  Program() { add_commands(app, globals, run); }

  /// "" if the words are understood, else the complaint about them.
  std::string parse(const std::vector<std::string>& words) {
    std::vector<const char*> argv{"impound"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    try {
      app.parse(static_cast<int>(argv.size()), argv.data());
    } catch (const CLI::ParseError& error) {
      return complaint_about(app, error, words).message;
    }
    return {};
  }
};

std::string complaint(const std::vector<std::string>& words) {
  return Program().parse(words);
}

void each(const CommandPage& page,
          const std::function<void(const CommandPage&)>& look) {
  look(page);
  for (const CommandPage& one : page.commands) each(one, look);
}

/// A line as bash splits it, as far as the examples go: quotes and blanks.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ' ' && !is_quoted) {
      if (!word.empty()) words.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

TEST_CASE("Every command has a sentence and an example that is understood") {
  const Program program;
  each(page_of(program.app), [](const CommandPage& page) {
    INFO(page.path);
    CHECK_FALSE(page.summary.empty());
    if (page.path == "impound") return;
    REQUIRE_FALSE(page.example.empty());
    std::string line = page.example;
    // What a shell takes: a pipe, a file to write to.
    line = line.substr(0, line.find(" | "));
    line = line.substr(0, line.find(" > "));
    std::vector<std::string> words = shell_words(line);
    REQUIRE(words.front() == "impound");
    words.erase(words.begin());
    CHECK(complaint(words).empty());
    // It is an example of this command, or of one below it.
    std::string said = "impound";
    for (const std::string& word : words) said += " " + word;
    CHECK((said + " ").starts_with(page.path + " "));
  });
}

TEST_CASE("Every command at the top stands in a group") {
  const Program program;
  for (const CommandPage& one : page_of(program.app).commands) {
    INFO(one.path);
    CHECK(one.group.has_value());
  }
}

TEST_CASE("A command that is added shows up in help, completion and manual") {
  Program program;
  CLI::App* added = add_command(program.app, Group::look, "gaze",
                                "Look for long.", "impound gaze --at E001");
  auto at = std::make_shared<std::string>();
  takes(ValueKind::exhibit, added->add_option("--at", *at, "What to look at."));
  const CommandPage root = page_of(program.app);
  CHECK(help_text(root, root).find("gaze") != std::string::npos);
  CHECK(help_text(root, *root.find("gaze")).find("--at EXHIBIT") !=
        std::string::npos);
  const KnownThings known = [](ValueKind kind, const TypedBefore&) {
    return kind == ValueKind::exhibit ? std::vector<Candidate>{{"E001", ""}}
                                      : std::vector<Candidate>{};
  };
  const std::vector<std::string> begun{"ga"};
  CHECK(to_text(complete(root, begun, known)) ==
        "gaze\tLook for long.\n:none\n");
  const std::vector<std::string> value{"gaze", "--at", ""};
  CHECK(to_text(complete(root, value, known)) == "E001\n:none\n");
  const auto pages = man_pages(root, "1");
  CHECK(std::ranges::any_of(pages, [](const ManPage& page) {
    return page.file == "impound-gaze.1" &&
           page.text.find("What to look at.") != std::string::npos;
  }));
}

TEST_CASE("A hidden command is in no help, no completion and no manual") {
  const Program program;
  const CommandPage root = page_of(program.app);
  CHECK(root.find("man-pages") == nullptr);
  for (const ManPage& page : man_pages(root, "1")) {
    CHECK(page.text.find("man\\-pages") == std::string::npos);
  }
}

TEST_CASE("A mistake is told with the word that was typed") {
  CHECK(complaint({"rum"}) ==
        "impound: there is no command \"rum\"; did you mean \"run\"?");
  CHECK(complaint({"case", "shwo"}) ==
        "impound case: there is no command \"shwo\"; did you mean \"show\"?");
  CHECK(complaint({"run", "x", "--deploymnt", "y"}) ==
        "impound run: there is no option \"--deploymnt\"; did you mean "
        "\"--deployment\"?");
  CHECK(complaint({"run", "x", "--deploymnt=y"}) ==
        "impound run: there is no option \"--deploymnt\"; did you mean "
        "\"--deployment\"?");
  CHECK(complaint({"diff", "a", "b", "c"}) ==
        "impound diff: \"c\" is one word too many");
  CHECK(complaint({"diff", "a", "b", "--threads", "many"}) ==
        "impound diff: --threads \"many\": expected a whole number, 0 or more");
  CHECK(complaint({"signature", "sign", "m", "--key", "k", "-o", "s", "--hash",
                   "md5"}) ==
        "impound signature sign: --hash \"md5\": expected one of sha256, "
        "blake2b");
  CHECK(complaint({"custody", "prove", "last"}) ==
        "impound custody prove: SEQ \"last\": expected a whole number");
  CHECK(complaint({"case", "show", "--case"}) ==
        "impound case show: --case needs a value behind it");
}

TEST_CASE("All that is missing is told at once, with how it is written") {
  CHECK(complaint({"diff"}) ==
        "impound diff: A, B are missing\nUsage: impound diff A B [OPTIONS]");
  const std::string said = complaint({"case", "new"});
  CHECK(said.find("ID, --title are missing") != std::string::npos);
}

TEST_CASE("A word that is a command elsewhere is told where") {
  const std::string said = complaint({"extract"});
  CHECK(said ==
        "impound: there is no command \"extract\" here; there is: "
        "exhibit extract");
}

TEST_CASE("A hostile word reaches the complaint escaped") {
  CHECK(complaint({"a\x1b[2Jb"}).find("\x1b") == std::string::npos);
  CHECK(complaint({"a\nb"}).find("a\nb") == std::string::npos);
}

TEST_CASE("No line of help is wider than the terminal, but pasted commands") {
  const Program program;
  const CommandPage root = page_of(program.app);
  each(root, [&](const CommandPage& page) {
    for (const std::string& line : split(help_text(root, page, 60), '\n')) {
      INFO(page.path << ": " << line);
      CHECK((line.size() <= 60 || line.find("impound ") != std::string::npos ||
             line.starts_with("  ")));
    }
  });
}

// --- Completion ---

struct Asked {
  ValueKind kind = ValueKind::text;
  TypedBefore before;
};

Completion tab(const std::vector<std::string>& words, Asked* asked = nullptr) {
  const Program program;
  return complete(
      page_of(program.app), words,
      [&](ValueKind kind, const TypedBefore& before) {
        if (asked != nullptr) *asked = {kind, before};
        return std::vector<Candidate>{{"E001", "weights"}, {"E002", "logs"}};
      });
}

std::set<std::string> words_of(const Completion& completion) {
  std::set<std::string> words;
  for (const Candidate& one : completion.candidates) words.insert(one.word);
  return words;
}

TEST_CASE("Completion offers commands, then those below, by their beginning") {
  CHECK(words_of(tab({"cus"})) == std::set<std::string>{"custody"});
  CHECK(words_of(tab({"custody", "v"})) == std::set<std::string>{"verify"});
  CHECK(words_of(tab({""})).count("run") == 1);
  CHECK(words_of(tab({"no-such-command", ""})).empty());
}

TEST_CASE("Completion offers the ids of the case that the line names") {
  Asked asked;
  CHECK(words_of(tab({"--case", "IR-1", "exhibit", "show", "E"}, &asked)) ==
        std::set<std::string>{"E001", "E002"});
  CHECK(asked.kind == ValueKind::exhibit);
  CHECK(asked.before.case_name == "IR-1");
  CHECK(words_of(tab({"exhibit", "show", "E002"})) ==
        std::set<std::string>{"E002"});
  // One exhibit is all that it takes; verify takes any number.
  CHECK(words_of(tab({"exhibit", "show", "E001", ""})).empty());
  CHECK(words_of(tab({"exhibit", "verify", "E001", ""})).size() == 2);
  static_cast<void>(tab({"resume", "--case=IR-2", ""}, &asked));
  CHECK(asked.kind == ValueKind::run);
  CHECK(asked.before.case_name == "IR-2");
  static_cast<void>(tab({"answer", "R001", ""}, &asked));
  CHECK(asked.kind == ValueKind::question);
  CHECK(asked.before.positionals == std::vector<std::string>{"R001"});
}

TEST_CASE("Completion offers options, and values behind them or '='") {
  CHECK(words_of(tab({"diff", "--sv"})) == std::set<std::string>{"--svg"});
  CHECK(words_of(tab({"diff", "--jso"})) == std::set<std::string>{"--json"});
  CHECK(words_of(tab({"signature", "sign", "--hash", "b"})) ==
        std::set<std::string>{"blake2b"});
  CHECK(words_of(tab({"signature", "sign", "--hash=b"})) ==
        std::set<std::string>{"--hash=blake2b"});
  CHECK(tab({"run", "--deployment", ""}).files == FileNames::descriptors);
  CHECK(tab({"baseline", "show", ""}).files == FileNames::any);
  CHECK(tab({"exhibit", "extract", "E001", "--out", ""}).files ==
        FileNames::folders);
  CHECK(words_of(tab({"case", "note", "--", "-"})).empty());
}

TEST_CASE("Completion of help offers the commands themselves") {
  CHECK(words_of(tab({"help", "case", "n"})) ==
        std::set<std::string>{"new", "note"});
}

TEST_CASE("A candidate that a shell would read otherwise is not offered") {
  const Program program;
  const auto hostile = [](ValueKind, const TypedBefore&) {
    return std::vector<Candidate>{
        {"$(reboot)", ""}, {"a b", ""},       {"a\nb", ""}, {"`x`", ""},
        {"a;reboot", ""},  {"a&&reboot", ""}, {"a|sh", ""}, {"a>b", ""},
        {"*", ""},         {"ok", "a\nb"}};
  };
  const std::vector<std::string> words{"exhibit", "show", ""};
  const std::string text =
      to_text(complete(page_of(program.app), words, hostile));
  CHECK(text == "ok\ta\\x0ab\n:none\n");
}

// --- Manual pages ---

TEST_CASE("No text becomes a request of roff") {
  CHECK(roff_text(".so /etc/passwd") == "\\&.so /etc/passwd");
  CHECK(roff_text("a\n'b") == "a\n\\&\\(aqb");
  CHECK(roff_text("a\\fB-") == "a\\efB\\-");
  const Program program;
  const std::set<std::string> requests{".TH", ".SH", ".SS", ".TP",
                                       ".B",  ".BR", ".PP", ".nf",
                                       ".fi", ".RS", ".RE", ".\\\""};
  for (const ManPage& page : man_pages(page_of(program.app), "1.2.3")) {
    CHECK(page.text.find("impound 1.2.3") != std::string::npos);
    for (const std::string& line : split(page.text, '\n')) {
      INFO(page.file << ": " << line);
      if (line.starts_with('.')) {
        CHECK(requests.count(line.substr(0, line.find(' '))) == 1);
      }
    }
  }
}

TEST_CASE("The same program writes the same manual pages") {
  const Program one;
  const Program other;
  const auto a = man_pages(page_of(one.app), "1");
  const auto b = man_pages(page_of(other.app), "1");
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].text == b[i].text);
}

}  // namespace
}  // namespace impound
