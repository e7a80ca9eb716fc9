// SPDX-License-Identifier: Apache-2.0
/// What somebody names as a baseline, told before anything rests on it.

#include "core/engine/baseline_check.hpp"

#include "core/base/error.hpp"
#include "core/view/baseline.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace impound;
using impound::test::TempDir;

namespace {

std::string weights() {
  std::string text = R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})";
  while (text.size() % 8 != 0) text += ' ';
  std::string file(8, '\0');
  file[0] = static_cast<char>(text.size());
  return file + text + "01234567";
}

/// The document of a baseline of `folder`, signed by a new key.
std::string document(const TempDir& folder, const SigningKey& key) {
  SilentProgress progress;
  const Cancellation cancellation;
  BaselineOptions options;
  options.name = "made-up";
  return sign_baseline(make_baseline(*open_path_tree(folder.path()), options,
                                     progress, cancellation),
                       key);
}

Errc refusal(const BaselineCheck& check) {
  try {
    check.require_usable();
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == check.sentence());
    return error.code();
  }
  FAIL("it was not refused");
  return Errc::io;
}

}  // namespace

TEST_CASE("a baseline is told with its kind, its signature and its key") {
  const TempDir model;
  model.write("model.safetensors", weights());
  const SigningKey key = SigningKey::generate();
  const TempDir folder;
  const std::string text = document(model, key);
  const BaselineCheck check = check_baseline(folder.write("b.json", text));
  CHECK(check.kind == BaselineKind::model);
  CHECK(check.signature == BaselineSignature::valid);
  CHECK(check.weights == 1);
  CHECK(check.is_usable());
  CHECK_FALSE(check.key_fingerprint.empty());
  CHECK(check.sentence().find("signed by key " + check.key_fingerprint) !=
        std::string::npos);
  CHECK_NOTHROW(check.require_usable());

  SECTION("one that was altered is refused as evidence is") {
    std::string altered = text;
    altered.replace(altered.find("made-up"), 7, "made_up");
    const BaselineCheck broken =
        check_baseline(folder.write("broken.json", altered));
    CHECK(broken.signature == BaselineSignature::invalid);
    CHECK_FALSE(broken.is_usable());
    CHECK(refusal(broken) == Errc::integrity);
  }
}

TEST_CASE("a baseline that is no baseline is named as what it is") {
  const TempDir folder;
  const auto says = [](const BaselineCheck& check, std::string_view what) {
    CHECK(check.kind == BaselineKind::none);
    CHECK(refusal(check) == Errc::bad_input);
    INFO(check.sentence());
    CHECK(check.sentence().find(check.path.native() + " is no baseline: ") ==
          0);
    CHECK(check.sentence().find(what) != std::string::npos);
  };
  says(check_baseline(folder.write("notes.json", R"({"a": 1})")),
       "neither a baseline document nor weights");
  says(check_baseline(folder.path()), "a folder of 1 files, none of which");
  says(check_baseline(folder.path() / "gone.json"), "No such file");
  says(check_baseline(
           folder.write("half.json", R"({"baseline": {"format": "impound-)")),
       "");
}

TEST_CASE("the files of a model are a baseline that nobody signed") {
  const TempDir model;
  model.write("model.safetensors", weights());
  const BaselineCheck check = check_baseline(model.path());
  CHECK(check.kind == BaselineKind::model_files);
  CHECK(check.is_usable());
  CHECK(check.sentence().find("nobody signed it") != std::string::npos);
}

TEST_CASE("a baseline of a model without weights says that it has none") {
  const TempDir papers;
  papers.write("README.md", "hello");
  const TempDir folder;
  const BaselineCheck check = check_baseline(
      folder.write("b.json", document(papers, SigningKey::generate())));
  CHECK(check.kind == BaselineKind::model);
  CHECK(check.weights == 0);
  CHECK(check.sentence().find("without any weights") != std::string::npos);
}
