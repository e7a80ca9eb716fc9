// SPDX-License-Identifier: Apache-2.0
/// Makes a case with one exhibit of awkward names and exports it twice, for
/// stranger_test.sh:
///
///   export_case_main <folder> [<notes> [<bundle> <sha256 of its manifest>
///                    <sha256 of its tag manifest>]]
///
/// A bundle that is given is sealed as E003 as it is, whatever it holds.
///
///   export_case_main <folder> old <case>
///
/// Exports a case that is there already, which another version may have made.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/casefile/export.hpp"
#include "core/evidence/bundle_writer.hpp"

namespace impound {
namespace {

void put(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Names that a careless check in shell would trip over.
void make_source(const fs::path& source) {
  fs::create_directories(source / "sub dir");
  fs::create_directories(source / " leading  data");
  put(source / "model.safetensors", std::string(200'000, 'w'));
  put(source / "new\nline", "one\n");
  put(source / "100%25 \\ \"quoted\" $(id) `id`", "two\n");
  put(source / "-rf", "three\n");
  put(source / " leading  data/ blanks ", "four\n");
  put(source / "sub dir" / "\xff\xfe not utf-8", "five\n");
  put(source / "sub dir" / "naïve ✓", "six\n");
  put(source / "empty", "");
  put(source / std::string(200, 'n'), "a name longer than a tar header\n");
  fs::create_hard_link(source / "empty", source / "second name of empty");
  fs::create_hard_link(source / "model.safetensors", source / "weights");
  fs::create_symlink("model.safetensors", source / "link");
}

SealedBundle seal(const fs::path& source, const fs::path& evidence,
                  const std::string& case_id, const std::string& exhibit,
                  const std::string& head, const Clock& clock) {
  const Cancellation cancellation;
  SilentProgress progress;
  BundleOptions options;
  options.case_id = case_id;
  options.exhibit_id = exhibit;
  BundleWriter writer(evidence, options, clock, cancellation, progress);
  writer.begin_collector("model-files");
  for (const auto& file : fs::recursive_directory_iterator(source)) {
    const std::string name =
        file.path().lexically_relative(source).generic_string();
    if (file.is_symlink() || file.is_directory()) {
      writer.entry(name, file.path());
    } else {
      writer.file({.name = name, .path = file.path()});
    }
  }
  writer.gap("/absent", Outcome::missing, "not there");
  (void)writer.drain();
  writer.meta("playbook/100% note.txt", as_bytes("a tag file\n"));
  return writer.finish(head);
}

EntryDraft seal_draft(const std::string& exhibit, const SealedBundle& bundle) {
  EntryDraft draft;
  draft.action = "bundle.seal";
  draft.item = exhibit;
  draft.object = {{"kind", "exhibit"},
                  {"path", "evidence/" + bundle.path.filename().string()},
                  {"size", bundle.size},
                  {"sha256", bundle.sha256.hex()}};
  draft.detail = {{"manifest_sha256", bundle.manifest_sha256.hex()},
                  {"tagmanifest_sha256", bundle.tagmanifest_sha256.hex()},
                  {"frames", bundle.frames},
                  {"counts", bundle.counts},
                  {"payload_bytes", bundle.payload_bytes},
                  {"compression", bundle.compression},
                  {"recipients", Json::array()}};
  if (!bundle.seal.is_null()) {  // a bundle of ours
    draft.detail["seal_sha256"] = bundle.seal_sha256.hex();
    draft.detail["verify_txt_sha256"] = bundle.verify_txt_sha256.hex();
  }
  return draft;
}

Examiner person(const std::string& name) {
  Actor actor;
  actor.name = name;
  actor.org = "Example \"Org\"";
  actor.auth = "os uid 1000 (" + name + ")";
  return {actor, SigningKey::generate()};
}

EntryDraft note(const std::string& text) {
  EntryDraft draft;
  draft.action = "note";
  draft.detail = {{"text", text}};
  return draft;
}

/// What a dishonest examiner would seal.
struct Foreign {
  fs::path bundle;
  std::string manifest_sha256;
  std::string tagmanifest_sha256;
};

SealedBundle take(const Foreign& foreign, const fs::path& evidence) {
  SealedBundle bundle;
  bundle.path = evidence / "E003.tar.zst";
  fs::copy_file(foreign.bundle, bundle.path);
  bundle.sha256 = sha256_of(*open_source(bundle.path));
  bundle.manifest_sha256 =
      Digest::from_hex(foreign.manifest_sha256).value_or(Digest{});
  bundle.tagmanifest_sha256 =
      Digest::from_hex(foreign.tagmanifest_sha256).value_or(Digest{});
  bundle.counts = Json::object();
  return bundle;
}

void make(const fs::path& folder, int notes, const Foreign& foreign) {
  const SystemClock clock;
  const Examiner eve = person("Eve \"|\" Example");
  const Examiner bob = person("Bob Second");
  make_source(folder / "source");
  CaseFile file = CaseFile::create(folder / "case",
                                   {.case_id = "IR-2026.001",
                                    .title = "Compat",
                                    .lead = "",
                                    .org = "Example Org",
                                    .hold_reference = "",
                                    .approvals = 0},
                                   eve, clock);
  for (int exhibits = 0; exhibits < 2; ++exhibits) {
    EntryDraft begin;
    begin.action = "acquire.begin";
    begin.detail = {{"title", "awkward names"},
                    {"collectors", {"model-files"}}};
    const auto reserved = file.reserve_exhibit(begin, eve);
    const SealedBundle bundle =
        seal(folder / "source", folder / "case" / "evidence", file.id(),
             reserved.exhibit, file.head(), clock);
    (void)file.append({seal_draft(reserved.exhibit, bundle)}, eve);
  }
  if (!foreign.bundle.empty()) {
    EntryDraft begin;
    begin.action = "acquire.begin";
    begin.detail = {{"title", "made by hand"}, {"collectors", {"manual"}}};
    (void)file.reserve_exhibit(begin, eve);
    const SealedBundle bundle = take(foreign, folder / "case" / "evidence");
    (void)file.append({seal_draft("E003", bundle)}, eve);
  }
  if (foreign.bundle.empty()) {  // an acquisition that came to no seal
    EntryDraft begin;
    begin.action = "acquire.begin";
    begin.detail = {{"title", "failed"}, {"collectors", {"model-files"}}};
    const auto reserved = file.reserve_exhibit(begin, eve);
    EntryDraft end;
    end.action = "acquire.end";
    end.item = reserved.exhibit;
    end.outcome = Outcome::failed;
    end.detail = {{"items", 0},
                  {"gaps", 0},
                  {"counts", Json::object()},
                  {"reason", "the disk is full"}};
    (void)file.append({end}, eve);
  }
  EntryDraft gap;
  gap.action = "acquire.file";
  gap.item = "E001";
  gap.outcome = Outcome::missing;
  gap.object = {{"kind", "gap"}, {"path", "/absent \x1b[31m"}};
  gap.detail = {{"gap", true}, {"collector", "x"}, {"reason", "not there"}};
  EntryDraft finding = note("");
  finding.detail = {{"kind", "finding"},  {"verdict", "likely"},
                    {"severity", "high"}, {"title", "One line\nALL OK"},
                    {"detail", ""},       {"items", Json::array()}};
  (void)file.append({gap, finding}, eve);
  (void)file.append(
      {add_signer_draft(SignerCard::of(bob), Rights::from("act").value())},
      eve);
  std::vector<EntryDraft> drafts;
  for (int i = 0; i < notes; ++i) {
    drafts.push_back(
        note(fmt::format("note {}, \"prev\":\"{}\" a word\n|", i, i)));
  }
  (void)file.append(drafts, bob);
  export_case(file, bob, {.folder = folder / "export"});
  export_case(file, bob, {.folder = folder / "bare", .with_exhibits = false});
}

void export_old(const fs::path& folder, const fs::path& old_case) {
  const SystemClock clock;
  CaseFile file(old_case, CaseMode::write, clock);
  export_case(file, person("Bob Second"), {.folder = folder});
}

}  // namespace
}  // namespace impound

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    if (argc == 4 && std::string_view(argv[2]) == "old") {
      impound::export_old(argv[1], argv[3]);
      return 0;
    }
    impound::Foreign foreign;
    if (argc > 5) foreign = {argv[3], argv[4], argv[5]};
    impound::make(argv[1], argc > 2 ? std::stoi(argv[2]) : 12, foreign);
  } catch (const impound::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
