// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/served_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/evidence/process_mappings.hpp"
#include "core/evidence/tree.hpp"

namespace impound {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

/// Device nodes through which memory of an accelerator is reached: NVIDIA
/// (kernel-open/nvidia), AMD (amdkfd), DRM render nodes, the accel subsystem
/// (Documentation/accel), Habana, AWS Neuron, Huawei Ascend.
constexpr std::array<std::string_view, 7> kAccelerators{
    "/dev/nvidia", "/dev/kfd",    "/dev/dri/",   "/dev/accel",
    "/dev/hl",     "/dev/neuron", "/dev/davinci"};

/// Names that only weights have.
constexpr std::array<std::string_view, 10> kWeightsNames{
    ".safetensors", ".gguf",  ".ggml",   ".pt",       ".pth",
    ".ckpt",        ".keras", ".tflite", ".pdparams", ".onnx"};
/// Names that weights have too: believed below a model path only.
constexpr std::array<std::string_view, 8> kLikelyNames{
    ".bin", ".h5", ".hdf5", ".npz", ".npy", ".pb", ".pkl", ".joblib"};

template <std::size_t N>
bool ends_with_any(std::string_view name,
                   const std::array<std::string_view, N>& endings) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::ranges::any_of(endings, [&](std::string_view ending) {
    return lower.ends_with(ending);
  });
}

bool is_accelerator(std::string_view path) {
  return std::ranges::any_of(kAccelerators, [&](std::string_view one) {
    return path.starts_with(one);
  });
}

/// Shared memory that the kernel shows as a file, and nobody can open.
bool is_shared_memory(std::string_view path) {
  return path == "/dev/zero" || path.starts_with("/SYSV");
}

/// Files that the kernel makes up as they are read: never a model, and reading
/// one may do something.
bool is_made_by_kernel(std::string_view path) {
  return path.starts_with("/proc/") || path.starts_with("/sys/");
}

