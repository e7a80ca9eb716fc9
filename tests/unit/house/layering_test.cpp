// SPDX-License-Identifier: Apache-2.0
/// The table of rooms as a test over the sources: a new arrow
/// between rooms, or a library outside its room, fails here.

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace impound::test {
namespace {

namespace fs = std::filesystem;

struct Room {
  std::string path;                  ///< folder, ending in '/'
  std::vector<std::string> may_use;  ///< rooms whose headers it may include
  std::vector<std::string> owns;     ///< headers of others only it may include
};

const std::vector<std::string> kBelowEngine{
    "core/base/",     "core/crypto/",   "core/storage/", "core/formats/",
    "core/evidence/", "core/casefile/", "core/view/",    "core/compare/",
    "core/dataset/",  "core/trust/",    "core/scan/"};

const std::vector<Room>& rooms() {
  static const std::vector<Room> kRooms{
      {"core/base/", {}, {"fmt/", "nlohmann/"}},
      {"core/crypto/", {"core/base/"}, {"openssl/", "xxhash.h"}},
      {"core/storage/", {"core/base/"}, {"sqlite3.h", "archive", "zstd"}},
      {"core/formats/", {"core/base/"}, {"zlib.h", "yaml-cpp/"}},
      {"core/evidence/", {"core/base/", "core/crypto/", "core/storage/"}, {}},
      {"core/casefile/",
       {"core/base/", "core/crypto/", "core/storage/", "core/evidence/"},
       {}},
      {"core/view/",
       {"core/base/", "core/crypto/", "core/formats/", "core/evidence/"},
       {}},
      {"core/compare/",
       {"core/base/", "core/crypto/", "core/formats/", "core/evidence/",
        "core/view/"},
       {"Eigen/"}},
      {"core/dataset/",
       {"core/base/", "core/crypto/", "core/formats/", "core/view/",
        "core/compare/"},
       {}},
      {"core/trust/",
       {"core/base/", "core/crypto/", "core/formats/", "core/evidence/",
        "core/view/"},
       {}},
      {"core/scan/", {"core/base/", "core/formats/", "core/evidence/"}, {}},
      {"collectors/",
       {"core/base/", "core/crypto/", "core/formats/", "core/evidence/"},
       {}},
      {"containment/",
       {"core/base/", "core/crypto/", "core/evidence/"},
       {"curl/"}},
      {"core/engine/", kBelowEngine, {"toml++/"}},
      {"lua/host/",
       {"core/base/", "core/crypto/", "core/evidence/", "core/engine/"},
       {"lua", "seccomp.h"}},
      {"core/run/",
       {"core/base/", "core/crypto/", "core/evidence/", "core/casefile/",
        "core/engine/", "lua/host/"},
       {}},
      {"core/cli/",
       {"core/", "collectors/", "containment/", "lua/host/"},
       {"CLI/"}},
  };
  return kRooms;
}

bool starts_with_any(const std::string& text,
                     const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (text.starts_with(prefix)) return true;
  }
  return false;
}

/// Base owns fmt and JSON, and lends them to everybody.
bool is_lent(const std::string& header) {
  return header.starts_with("fmt/") || header.starts_with("nlohmann/");
}

/// One sentence per broken rule; empty when `line` of `room` is allowed.
std::string complaint(const Room& room, const std::string& line) {
  static const std::regex kInclude(R"re(^\s*#include\s+(["<])([^">]+)[">])re");
  std::smatch match;
  if (!std::regex_search(line, match, kInclude)) return {};
  const std::string header = match[2];
  if (match[1] == "\"") {
    if (header.starts_with(room.path)) return {};
    if (starts_with_any(header, room.may_use)) return {};
    return room.path + " may not include \"" + header + '"';
  }
  if (is_lent(header)) return {};
  for (const Room& other : rooms()) {
    if (other.path != room.path && starts_with_any(header, other.owns)) {
      return "<" + header + "> belongs to " + other.path;
    }
  }
  return {};
}

std::vector<fs::path> sources_of(const Room& room) {
  std::vector<fs::path> files;
  const fs::path folder = fs::path(IMPOUND_SOURCE_DIR) / room.path;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() &&
        (extension == ".cpp" || extension == ".hpp")) {
      files.push_back(entry.path());
    }
  }
  return files;
}

