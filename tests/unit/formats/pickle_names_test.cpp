// SPDX-License-Identifier: Apache-2.0
/// Names of Python 2 against the table that CPython itself unpickles by.

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

#include "core/formats/pickle/pickle.hpp"
#include "core/formats/pickle/pickle_heap.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"

namespace impound {
namespace {

struct Row {
  std::string old_module, old_name, module, name;
};

/// The tables of the Python at hand.
std::vector<Row> tables_of_python() {
  // A module that moved is asked for with a name that only it can have.
  const char* const program =
      "python3 -c '\n"
      "import _compat_pickle as t\n"
      "for (m, n), (a, b) in t.NAME_MAPPING.items(): print(m, n, a, b)\n"
      "for m, a in t.IMPORT_MAPPING.items(): print(m, \"x_y\", a, \"x_y\")\n"
      "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(program, "r"), pclose);
  std::string text;
  std::array<char, 4096> part{};
  for (std::size_t got = 0;
       pipe != nullptr &&
       (got = std::fread(part.data(), 1, part.size(), pipe.get())) > 0;) {
    text.append(part.data(), got);
  }
  std::istringstream lines(text);
  std::vector<Row> rows;
  for (Row row;
       lines >> row.old_module >> row.old_name >> row.module >> row.name;) {
    rows.push_back(row);
  }
  return rows;
}

TEST_CASE("every name of Python 2 is looked up where CPython looks it up",
          "[formats][pickle]") {
  // python3 is needed to build (debian-packages.txt): it is there.
  const std::vector<Row> rows = tables_of_python();
  REQUIRE(rows.size() > 100);
  for (const Row& row : rows) {
    INFO(row.old_module << "." << row.old_name);
    const PythonName mapped = map_python2_name(row.old_module, row.old_name);
    CHECK(mapped.module == row.module);
    CHECK(mapped.name == row.name);
  }
}

/// Lists names as they are written, and none as they are looked up.
GlobalJudgement as_written(std::string_view module, std::string_view name) {
  const bool is_bad = module == "__builtin__" && name == "xrange";
  return {.verdict = is_bad ? GlobalClass::dangerous : GlobalClass::allowed,
          .rule = "by-name"};
}
GlobalJudgement as_looked_up(std::string_view module, std::string_view name) {
  const bool is_bad = module == "builtins" && name == "range";
  return {.verdict = is_bad ? GlobalClass::dangerous : GlobalClass::allowed,
          .rule = "by-name"};
}

TEST_CASE("a name that moved is judged by the worse of its two places",
          "[formats][pickle]") {
  REQUIRE(map_python2_name("__builtin__", "xrange").name == "range");
  for (const int protocol : {2, 4}) {
    for (const GlobalJudge judge : {as_written, as_looked_up}) {
      const std::string text =
          test::PickleWriter(protocol).global("__builtin__", "xrange").stop();
      const SpanSource source(as_bytes(text));
      PickleOptions options;
      options.judge = judge;
      PickleMachine machine(source, options);
      const PickleRun run = machine.run(0);
      INFO(protocol);
      REQUIRE(run.globals.size() == 1);
      CHECK(run.globals[0].judgement.verdict == GlobalClass::dangerous);
    }
  }
}

}  // namespace
}  // namespace impound
