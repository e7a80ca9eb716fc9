// SPDX-License-Identifier: Apache-2.0
/// Names of Python 2 against the table that CPython itself unpickles by.

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

#include "core/formats/pickle/pickle_heap.hpp"
#include "tests/support/catch.hpp"

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

}  // namespace
}  // namespace impound
