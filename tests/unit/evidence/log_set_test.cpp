// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/log_set.hpp"

#include <algorithm>

#include "core/base/fs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::TempDir;

namespace {

bool was(const std::string& name, const std::string& before) {
  return std::ranges::count(names_before_rotation(name), before) == 1;
}

std::vector<std::string> names_of(const LogSet& set) {
  std::vector<std::string> names;
  for (const LogFile& file : set.files) {
    names.push_back(file.path.filename().native());
  }
  return names;
}

}  // namespace

TEST_CASE("a rotated name is led back to the name of its log") {
  for (const char* name : {"chat.jsonl.1",
                           "chat.jsonl.0012",
                           "chat.jsonl.2.gz",
                           "chat.jsonl.gz",
                           "chat.jsonl.old",
                           "chat.jsonl-20261127",
                           "chat.jsonl-20261127.gz",
                           "chat.jsonl-20261127.zst",
                           "chat.jsonl-20261127.xz",
                           "chat.jsonl.2026-11-27",
                           "chat.jsonl.2026-11-27_10",
                           "chat.jsonl_20261127T101500Z.bz2",
                           "chat.jsonl-20261127-1795737600",
                           "chat.jsonl.1795737600",
                           "chat.jsonl-2026112710.lz4",
                           "chat.jsonl.20261127.1.gz",
                           "chat-20261127.jsonl",
                           "chat-20261127.jsonl.gz",
                           "chat.2026-11-27.jsonl",
                           "chat-2026-11-27.1.jsonl.gz",
                           "chat.1.jsonl"}) {
    INFO(name);
    CHECK(was(name, "chat.jsonl"));
  }
}

TEST_CASE("a name that only looks alike is led back to no other log") {
  for (const char* name :
       {"chat.jsonl", "chat.jsonl.tmp", "chatter.jsonl", "chat-1.jsonl",
        "chat.jsonl.12345", "chat.jsonl-new", "chat.jsonl~", "chat-v2.jsonl",
        "chat.jsonl.sig", ".1", ".gz", "1"}) {
    INFO(name);
    CHECK_FALSE(was(name, "chat.jsonl"));
  }
  CHECK(names_before_rotation("chat.jsonl").empty());
}

TEST_CASE("an entry takes its rotated set unless told not to") {
  const TempDir folder;
  for (const char* name :
       {"gw/chat.jsonl", "gw/chat.jsonl.1", "gw/chat.jsonl.2.gz",
        "gw/chat.jsonl-20261120.zst", "gw/audit.jsonl.1", "gw/notes.txt",
        "gw/chat.jsonl.tmp", "other/chat.jsonl.1"}) {
    folder.write(name, "{}\n");
  }
  LogSource source{.path = (folder.path() / "gw/*.jsonl").native()};
  const LogSet set = find_log_files(source);
  CHECK(names_of(set) == std::vector<std::string>{"audit.jsonl.1", "chat.jsonl",
                                                  "chat.jsonl-20261120.zst",
                                                  "chat.jsonl.1",
                                                  "chat.jsonl.2.gz"});
  CHECK(set.matches == 1);
  CHECK(set.files[0].rotated_from == folder.path() / "gw/audit.jsonl");
  CHECK(set.files[1].rotated_from.empty());

  source.rotated = false;
  CHECK(names_of(find_log_files(source)) ==
        std::vector<std::string>{"chat.jsonl"});
}

TEST_CASE("the rotated set of a plain path is found though the log is gone") {
  const TempDir folder;
  // Characters of a pattern in the folder's name are no pattern here.
  folder.write("a[1]/chat.jsonl.1", "{}\n");
  folder.write("a[1]/other.jsonl.1", "{}\n");
  folder.write("a[1]/chat.jsonl", "{}\n");
  LogSource source{.path = (folder.path() / "a[1]/chat.jsonl").native()};
  CHECK(names_of(find_log_files(source)) ==
        std::vector<std::string>{"chat.jsonl", "chat.jsonl.1"});
  folder.write("b/chat.jsonl.1", "{}\n");
  source.path = (folder.path() / "b/chat.jsonl").native();
  const LogSet set = find_log_files(source);
  CHECK(set.matches == 0);
  CHECK(names_of(set) == std::vector<std::string>{"chat.jsonl.1"});
}

TEST_CASE("patterns with groups and depth take their rotated sets too") {
  const TempDir folder;
  folder.write("a/x/chat.jsonl.1", "{}\n");
  folder.write("a/y/chat.jsonl.1", "{}\n");
  folder.write("a/z/chat.jsonl.1", "{}\n");
  LogSource source{.path = (folder.path() / "a/{x,y}/chat.jsonl").native()};
  CHECK(find_log_files(source).files.size() == 2);
  source.path = (folder.path() / "{a/x,a/y}/*.jsonl").native();
  CHECK(find_log_files(source).files.size() == 2);
  source.path = (folder.path() / "{a/x/chat.jsonl,a/y/chat.jsonl}").native();
  CHECK(find_log_files(source).files.size() == 2);
  source.path = (folder.path() / "**/*.jsonl").native();
  CHECK(find_log_files(source).files.size() == 3);
}

TEST_CASE("files beside a log that no entry takes are named") {
  const TempDir folder;
  for (const char* name : {"chat.jsonl", "chat.jsonl.1", "chat.jsonl.tmp",
                           "chat.log", "chatter.jsonl", "other.txt"}) {
    folder.write(name, "{}\n");
  }
  LogSource source{.path = (folder.path() / "chat.jsonl").native()};
  const auto names = [&](const std::vector<LogSource>& entries) {
    std::vector<std::string> found;
    for (const fs::path& path : log_neighbours(source, entries)) {
      found.push_back(path.filename().native());
    }
    return found;
  };
  CHECK(names({source}) ==
        std::vector<std::string>{"chat.jsonl.tmp", "chat.log"});
  // What another entry takes is not left out.
  const LogSource text{.path = (folder.path() / "*.log").native()};
  CHECK(names({source, text}) == std::vector<std::string>{"chat.jsonl.tmp"});
  source.rotated = false;
  CHECK(names({source}) ==
        std::vector<std::string>{"chat.jsonl.1", "chat.jsonl.tmp", "chat.log"});
}