TEST_CASE("rooms include only what the table allows", "[house]") {
  for (const Room& room : rooms()) {
    const auto files = sources_of(room);
    INFO(room.path);
    REQUIRE_FALSE(files.empty());
    for (const fs::path& path : files) {
      std::ifstream file(path);
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        INFO(path.string() << ':' << number);
        CHECK(complaint(room, line) == "");
      }
    }
  }
}

/// An arrow that nobody takes is a decision that nobody made.
TEST_CASE("every arrow of the table is taken by some file", "[house]") {
  for (const Room& room : rooms()) {
    if (room.path == "core/cli/") continue;  // may use everything
    std::string includes;
    for (const fs::path& path : sources_of(room)) {
      std::ifstream file(path);
      for (std::string line; std::getline(file, line);) {
        if (line.starts_with("#include \"")) includes += line + '\n';
      }
    }
    for (const std::string& used : room.may_use) {
      INFO(room.path << " may use " << used);
      CHECK(includes.find('"' + used) != std::string::npos);
    }
  }
}

TEST_CASE("the rule does catch an upward look", "[house]") {
  const Room& base = rooms().front();
  CHECK(complaint(base, R"(#include "core/cli/command.hpp")") != "");
  CHECK(complaint(base, "#include <sqlite3.h>") != "");
  CHECK(complaint(base, "#include <vector>") == "");
}

TEST_CASE("sources name their licence, headers say what they are for",
          "[house]") {
  for (const Room& room : rooms()) {
    for (const fs::path& path : sources_of(room)) {
      std::ifstream file(path);
      std::string text((std::istreambuf_iterator<char>(file)), {});
      INFO(path.string());
      CHECK(text.starts_with("// SPDX-License-Identifier: Apache-2.0"));
      if (path.extension() == ".hpp") {
        CHECK(text.find("\n/// ") != std::string::npos);
        CHECK(text.find("#pragma once") != std::string::npos);
      }
    }
  }
}

/// Two types of one name in one namespace are one type to the linker, which
/// keeps either: memory is overwritten, and no compiler says so.
TEST_CASE("no two headers define a type of the same name", "[house]") {
  static const std::regex kType(
      R"(^(?:struct|class|enum class) ([A-Z][A-Za-z0-9]*)(?: final)?(?: : .*| \{|)$)");
  static const std::regex kNamespace(R"(^namespace ([a-z_:]+) \{)");
  std::map<std::string, std::string> seen;
  for (const Room& room : rooms()) {
    for (const fs::path& path : sources_of(room)) {
      if (path.extension() != ".hpp") continue;
      std::ifstream file(path);
      std::string space;
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (std::regex_search(line, match, kNamespace)) space = match[1];
        if (!std::regex_search(line, match, kType)) continue;
        const std::string name = space + "::" + match[1].str();
        INFO(name << " in " << path.string() << " and " << seen[name]);
        CHECK(seen[name].empty());
        seen[name] = path.string();
      }
    }
  }
}

TEST_CASE("no file is named after nothing", "[house]") {
  static const std::regex kVague("(^|_)(utils?|common|helpers?|misc)(_|\\.|$)");
  for (const char* folder : {"core", "collectors", "containment", "lua",
                             "tests", "cases", "playbooks"}) {
    for (const auto& entry : fs::recursive_directory_iterator(
             fs::path(IMPOUND_SOURCE_DIR) / folder)) {
      const std::string name = entry.path().filename().string();
      INFO(entry.path().string());
      CHECK_FALSE(std::regex_search(name, kVague));
    }
  }
}

/// [I5]: nothing that is examined is ever executed by us.
TEST_CASE("nothing in the program starts a shell", "[house]") {
  static const std::regex kShell(
      R"((^|[^a-z_:])(system|popen|posix_spawnp?|execvp?e?|execl[pe]?)\s*\()");
  for (const Room& room : rooms()) {
    for (const fs::path& path : sources_of(room)) {
      if (path.filename() == "child_process.cpp") continue;  // our own program
      std::ifstream file(path);
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        ++number;
        const std::size_t comment = line.find("//");
        INFO(path.string() << ':' << number << ": " << line);
        // Text that names such a function is not a call: rules name many.
        if (line.find('"') != std::string::npos) continue;
        CHECK_FALSE(std::regex_search(line.substr(0, comment), kShell));
      }
    }
  }
}

}  // namespace
}  // namespace impound::test
