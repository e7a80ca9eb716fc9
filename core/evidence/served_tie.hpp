// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the processes of a deployment really hold of model files, and whether
/// that is what the descriptor names.
///
/// A descriptor says where a model lies. It does not say what a server computes
/// with: the file may have been exchanged under a running process (which then
/// keeps the old one, without a name), the process may have been started with
/// another path, it may have copied the weights into its own memory or onto an
/// accelerator, or somebody may have written into its mapping. Whoever compares
/// the files below the model path with a baseline judges files, not the model
/// that answers. So the two are tied together here, by what the kernel says:
/// every regular file that is open (/proc/PID/fd) or mapped (/proc/PID/smaps)
/// is told apart by device and inode, never by its name, and held against the
/// files below the model path, links resolved.
///
/// Device numbers in /proc/PID/maps are not those of stat on file systems like
/// btrfs and overlayfs, so a mapping is looked at through /proc/PID/map_files.
/// Where that is not permitted, the path is looked up in the root of the
/// process and its inode compared; the file then says so.
///
/// What this cannot see: weights in anonymous memory, on a device, or on
/// another machine. That is never "tied"; see ServedTie.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.hpp"
#include "core/base/procfs.hpp"
#include "core/evidence/file_identity.hpp"

namespace impound {

/// How a held file stands to what the descriptor names.
enum class FileRelation : std::uint8_t {
  named,      ///< the same inode as a file below the model path
  deleted,    ///< without a name: its path is another file now, or nothing
  elsewhere,  ///< a file with a name that the descriptor does not name
};

[[nodiscard]] std::string_view to_string(FileRelation relation) noexcept;
[[nodiscard]] std::optional<FileRelation> file_relation_from(
    std::string_view name) noexcept;

/// A model file that a process holds.
struct ServedFile {
  std::string path;  ///< as the kernel names it, in the process's own root
  FileIdentity identity{};
  FileRelation relation = FileRelation::elsewhere;
  bool is_weights = false;
  /// Below the model path itself, so that the model's own collection takes it;
  /// false for what only a link leads to.
  bool lies_in_model = false;
  std::uint64_t size = 0;           ///< bytes
  std::vector<Pid> pids;            ///< ascending
  bool is_open = false;             ///< as a descriptor
  std::uint64_t mapped_bytes = 0;   ///< of the file, by all of them together
  std::uint64_t changed_bytes = 0;  ///< of private mappings, in memory only
  bool is_mapped_shared = false;
  bool is_mapped_private = false;
  /// A path that opens these very bytes ("/proc/7/fd/3"), with or without a
  /// name on disk; empty if none is permitted.
  std::filesystem::path door = {};
  /// Found by its path, because map_files could not be looked at.
  bool is_found_by_path = false;
  /// "E001" where it was held when that exhibit was taken, and is not now.
  std::string seen_in = {};

  [[nodiscard]] Json to_json() const;
  /// What an item's notes keep under "served", and back; empty if they hold
  /// nothing of the kind.
  [[nodiscard]] Json to_notes() const;
  [[nodiscard]] static std::optional<ServedFile> from_notes(const Json& notes);
};

/// Weights that the descriptor names: a file below its model path.
struct NamedWeights {
  std::filesystem::path path;
  FileIdentity identity{};
  std::uint64_t size = 0;
  std::uint64_t mapped_bytes = 0;  ///< of it, by the processes
};

/// Whether what the processes hold is what the descriptor names. From the
/// worst.
enum class ServedTie : std::uint8_t {
  other_file,        ///< weights are held that the descriptor does not name
  modified_mapping,  ///< a mapping of weights was written to in memory
  unknown,           ///< no process, or not everything could be looked at
  untied,            ///< nothing shows that the files are what is computed with
  tied,              ///< every weights file named is mapped, and no other held
};

[[nodiscard]] std::string_view to_string(ServedTie tie) noexcept;

/// What was measured, at one moment.
struct ServedModel {
  std::string located_by;  ///< "listens on TCP port 8080"
  std::vector<Pid> pids;
  std::filesystem::path model_path;
  bool are_names_known = false;  ///< the files below model_path were listed
  std::vector<NamedWeights> weights;
  std::vector<ServedFile> files;          ///< by relation, then path
  std::vector<std::string> accelerators;  ///< "/dev/nvidia0 (process 7)"
  /// Bytes of memory that belong to no file, of all processes; an upper bound,
  /// because pages that processes share are counted for each.
  std::uint64_t fileless_bytes = 0;
  std::vector<std::string> unknowns;  ///< what could not be looked at, and why

  /// True for weights that the descriptor does not name.
  [[nodiscard]] bool is_other(const ServedFile& file) const;
  [[nodiscard]] ServedTie tie() const;
  /// What was measured, for a person: one or two sentences with full stops.
  [[nodiscard]] std::string sentence() const;
  [[nodiscard]] Json to_json() const;
};

}  // namespace impound