bool lies_below(const fs::path& path, const fs::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

/// What the descriptor names: every file below its model path.
struct NamedFile {
  fs::path path;
  std::uint64_t size = 0;
  bool is_weights = false;
  bool lies_in_model = false;
};

/// What one inode is to the processes, while it is found out.
struct Held {
  ServedFile file;
  bool has_name = true;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> mapped;  // begin, end
  std::uint64_t anonymous = 0;
};

/// Bytes of a file of `size` bytes that lie in at least one of `parts`.
std::uint64_t covered(
    std::vector<std::pair<std::uint64_t, std::uint64_t>> parts,
    std::uint64_t size) {
  std::ranges::sort(parts);
  std::uint64_t sum = 0;
  std::uint64_t behind = 0;
  for (const auto& [begin, end] : parts) {
    const std::uint64_t from = std::max(begin, behind);
    const std::uint64_t to = std::min(end, size);
    if (to > from) sum += to - from;
    behind = std::max(behind, std::min(end, size));
  }
  return sum;
}

class Look {
 public:
  Look(const Deployment& deployment, const ProcFs& procfs,
       WeightsTest holds_weights)
      : procfs_(procfs), holds_weights_(holds_weights) {
    result_.model_path = deployment.model_path;
    name_files();
  }

  ServedModel run(const LocatedProcesses& located) {
    result_.located_by = located.how;
    if (located.roots.empty()) {
      result_.unknowns.push_back(located.problem);
      return std::move(result_);
    }
    for (const ProcessStat& one : procfs_.tree(located.roots)) {
      if (one.is_dead()) continue;
      result_.pids.push_back(one.pid);
      if (!descriptors(one) || !mappings(one)) continue;
      if (!procfs_.is_same(one.pid, one.start_ticks)) {
        unknown(one.pid, "ended while it was looked at");
      }
    }
    classify();
    return std::move(result_);
  }

 private:
  void unknown(Pid pid, std::string_view what) {
    result_.unknowns.push_back(fmt::format("process {} {}", pid, what));
  }

  bool is_weights_file(const fs::path& path) const {
    try {
      return holds_weights_(*open_source(path));
    } catch (const Error&) {
      return false;
    }
  }

  void name_files() {
    if (result_.model_path.empty()) {
      result_.unknowns.emplace_back("the descriptor names no model path");
      return;
    }
    std::unique_ptr<Tree> tree;
    try {
      tree = open_path_tree(result_.model_path);
    } catch (const Error& error) {
      result_.unknowns.emplace_back(error.what());
      root_ = fs::weakly_canonical(result_.model_path);
      return;
    }
    root_ = tree->locator();
    for (const TreeFile& file : tree->files()) {
      const fs::path path =
          tree->kind() == "file" ? root_ : root_ / fs::path(file.name);
      const auto stat = stat_path(path, Links::follow);
      if (!stat || stat->kind != FileKind::regular) continue;
      NamedFile named{.path = path,
                      .size = stat->size,
                      .lies_in_model = file.kind == FileKind::regular};
      const FileIdentity identity{stat->device, stat->inode};
      const auto [at, is_new] = named_.try_emplace(identity, named);
      if (!is_new) {
        at->second.lies_in_model |= named.lies_in_model;
        continue;
      }
      at->second.is_weights =
          is_weights_name(file.name) || is_weights_file(path);
    }
    result_.are_names_known = true;
  }

  Held& hold(FileIdentity identity, const std::string& path, Pid pid) {
    const auto [at, is_new] = held_.try_emplace(identity);
    ServedFile& file = at->second.file;
    if (is_new) {
      file.identity = identity;
      file.path = path;
    }
    if (std::ranges::find(file.pids, pid) == file.pids.end()) {
      file.pids.push_back(pid);
    }
    return at->second;
  }

  void accelerator(Pid pid, const std::string& path) {
    const std::string text =
        fmt::format("{} (process {})", printable(path), pid);
    auto& known = result_.accelerators;
    if (std::ranges::find(known, text) == known.end()) known.push_back(text);
  }

  /// False if nothing was learnt of the process.
  bool descriptors(const ProcessStat& process) {
    const Pid pid = process.pid;
    const auto open = procfs_.descriptors(pid);
    if (!open) {
      unknown(pid, open.failure().is_missing()
                       ? "ended while it was looked at"
                       : "may not be looked into: " + open.failure().message());
      return false;
    }
    for (const int fd : *open) {
      const fs::path link = procfs_.path(pid, "fd") / std::to_string(fd);
      const auto target = read_link(link);
      if (!target || !target->starts_with('/')) continue;  // sockets, pipes
      const auto stat = stat_path(link, Links::follow);
      if (!stat) continue;  // closed since the list was made
      if (stat->kind == FileKind::character_device && is_accelerator(*target)) {
        accelerator(pid, *target);
      }
      if (stat->kind != FileKind::regular || is_made_by_kernel(*target)) {
        continue;
      }
      std::string path = *target;
      const bool is_deleted = stat->links == 0 || path.ends_with(kDeleted);
      if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
      Held& held = hold({stat->device, stat->inode}, path, pid);
      held.file.is_open = true;
      held.file.size = stat->size;
      held.file.door = link;
      if (is_deleted) held.has_name = false;
    }
    return true;
  }

  /// False if the process's memory could not be looked at.
  bool mappings(const ProcessStat& process) {
    const Pid pid = process.pid;
    const auto text = read_volatile(procfs_.path(pid, "smaps"));
    if (!text) {
      unknown(pid, text.failure().is_missing() ? "ended while it was looked at"
                                               : "does not show its memory: " +
                                                     text.failure().message());
      return false;
    }
    if (!text->is_whole) {
      unknown(pid,
              "has more mappings than are read: not all of its memory was "
              "looked at");
    }
    for (const ProcessMapping& mapping : parse_smaps(text->text)) {
      if (is_accelerator(mapping.path)) {
        accelerator(pid, mapping.path);
      } else if (!mapping.is_file() || !mapping.path.starts_with('/')) {
        result_.fileless_bytes += mapping.anonymous + mapping.swapped;
      } else if (is_shared_memory(mapping.path)) {
        result_.fileless_bytes += mapping.resident + mapping.swapped;
      } else {
        map(pid, mapping);
      }
    }
    return true;
  }

  void map(Pid pid, const ProcessMapping& mapping) {
    FileIdentity identity{mapping.device, mapping.inode};
    std::uint64_t size = 0;
    fs::path door = procfs_.path(pid, "map_files") / mapping.range;
    bool is_by_path = false;
    bool has_name = !mapping.is_deleted;
    const auto direct = stat_path(door, Links::follow);
    if (direct) {
      if (direct->kind != FileKind::regular) return;
      identity = {direct->device, direct->inode};
      size = direct->size;
      has_name = has_name && direct->links != 0;
    } else if (direct.failure().is_missing()) {
      return;  // unmapped since the list was made
    } else {
      is_by_path = true;
      door = procfs_.path(pid, "root") / fs::path(mapping.path).relative_path();
      const auto found = stat_path(door, Links::follow);
      const bool is_same = has_name && found &&
                           found->kind == FileKind::regular &&
                           found->inode == mapping.inode;
      if (is_same) {
        identity = {found->device, found->inode};
        size = found->size;
      } else {
        has_name = false;
        door.clear();
      }
    }
    Held& held = hold(identity, mapping.path, pid);
    if (held.file.door.empty()) {
      held.file.door = door;
      held.file.is_found_by_path = is_by_path;
    }
    held.file.size = std::max(held.file.size, size);
    held.has_name = held.has_name && has_name;
    held.mapped.emplace_back(mapping.offset, mapping.offset + mapping.size);
    held.anonymous += mapping.anonymous;
    if (mapping.is_shared) {
      held.file.is_mapped_shared = true;
    } else {
      held.file.is_mapped_private = true;
      held.file.changed_bytes += mapping.anonymous + mapping.swapped;
    }
  }

  /// Of all that is open and mapped, what is a model file, and which.
  void classify() {
    for (auto& [identity, held] : held_) {
      ServedFile& file = held.file;
      const auto named = named_.find(identity);
      const bool is_below = !root_.empty() && lies_below(file.path, root_);
      if (named != named_.end()) {
        file.relation = FileRelation::named;
        file.is_weights = named->second.is_weights;
        file.lies_in_model = named->second.lies_in_model;
      } else {
        file.relation =
            held.has_name ? FileRelation::elsewhere : FileRelation::deleted;
        file.is_weights =
            ends_with_any(file.path, kWeightsNames) ||
            (is_below && ends_with_any(file.path, kLikelyNames)) ||
            (!file.door.empty() && is_weights_file(file.door));
      }
      const bool is_model_file =
          file.is_weights || is_below || named != named_.end();
      if (!is_model_file) {
        result_.fileless_bytes += held.anonymous;
        continue;
      }
      file.mapped_bytes = covered(held.mapped, file.size);
      std::ranges::sort(file.pids);
      result_.files.push_back(std::move(file));
    }
    std::ranges::sort(result_.files, {}, [](const ServedFile& file) {
      return std::tuple(file.relation, file.path, file.identity);
    });
    for (const auto& [identity, named] : named_) {
      if (!named.is_weights) continue;
      NamedWeights weights{
          .path = named.path, .identity = identity, .size = named.size};
      for (const ServedFile& file : result_.files) {
        if (file.identity == identity) weights.mapped_bytes = file.mapped_bytes;
      }
      result_.weights.push_back(std::move(weights));
    }
    std::ranges::sort(result_.weights, {}, &NamedWeights::path);
  }

  const ProcFs& procfs_;
  WeightsTest holds_weights_;
  ServedModel result_;
  fs::path root_;  // of the model, links resolved
  std::map<FileIdentity, NamedFile> named_;
  std::map<FileIdentity, Held> held_;
};

}  // namespace

bool is_weights_name(std::string_view name) {
  return ends_with_any(name, kWeightsNames) ||
         ends_with_any(name, kLikelyNames);
}
ServedModel look_at_served_model(const Deployment& deployment,
                                 const ProcessLocator& locator,
                                 const ProcFs& procfs,
                                 WeightsTest holds_weights) {
  return Look(deployment, procfs, holds_weights)
      .run(locate_processes(locator, procfs));
}

}  // namespace impound
