// SPDX-License-Identifier: Apache-2.0
/// Files that are holes for the most part: what is compared of them, and that
/// it is not compared by reading zeros.

#include "core/base/limits.hpp"
#include "core/compare/delta/delta_signature.hpp"
#include "core/compare/delta/delta_statistics.hpp"
#include "core/compare/model_diff.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/label_text.hpp"
#include "tests/support/safetensors_builder.hpp"
#include "tests/support/sparse_tree.hpp"

namespace impound::test {
namespace {

constexpr std::uint64_t kTera = std::uint64_t{1} << 40U;
/// Heads and tails that recognise formats, and the data.
constexpr std::uint64_t kLittle = 8 * limits::kMiB;

ModelView view(const Tree& tree, HoleDigests holes,
               const ModelView* known = nullptr) {
  SilentProgress progress;
  const Cancellation cancellation;
  ViewOptions options;
  options.threads = 2;
  options.holes = holes;
  options.known = known;
  return view_tree(tree, options, progress, cancellation);
}

ModelDiff explained(const Tree& before, const Tree& after) {
  SilentProgress progress;
  const Cancellation cancellation;
  const ModelView old = view(before, HoleDigests::folded);
  const ModelView now = view(after, HoleDigests::folded);
  ModelDiff diff = diff_models(old, now);
  explain_changes(diff, old, now, {}, progress, cancellation);
  return diff;
}

/// F32 tensors "big" of `numbers` numbers and "small" of four behind it, with
/// `data` at places of "big".
SparseContent weights(std::uint64_t numbers,
                      const std::map<std::uint64_t, std::string>& data) {
  const std::uint64_t bytes = 4 * numbers;
  const Json header = {{"big",
                        {{"dtype", "F32"},
                         {"shape", {numbers / 1024, 1024}},
                         {"data_offsets", {0, bytes}}}},
                       {"small",
                        {{"dtype", "F32"},
                         {"shape", {4}},
                         {"data_offsets", {bytes, bytes + 16}}}}};
  std::string text = dump_line(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  SparseContent content;
  content.data[0] = raw_safetensors(text, "");
  const std::uint64_t begin = content.data[0].size();
  for (const auto& [at, part] : data) content.data[begin + at] = part;
  content.data[begin + bytes] = "0123456789abcdef";
  content.size = begin + bytes + 16;
  return content;
}

const TensorChange& tensor(const ModelDiff& diff, std::string_view name) {
  for (const TensorChange& change : diff.tensors) {
    if (change.name == name) return change;
  }
  throw Error(Errc::bad_input, "no such tensor");
}

TEST_CASE("two files of 64 TiB are compared without their holes being read",
          "[compare][sparse]") {
  const SparseContent one{.size = 64 * kTera, .data = {{40 * kTera, "here"}}};
  const SparseContent moved{.size = 64 * kTera,
                            .data = {{40 * kTera + 1, "here"}}};
  const SparseContent longer{.size = 64 * kTera + 1,
                             .data = {{40 * kTera, "here"}}};
  const SparseTree before({{"a", one}, {"b", one}, {"c", one}, {"d", one}});
  const SparseTree after({{"a", one}, {"b", moved}, {"c", longer}, {"e", one}});
  CHECK(has_many_holes(before, ""));
  const ModelDiff diff = explained(before, after);
  REQUIRE(diff.files.size() == 4);
  CHECK(diff.files[0].status == FileStatus::identical);
  CHECK(diff.files[1].status == FileStatus::changed);
  CHECK(diff.files[2].status == FileStatus::changed);
  CHECK(diff.files[3].status == FileStatus::renamed);
  CHECK(before.bytes_read() + after.bytes_read() < kLittle);
  // No digest of every byte is claimed.
  const Json json = diff.to_json();
  CHECK_FALSE(json["files"][0].contains("sha256_before"));
  CHECK(json["files"][0]["folded_sha256_before"] ==
        json["files"][0]["folded_sha256_after"]);
  CHECK(json["before"]["problems"][0]["rule"] == "holes-not-hashed");
}

TEST_CASE("a hole and zeros that were written are the same bytes",
          "[compare][sparse]") {
  SparseContent sparse{.size = kMaxHashedHoles + limits::kMiB,
                       .data = {{5000, "x"}, {900'000'000, "y"}}};
  SparseContent written = sparse;
  written.zeros = Zeros::written;
  const SparseTree before({{"a", sparse}});
  const SparseTree after({{"a", written}});
  const ModelDiff diff = explained(before, after);
  CHECK(diff.files[0].status == FileStatus::identical);
  CHECK(diff.identical());
  CHECK(before.bytes_read() < kLittle);
  // What was read to its end has both digests.
  CHECK(diff.files[0].after->sha256);
  CHECK_FALSE(diff.files[0].before->sha256);
}

TEST_CASE("few holes are hashed as zeros: every file has its SHA-256",
          "[compare][sparse]") {
  const SparseContent small{.size = 100'000, .data = {{5000, "x"}}};
  const SparseTree tree({{"a", small}});
  CHECK_FALSE(has_many_holes(tree, ""));
  std::string bytes(100'000, '\0');
  bytes[5000] = 'x';
  for (const HoleDigests holes :
       {HoleDigests::hashed, HoleDigests::bounded, HoleDigests::folded}) {
    CHECK(view(tree, holes).files[0].sha256 == sha256(bytes));
  }
}

TEST_CASE("a flipped bit in a tensor of terabytes is found and told",
          "[compare][sparse]") {
  constexpr std::uint64_t kNumbers = std::uint64_t{1} << 36U;
  const std::string page(4096, '\x3f');
  std::string flipped = page;
  flipped[1002] = static_cast<char>(flipped[1002] ^ 1);
  const SparseTree before(
      {{"m.safetensors", weights(kNumbers, {{100 * limits::kGiB, page}})}});
  const SparseTree after(
      {{"m.safetensors", weights(kNumbers, {{100 * limits::kGiB, flipped}})}});
  const ModelDiff same = explained(before, before);
  CHECK(same.identical());
  CHECK(tensor(same, "big").status == TensorStatus::identical);
  const ModelDiff diff = explained(before, after);
  CHECK(tensor(diff, "small").status == TensorStatus::identical);
  CHECK(tensor(diff, "small").after->sha256 == sha256("0123456789abcdef"));
  const TensorChange& big = tensor(diff, "big");
  CHECK(big.status == TensorStatus::changed);
  CHECK(big.label == "bit-flips");
  CHECK(big.stats["changed"] == 1);
  CHECK(big.stats["n"] == kNumbers);
  CHECK(before.bytes_read() + after.bytes_read() < 4 * kLittle);
}

TEST_CASE(
    "a change between holes is measured as far as it is read, and its "
    "kind is not guessed",
    "[compare][sparse]") {
  constexpr std::uint64_t kNumbers = std::uint64_t{1} << 32U;
  std::string noise(1 << 20U, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) {
    noise[i] = static_cast<char>(i % 4 == 3 ? 0x3e : (i * 31) % 251);
  }
  const SparseTree before({{"m.safetensors", weights(kNumbers, {})}});
  const SparseTree after(
      {{"m.safetensors", weights(kNumbers, {{1U << 30U, noise}})}});
  const ModelDiff diff = explained(before, after);
  const TensorChange& big = tensor(diff, "big");
  CHECK(big.status == TensorStatus::changed);
  CHECK(big.label == "unclassified");
  CHECK(big.stats["changed"].get<std::uint64_t>() > 260'000);
  CHECK(big.stats["because"].get<std::string>().find(
            "the kind of change was not measured") != std::string::npos);

  // Larger than what is measured: said, with the number.
  const std::uint64_t huge = kMaxSparseNumbers + 1024;
  const SparseTree vast({{"m.safetensors", weights(huge, {})}});
  const SparseTree other(
      {{"m.safetensors", weights(huge, {{1U << 30U, noise}})}});
  const ModelDiff unmeasured = explained(vast, other);
  CHECK(tensor(unmeasured, "big").status == TensorStatus::changed);
  CHECK(tensor(unmeasured, "big").label == "unclassified");
  CHECK(tensor(unmeasured, "big")
            .stats["because"]
            .get<std::string>()
            .starts_with("not measured: "));
}

TEST_CASE("[I13] what a baseline cannot tell of a sparse file is not compared",
          "[compare][sparse]") {
  ModelView known;
  known.kind = "baseline";
  known.locator = "b.json";
  for (const char* path : {"same-size", "other-size"}) {
    ViewFile file;
    file.path = path;
    file.size = path[0] == 's' ? 64 * kTera : 100;
    file.sha256 = sha256("whatever");
    file.format = Format::unknown;
    known.files.push_back(file);
  }
  std::ranges::sort(known.files, {}, &ViewFile::path);
  // As many bytes as the baseline has are hashed; a decoy of the size of a
  // file is not hashed in its place.
  known.files[1].size = 2 * limits::kGiB;
  const SparseContent full{.size = 2 * limits::kGiB, .data = {{10, "x"}}};
  const SparseContent vast{.size = 64 * kTera, .data = {{10, "x"}}};
  const SparseTree tree({{"a-decoy", full},
                         {"b-decoy", full},
                         {"other-size", vast},
                         {"same-size", full}});
  const ModelView now = view(tree, HoleDigests::bounded, &known);
  const ModelDiff diff = diff_models(known, now);
  CHECK_FALSE(diff.identical());
  REQUIRE(diff.files.size() == 4);
  CHECK_FALSE(diff.files[0].after->sha256);
  CHECK(diff.files[0].status == FileStatus::added);
  CHECK(diff.files[2].status == FileStatus::changed);  // its size says so
  CHECK(diff.files[3].status == FileStatus::changed);  // its SHA-256 says so
  CHECK(diff.files[3].after->sha256);
  CHECK(tree.bytes_read() < 2 * limits::kGiB + 2 * kLittle);

  // Of the size that the baseline says, and too large to be hashed.
  ViewFile beyond = known.files[1];
  beyond.path = "beyond";
  ModelView small;
  small.kind = "baseline";
  beyond.size = 64 * kTera;
  small.files.push_back(beyond);
  const SparseTree lying({{"beyond", vast}});
  // Without what the baseline knows, 1 GiB of holes is hashed and no more.
  const ModelDiff unknown =
      diff_models(small, view(lying, HoleDigests::bounded));
  CHECK(unknown.files[0].status == FileStatus::unreadable);
  CHECK(unknown.files[0].why.find("were not hashed") != std::string::npos);
  CHECK_FALSE(unknown.identical());
  CHECK(unknown.compared().files == 0);
}

}  // namespace
}  // namespace impound::test
