// SPDX-License-Identifier: Apache-2.0
/// model-files: the bytes of a model, from a folder, one file, or a Hugging
/// Face cache.
///
/// Files are stored as model/<path below the model's folder>; where they came
/// from is stored as model-source/source.json and model-source/refs/<name>.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "collectors/sizing_sink.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/collector.hpp"
#include "core/evidence/model_items.hpp"

namespace impound {
namespace {

/// The name of an item below one of the two folders.
std::string item_name(std::string_view folder, std::string_view below) {
  return fmt::format("{}/{}", folder, below);
}

/// Where a model lies, once links and cache layout are understood.
struct Model {
  enum class Layout : std::uint8_t { folder, file, hugging_face };

  Layout layout = Layout::folder;
  fs::path asked;       ///< as the descriptor or the argument says
  fs::path root;        ///< the folder to walk, or the file; no links in it
  fs::path repository;  ///< links are followed inside this folder only
  std::string commit;   ///< hugging_face: the name of the snapshot
};

std::string_view name_of(Model::Layout layout) {
  switch (layout) {
    case Model::Layout::folder:
      return "folder";
    case Model::Layout::file:
      return "file";
    case Model::Layout::hugging_face:
      return "hf-snapshot";
  }
  return "folder";
}

bool is_folder(const fs::path& path) {
  const auto stat = stat_path(path, Links::follow);
  return stat && stat->kind == FileKind::directory;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [end, rest] =
      std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

/// All files below refs/ with the commit each names, sorted by name.
std::vector<std::pair<std::string, std::string>> read_refs(
    const fs::path& repository) {
  std::vector<std::pair<std::string, std::string>> refs;
  std::vector<std::string> open{""};
  for (int round = 0; round < limits::kMaxDepth && !open.empty(); ++round) {
    std::vector<std::string> next;
    for (const std::string& below : open) {
      const fs::path folder = repository / "refs" / below;
      const auto names = list_directory(folder);
      if (!names) continue;
      for (const std::string& name : *names) {
        const std::string ref = below.empty() ? name : below + "/" + name;
        const auto stat = stat_path(folder / name, Links::refuse);
        if (!stat) continue;
        if (stat->kind == FileKind::directory) next.push_back(ref);
        // A ref holds 40 hexadecimal digits.
        if (stat->kind != FileKind::regular || stat->size > limits::kKiB) {
          continue;
        }
        const auto text = read_proc_text(folder / name);
        if (text) refs.emplace_back(ref, trim(*text));
      }
    }
    open = std::move(next);
  }
  std::ranges::sort(refs);
  return refs;
}

/// The snapshot that a models--org--repo folder serves by default.
/// @throws Error{bad_input} if that cannot be told.
std::string default_commit(const fs::path& repository) {
  const auto is_snapshot = [&](const std::string& commit) {
    return is_safe_member_name(commit) && commit.find('/') == commit.npos &&
           is_folder(repository / "snapshots" / commit);
  };
  for (const auto& [ref, commit] : read_refs(repository)) {
    if (ref == "main" && is_snapshot(commit)) return commit;
  }
  const auto snapshots = list_directory(repository / "snapshots");
  if (snapshots && snapshots->size() == 1 && is_snapshot(snapshots->front())) {
    return snapshots->front();
  }
  throw Error(Errc::bad_input,
              fmt::format("{}: refs/main names no snapshot and there is not "
                          "exactly one; name the folder below snapshots/",
                          printable(repository.native())));
}

fs::path asked_path(const Target& target) {
  return target.arguments.path("root").value_or(target.deployment.model_path);
}

/// @throws Error{io} if the path is not there, Error{bad_input}.
Model find_model(const Target& target) {
  Model model;
  model.asked = asked_path(target);
  if (model.asked.empty()) {
    throw Error(Errc::bad_input,
                "the deployment names no model path and none was given");
  }
  std::error_code failure;
  const fs::path real = fs::canonical(model.asked, failure);
  if (failure) {
    throw Error(Errc::io, fmt::format("cannot read {}: {}",
                                      printable(model.asked.native()),
                                      failure.message()));
  }
  if (!is_folder(real)) {
    model.layout = Model::Layout::file;
    model.root = real;
    model.repository = real.parent_path();
    return model;
  }
  model.root = real;
  model.repository = real;
  if (is_folder(real / "snapshots") &&
      (is_folder(real / "blobs") || is_folder(real / "refs"))) {
    model.layout = Model::Layout::hugging_face;
    model.commit = default_commit(real);
    model.root = real / "snapshots" / model.commit;
  } else if (real.parent_path().filename() == "snapshots") {
    const fs::path repository = real.parent_path().parent_path();
    if (is_folder(repository / "blobs") || is_folder(repository / "refs")) {
      model.layout = Model::Layout::hugging_face;
      model.repository = repository;
      model.commit = real.filename();
    }
  }
  return model;
}

/// Walks a model's folder in sorted order and hands everything to a sink.
class Walk {
 public:
  Walk(const Model& model, EvidenceSink& sink) : model_(model), sink_(sink) {}

  void folder(const fs::path& path, const std::string& name, int depth) {
    const auto names = list_directory(path);
    if (!names) {
      sink_.gap(path.native(), outcome_of(names.failure()),
                "cannot list the folder: " + names.failure().message());
      return;
    }
    for (const std::string& child : *names) {
      if (sink_.must_stop()) {
        if (!stopped_) {
          sink_.gap((path / child).native(), Outcome::partial,
                    "stopped: this and everything after it was not taken");
        }
        stopped_ = true;
        return;
      }
      one(path / child, name.empty() ? child : name + "/" + child, depth);
      if (stopped_) return;
    }
  }

 private:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;

  void one(const fs::path& path, const std::string& name, int depth) {
    const auto stat = stat_path(path, Links::refuse);
    if (!stat) {
      sink_.gap(path.native(), outcome_of(stat.failure()),
                stat.failure().message());
      return;
    }
    switch (stat->kind) {
      case FileKind::regular:
        sink_.file({.name = item_name(kModelFolder, name), .path = path});
        return;
      case FileKind::directory:
        sink_.entry(item_name(kModelFolder, name), path);
        enter(path, name, {stat->device, stat->inode}, depth);
        return;
      case FileKind::symlink:
        link(path, name, depth);
        return;
      case FileKind::fifo:
      case FileKind::socket:
      case FileKind::character_device:
      case FileKind::block_device:
      case FileKind::unknown:
        sink_.gap(path.native(), Outcome::failed,
                  fmt::format("it is a {}, which is never opened",
                              to_string(stat->kind)));
        return;
    }
  }

  void enter(const fs::path& path, const std::string& name, Identity identity,
             int depth) {
    if (depth >= limits::kMaxDirectoryDepth) {
      sink_.gap(path.native(), Outcome::failed,
                fmt::format("deeper than {} folders: nothing below was taken",
                            limits::kMaxDirectoryDepth));
      return;
    }
    if (std::ranges::find(above_, identity) != above_.end()) {
      sink_.gap(path.native(), Outcome::failed,
                "the folder holds itself: not entered again");
      return;
    }
    above_.push_back(identity);
    folder(path, name, depth + 1);
    above_.pop_back();
  }

  void link(const fs::path& path, const std::string& name, int depth) {
    const std::string stored = item_name(kModelFolder, name);
    const auto text = read_link(path);
    const std::string shown = text ? *text : std::string("?");
    std::error_code failure;
    const fs::path real = fs::canonical(path, failure);
    if (failure) {
      sink_.entry(stored, path);
      sink_.gap(path.native(),
                failure == std::errc::no_such_file_or_directory
                    ? Outcome::missing
                    : Outcome::failed,
                fmt::format("link to {}: {}; stored as a link",
                            printable(shown), failure.message()));
      return;
    }
    if (!is_below(real, model_.repository)) {
      sink_.entry(stored, path);
      sink_.gap(path.native(), Outcome::failed,
                fmt::format("link to {} leaves {}: not followed, stored as a "
                            "link",
                            printable(real.native()),
                            printable(model_.repository.native())));
      return;
    }
    const auto stat = stat_path(real, Links::refuse);
    if (stat && stat->kind == FileKind::directory) {
      sink_.entry(stored, path);
      // Inside the walked folder its content is taken where it lies.
      if (is_below(real, model_.root)) return;
      // Elsewhere in the repository it would be lost: taken below the link's
      // name, which is a folder then only in the names of its files.
      enter(real, name + ".target", {stat->device, stat->inode}, depth);
      return;
    }
    if (!stat || stat->kind != FileKind::regular) {
      sink_.entry(stored, path);
      sink_.gap(path.native(), Outcome::failed,
                fmt::format("link to {}, a {}, which is never opened",
                            printable(real.native()),
                            to_string(stat ? stat->kind : FileKind::unknown)));
      return;
    }
    FileRequest request{.name = stored, .path = real};
    request.found_as = path.native() + " -> " + shown;
    if (model_.layout == Model::Layout::hugging_face &&
        real.parent_path().filename() == "blobs") {
      // The name of a blob is its SHA-256, or its git SHA-1 if 40 digits long.
      request.notes["hf_blob"] = lossless_utf8(real.filename().native());
    }
    sink_.file(request);
  }

  const Model& model_;
  EvidenceSink& sink_;
  std::vector<Identity> above_;  // folders on the way down, against loops
  bool stopped_ = false;
};

/// "models--org--repo" → "org/repo"; "" if it is not such a name.
std::string repository_id(const fs::path& repository) {
  std::string name = repository.filename();
  const std::size_t kind = name.find("--");
  if (kind == name.npos) return "";
  name.erase(0, kind + 2);
  if (const std::size_t at = name.find("--"); at != name.npos) {
    name.replace(at, 2, "/");
  }
  return name;
}

void take_source(const Model& model, EvidenceSink& sink) {
  Json source{{"asked", lossless_utf8(model.asked.native())},
              {"resolved", lossless_utf8(model.root.native())},
              {"layout", name_of(model.layout)}};
  if (model.layout == Model::Layout::hugging_face) {
    source["repository"] = lossless_utf8(model.repository.native());
    source["repository_id"] = lossless_utf8(repository_id(model.repository));
    source["commit"] = lossless_utf8(model.commit);
    source["refs"] = Json::object();
    for (const auto& [ref, commit] : read_refs(model.repository)) {
      source["refs"][lossless_utf8(ref)] = lossless_utf8(commit);
      sink.file({.name = item_name(kModelSourceFolder, "refs/" + ref),
                 .path = model.repository / "refs" / ref});
    }
    // A partial download beside the snapshot is not part of it, but says that
    // the cache was changing.
    source["incomplete_blobs"] = Json::array();
    if (const auto blobs = list_directory(model.repository / "blobs")) {
      for (const std::string& blob : *blobs) {
        if (blob.ends_with(".incomplete")) {
          source["incomplete_blobs"].push_back(lossless_utf8(blob));
        }
      }
    }
  }
  const std::string text = dump_pretty(source);
  sink.bytes({.name = item_name(kModelSourceFolder, "source.json"),
              .content = as_bytes(text),
              .source = model.asked.native()});
}

void take_model(const Model& model, EvidenceSink& sink) {
  take_source(model, sink);
  if (model.layout != Model::Layout::file) {
    Walk(model, sink).folder(model.root, "", 0);
    return;
  }
  FileRequest request{
      .name = item_name(kModelFolder, model.asked.filename().native()),
      .path = model.root};
  const auto link = read_link(model.asked);
  if (link) request.found_as = model.asked.native() + " -> " + *link;
  const auto stat = stat_path(model.root, Links::refuse);
  if (stat && stat->kind != FileKind::regular) {
    sink.gap(model.root.native(), Outcome::failed,
             fmt::format("it is a {}, which is never opened",
                         to_string(stat->kind)));
    return;
  }
  sink.file(request);
}

void collect(const Target& target, EvidenceSink& sink) {
  take_model(find_model(target), sink);
}

std::string describe(const Target& target) {
  const Model model = find_model(target);
  SizingSink sizes;
  take_model(model, sizes);
  std::string where = printable(model.root.native());
  if (model.layout == Model::Layout::hugging_face) {
    where = fmt::format("{} (snapshot {} of {})", where,
                        printable(model.commit.substr(0, 12)),
                        printable(repository_id(model.repository)));
  }
  std::string text =
      fmt::format("Reads {} files, {}, below {}", sizes.files_seen(),
                  human_bytes(sizes.bytes_seen()), where);
  if (sizes.gaps_seen() != 0) {
    text += fmt::format("; {} things there cannot be taken", sizes.gaps_seen());
  }
  return text + ".";
}

std::uint64_t estimate(const Target& target) {
  SizingSink sizes;
  take_model(find_model(target), sizes);
  return sizes.bytes_seen();
}

const std::array kParameters{Parameter{
    .name = "root",
    .type = ParameterType::path,
    .help = "A folder, file or Hugging Face snapshot to take instead of the "
            "deployment's model.",
    .touches = Touches::path}};

constexpr std::array kTakes{DeploymentPart::model};

}  // namespace

extern const Collector kModelFiles;
constinit const Collector kModelFiles{
    .name = kModelCollector,
    .summary =
        "The files of the model: weights, configuration, tokenizer, "
        "templates, code.",
    .reach = Reach::files,
    .volatility = 6,
    .parameters = kParameters,
    .collect = collect,
    .describe = describe,
    .estimate = estimate,
    .takes = kTakes,
};

}  // namespace impound
