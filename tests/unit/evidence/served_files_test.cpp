// SPDX-License-Identifier: Apache-2.0
/// What is said of the files that a process holds, and the tables it is read
/// from.

#include "core/evidence/served_files.hpp"

#include <sys/sysmacros.h>

#include "core/base/text.hpp"
#include "core/evidence/process_mappings.hpp"
#include "tests/support/catch.hpp"

using namespace impound;

namespace {

constexpr std::string_view kSmaps =
    "00400000-00401000 r-xp 00000000 fe:00 11                 /usr/bin/server\n"
    "Size:                  4 kB\n"
    "Rss:                   4 kB\n"
    "Anonymous:             0 kB\n"
    "Swap:                  0 kB\n"
    "VmFlags: rd ex mr mw me\n"
    "7f00a0000000-7f00a0004000 r--p 00001000 103:02 4242      "
    "/srv/a b\\012c.gguf (deleted)\n"
    "Rss:                  16 kB\n"
    "Anonymous:             8 kB\n"
    "Swap:                  4 kB\n"
    "VmFlags: rd mr mw me\n"
    "7f00b0000000-7f00b0001000 rw-s 00000000 00:01 7          "
    "/dev/zero (deleted)\n"
    "Rss:                   4 kB\n"
    "VmFlags: rd wr sh\n"
    "7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0          [stack]\n"
    "Rss:                   4 kB\n"
    "Anonymous:             4 kB\n"
    "VmFlags: rd wr\n";

/// A served model of one weights file of 100 bytes, wholly mapped.
ServedModel tied_model() {
  ServedModel model;
  model.pids = {7};
  model.model_path = "/srv/model";
  model.are_names_known = true;
  model.weights = {{.path = "/srv/model/m.gguf",
                    .identity = {1, 2},
                    .size = 100,
                    .mapped_bytes = 100}};
  model.files.push_back({.path = "/srv/model/m.gguf",
                         .identity = {1, 2},
                         .relation = FileRelation::named,
                         .is_weights = true,
                         .size = 100,
                         .pids = {7},
                         .mapped_bytes = 100,
                         .is_mapped_private = true});
  return model;
}

bool says(const ServedModel& model, std::string_view text) {
  return model.sentence().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("smaps are read: names, devices, what is the process's own") {
  const auto found = parse_smaps(kSmaps);
  REQUIRE(found.size() == 4);
  CHECK(found[0].range == "400000-401000");  // as map_files names it
  CHECK(found[0].path == "/usr/bin/server");
  CHECK(found[0].device == makedev(0xfe, 0));
  CHECK(found[0].inode == 11);
  CHECK_FALSE(found[0].is_shared);
  CHECK(found[1].path == "/srv/a b\nc.gguf");
  CHECK(found[1].is_deleted);
  CHECK(found[1].device == makedev(0x103, 2));
  CHECK(found[1].offset == 0x1000);
  CHECK(found[1].size == 0x4000);
  CHECK(found[1].resident == 16 * 1024);
  CHECK(found[1].anonymous == 8 * 1024);
  CHECK(found[1].swapped == 4 * 1024);
  CHECK(found[2].is_shared);
  CHECK(found[3].path == "[stack]");
  CHECK_FALSE(found[3].is_file());
}

TEST_CASE("a mapping of smaps that was cut off is left out") {
  const std::string_view cut = kSmaps.substr(0, kSmaps.find("Anonymous:  "
                                                            "           8"));
  CHECK(parse_smaps(cut).size() == 1);
  CHECK(parse_smaps("").empty());
  CHECK(parse_smaps("no table at all\nVmFlags: x\n").empty());
}

TEST_CASE("a tie is said no stronger than it was measured") {
  ServedModel model = tied_model();
  REQUIRE(model.tie() == ServedTie::tied);
  CHECK(says(model, "mapped by process 7"));

  SECTION("a weights file that nobody maps") {
    model.weights[0].mapped_bytes = 0;
    CHECK(model.tie() == ServedTie::untied);
    CHECK(says(model, "no process maps /srv/model/m.gguf"));
  }
  SECTION("a weights file that is mapped in part") {
    model.weights[0].mapped_bytes = 50;
    CHECK(model.tie() == ServedTie::untied);
    CHECK(
        says(model, "only " + human_bytes(50) + " of the " + human_bytes(100)));
  }
  SECTION("nine tenths are enough of a mapping, and less is not") {
    model.weights[0].size = 1000;
    model.weights[0].mapped_bytes = 900;
    CHECK(model.tie() == ServedTie::tied);
    model.weights[0].mapped_bytes = 899;
    CHECK(model.tie() == ServedTie::untied);
  }
  SECTION("an accelerator") {
    model.accelerators = {"/dev/nvidia0 (process 7)"};
    CHECK(model.tie() == ServedTie::untied);
    CHECK(says(model, "/dev/nvidia0 (process 7)"));
  }
  SECTION("memory that may hold a copy") {
    model.fileless_bytes = 1ULL << 30U;
    CHECK(model.tie() == ServedTie::untied);
    CHECK(says(model, "enough for a copy"));
  }
  SECTION("no weights below the model path") {
    model.weights.clear();
    CHECK(model.tie() == ServedTie::untied);
  }
  SECTION("something that could not be looked at") {
    model.unknowns = {"process 8 may not be looked into: Permission denied"};
    CHECK(model.tie() == ServedTie::unknown);
    CHECK(says(model, "process 8 may not be looked into"));
  }
  SECTION("pages of the mapping that were written to") {
    model.files[0].changed_bytes = 4096;
    CHECK(model.tie() == ServedTie::modified_mapping);
    CHECK(says(model, human_bytes(4096) + " of /srv/model/m.gguf"));
  }
  SECTION("another file, however good everything else is") {
    model.files.push_back({.path = "/tmp/x.gguf",
                           .identity = {1, 9},
                           .relation = FileRelation::elsewhere,
                           .is_weights = true,
                           .pids = {7},
                           .is_open = true});
    CHECK(model.tie() == ServedTie::other_file);
    CHECK(says(model, "/tmp/x.gguf"));
    CHECK(says(model, "inode 9"));
    // Where the descriptor's files could not be listed, it may be one of them.
    model.are_names_known = false;
    CHECK(model.tie() != ServedTie::other_file);
    model.files.back().relation = FileRelation::deleted;
    CHECK(model.tie() == ServedTie::other_file);
    // Other files than weights are no model.
    model.files.back().is_weights = false;
    CHECK(model.tie() == ServedTie::tied);
  }
}

TEST_CASE("what an item's notes keep of a served file is read back") {
  ServedFile file{.path = "/srv/\xff.gguf",
                  .identity = {makedev(254, 3), 77},
                  .relation = FileRelation::deleted,
                  .is_weights = true,
                  .pids = {7, 9},
                  .is_open = true,
                  .is_mapped_shared = true};
  Json notes{{"served", file.to_notes()}};
  CHECK_FALSE(ServedFile::from_notes(notes));  // which file it is, is missing
  FileStat stat;
  stat.device = file.identity.first;
  stat.inode = file.identity.second;
  notes = with_identity(notes, stat);
  CHECK(notes.at("device") == "254:3");
  const auto read = ServedFile::from_notes(notes);
  REQUIRE(read);
  CHECK(read->path == file.path);
  CHECK(read->identity == file.identity);
  CHECK(read->relation == FileRelation::deleted);
  CHECK(read->is_weights);
  CHECK(read->pids == file.pids);
  CHECK(read->to_notes() == file.to_notes());
  notes["served"]["relation"] = "borrowed";
  CHECK_FALSE(ServedFile::from_notes(notes));
  notes["device"] = "x";
  CHECK_FALSE(identity_from_notes(notes));
}
