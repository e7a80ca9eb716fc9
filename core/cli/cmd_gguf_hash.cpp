// SPDX-License-Identifier: Apache-2.0
/// impound gguf-hash: hashes of a GGUF file's tensors, compatible with
/// llama.cpp's program of that name.

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/cli/command.hpp"
#include "core/cli/standard_output.hpp"
#include "core/trust/gguf_digest.hpp"

namespace impound {
namespace {

constexpr std::string_view kMetadata = "metadata";

/// gguf-hash's own exit codes; those of the rest of impound do not fit what
/// scripts around gguf-hash expect.
enum class GgufExit : int {
  success = 0,
  failure = 1,  ///< something differs
  missing = 3,  ///< the manifest does not speak of this file
  unknown = 4,  ///< no hash in the manifest is known
  no_file = 5,  ///< there is no manifest
};

struct Options {
  std::string file;
  bool xxh64 = false;
  bool xxh3 = false;
  bool sha1 = false;
  bool sha256 = false;
  bool uuid = false;
  bool all = false;
  bool metadata = false;
  bool no_layer = false;
  std::string check;
};

struct Checked {
  GgufHashLine line;
  std::optional<GgufManifestMatch> match;  ///< empty without a manifest
};

std::string name_of(const Options& options, const GgufHashLine& line) {
  return line.tensor.empty() ? options.file : options.file + ":" + line.tensor;
}

std::vector<GgufHash> chosen(const Options& options) {
  std::vector<GgufHash> hashes;
  if (options.xxh64 || options.all) hashes.push_back(GgufHash::xxh64);
  if (options.xxh3 || options.all) hashes.push_back(GgufHash::xxh3);
  if (options.sha1 || options.all) hashes.push_back(GgufHash::sha1);
  if (options.sha256 || options.all) hashes.push_back(GgufHash::sha256);
  if (options.uuid) hashes.push_back(GgufHash::uuid);
  return hashes;
}

/// Of the hashes in the manifest the strongest, where none was asked for.
std::vector<GgufHash> strongest(const GgufManifest& manifest) {
  for (const GgufHash hash : {GgufHash::sha256, GgufHash::sha1, GgufHash::xxh64,
                              GgufHash::xxh3, GgufHash::uuid}) {
    if (manifest.has(to_string(hash))) return {hash};
  }
  return {};
}

std::string known_hashes(const GgufManifest& manifest) {
  std::string names;
  for (const std::string_view name :
       {"sha256", "sha1", "xxh64", "xxh3", "uuid", "metadata"}) {
    if (manifest.has(name)) names += "  " + std::string(name);
  }
  return names;
}

/// As gguf-hash decides: the whole file counts, tensors must not contradict.
GgufExit judge(const std::vector<Checked>& lines) {
  bool is_named = false;
  bool differs = false;
  for (const Checked& one : lines) {
    if (one.match == GgufManifestMatch::not_found) continue;
    is_named = true;
    differs = differs || one.match == GgufManifestMatch::mismatch;
  }
  if (!is_named) return GgufExit::missing;
  return differs ? GgufExit::failure : GgufExit::success;
}

std::string_view verdict(GgufExit exit) {
  switch (exit) {
    case GgufExit::success:
      return "Success";
    case GgufExit::failure:
      return "Failure";
    case GgufExit::missing:
      return "Manifest Missing Entry";
    case GgufExit::unknown:
      return "Manifest Unknown Hash";
    case GgufExit::no_file:
      return "Manifest File Error";
  }
  return "Failure";
}

ExitCode show(const Globals& globals, const Options& options,
              const std::vector<Checked>& lines, GgufExit exit) {
  if (globals.json) {
    Json list = Json::array();
    for (const Checked& one : lines) {
      Json entry;
      entry["hash"] = one.line.hash;
      entry["value"] = one.line.value;
      entry["tensor"] = one.line.tensor.empty()
                            ? Json(nullptr)
                            : Json(lossless_utf8(one.line.tensor));
      if (one.match) entry["manifest"] = to_string(*one.match);
      list.push_back(std::move(entry));
    }
    Json document;
    document["file"] = lossless_utf8(options.file);
    document["hashes"] = std::move(list);
    if (!options.check.empty()) {
      document["manifest"] = lossless_utf8(options.check);
      document["result"] = verdict(exit);
    }
    print_json(document);
    return static_cast<ExitCode>(exit);
  }
  std::string text;
  for (const Checked& one : lines) {
    text += fmt::format("{:<8}  {}  {}", one.line.hash, one.line.value,
                        printable(name_of(options, one.line)));
    if (one.match) text += fmt::format("  -  {}", to_string(*one.match));
    text += '\n';
  }
  if (!options.check.empty()) {
    text += fmt::format("\nVerification results for {} - {}\n",
                        printable(options.check), verdict(exit));
  }
  print_text(globals, text);
  return static_cast<ExitCode>(exit);
}

ExitCode refuse_manifest(const Globals& globals, const Options& options,
                         GgufExit exit, std::string_view what) {
  // As every other failure, it is said even under --quiet.
  write_stderr(fmt::format("impound: {} {}\n", what, printable(options.check)));
  return show(globals, options, {}, exit);
}

ExitCode hash(const Globals& globals, const Options& options) {
  const auto source = open_source(options.file);
  std::optional<GgufManifest> manifest;
  if (!options.check.empty()) {
    if (!stat_path(options.check, Links::follow)) {
      return refuse_manifest(globals, options, GgufExit::no_file,
                             "cannot open manifest");
    }
    manifest = parse_gguf_manifest(
        read_text_file(options.check, limits::kMaxJsonDocument));
    if (known_hashes(*manifest).empty()) {
      return refuse_manifest(globals, options, GgufExit::unknown,
                             "no hash that is known in");
    }
    if (!globals.json) {
      print_text(globals,
                 fmt::format("manifest  {}{}\n", printable(options.check),
                             known_hashes(*manifest)));
    }
  }
  GgufHashOptions how;
  how.per_tensor = !options.no_layer;
  how.hashes = chosen(options);
  const bool wants_metadata = options.metadata || globals.json ||
                              (manifest && manifest->has(kMetadata));
  if (how.hashes.empty() && manifest) how.hashes = strongest(*manifest);
  if (how.hashes.empty() && !manifest) how.hashes = {GgufHash::xxh64};
  const auto progress = make_progress(globals, Events::no);
  const std::string name = printable(options.file);
  std::vector<GgufHashLine> lines =
      gguf_hashes(*source, name, how, *progress, *globals.cancellation);
  if (wants_metadata) {
    lines.push_back(
        {std::string(kMetadata), gguf_metadata_hash(*source, name).hex(), ""});
  }
  std::vector<Checked> checked;
  for (GgufHashLine& line : lines) {
    Checked one{std::move(line), std::nullopt};
    if (manifest) {
      one.match = match_manifest(*manifest, one.line.hash, one.line.value,
                                 name_of(options, one.line));
    }
    checked.push_back(std::move(one));
  }
  return show(globals, options, checked,
              manifest ? judge(checked) : GgufExit::success);
}

}  // namespace

void add_gguf_hash(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(
      app, Group::look, "gguf-hash",
      "Hashes of a GGUF file's tensors, as llama.cpp's gguf-hash prints them.",
      "impound gguf-hash --sha256 model.gguf");
  auto options = std::make_shared<Options>();
  command->footer(
      "The tensor hashes are over raw tensor data only. 'metadata' is over the "
      "rest:\nSHA-256 of \"gguf-metadata 1\", one line \"kv <key> <type> "
      "<sha256 of the value's\nbytes>\" a key, sorted, and one line \"tensor "
      "<name> <ggml type> <dimensions joined\nby x, innermost first>\" a "
      "tensor, sorted; each line ends in LF.\n"
      "Exit codes, as gguf-hash: 0 done or all as in the manifest; 1 something "
      "differs;\n3 not in the manifest (or the file cannot be read); 4 the "
      "manifest has no hash\nthat is known; 5 there is no manifest.");
  takes(ValueKind::file,
        command->add_option("file", options->file, "GGUF file."))
      ->required();
  command->add_flag("--xxh64", options->xxh64, "XXH64 (the default).");
  command->add_flag("--xxh3", options->xxh3, "XXH3, 64 bits.");
  command->add_flag("--sha1", options->sha1, "SHA-1.");
  command->add_flag("--sha256", options->sha256, "SHA-256.");
  command->add_flag("--uuid", options->uuid,
                    "UUIDv5 of the tensor data, an id for databases.");
  command->add_flag("--all", options->all, "All of them but the UUID.");
  command->add_flag("--metadata", options->metadata,
                    "The hash of what the others leave out; always with "
                    "--json.");
  command->add_flag("--no-layer", options->no_layer,
                    "Of the file only, not of each tensor.");
  takes(ValueKind::file,
        command->add_option(
            "-c,--check", options->check,
            "Manifest to check against: the output of gguf-hash."));
  command->callback([&globals, &run, options] {
    run = [&globals, options] { return hash(globals, *options); };
  });
}

}  // namespace impound
