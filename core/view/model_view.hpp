// SPDX-License-Identifier: Apache-2.0
#pragma once
/// One side of a comparison: files, tensors and their digests, whether they
/// come from bytes at hand (folder, file, snapshot, exhibit) or from a baseline
/// that only remembers them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/boxed.hpp"
#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/crypto/digest.hpp"
#include "core/evidence/tree.hpp"
#include "core/formats/problem.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/tensor.hpp"
#include "core/view/known_digests.hpp"
#include "core/view/tensor_access.hpp"

namespace impound {

struct ViewFile {
  std::string path;  ///< relative to the compared folder; raw bytes
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::string link_target;       ///< symlinks
  std::string found_as;          ///< the link that was followed to it
  std::optional<Digest> sha256;  ///< regular files that could be read
  /// FoldedSha256 of the same, of HoleDigests::folded.
  std::optional<Digest> folded = {};
  /// Why there is no sha256 of a file that can be read: its holes.
  std::string unhashed = {};
  std::string failure;  ///< why there is no digest
  /// What it is; empty for what is no regular file, and in baselines of before
  /// formats were recorded.
  std::optional<Format> format;
  /// Why no tensor of it is compared, only its digest; "" where one is.
  std::string not_viewed;
  std::size_t tree_index = 0;  ///< in ModelView::tree->files()
};

struct ViewTensor {
  std::string name;
  std::string file;  ///< ViewFile::path
  Dtype dtype = Dtype::unknown;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  ///< in the file; 0 in a baseline
  std::uint64_t size = 0;    ///< bytes of its numbers
  /// Of its numbers row-major and little-endian, however they are kept.
  std::optional<Digest> sha256;
  /// FoldedSha256 of the same, of HoleDigests::folded.
  std::optional<Digest> folded = {};
  /// Where they do not stand in the file as they are.
  Boxed<TensorAccess> access;

  [[nodiscard]] static ViewTensor in_place(TensorInfo info);
};

/// A text that a model file carries beside its tensors: `__metadata__` of
/// safetensors, every key of a GGUF file. Scalars are JSON; an array is
/// {"count","sha256"} over its bytes in the file.
struct ViewMetadata {
  std::string file;
  std::string key;
  std::string value;
  std::string type;  ///< "string", "u32", "array of f32"; "" where all is text
};

struct ViewProblem {
  std::string file;
  Problem problem;
};

struct ModelView {
  std::string kind;             ///< Tree::kind(), or "baseline"
  std::string locator;          ///< where it is
  std::string revision;         ///< of a Hugging Face snapshot; else empty
  std::string folder;           ///< part of the tree that is compared; "" = all
  bool is_one_file = false;     ///< Tree::is_one_file()
  std::vector<ViewFile> files;  ///< sorted by path
  std::vector<ViewTensor> tensors;     ///< sorted by name, then file
  std::vector<ViewMetadata> metadata;  ///< sorted by file, then key
  std::vector<ViewProblem> problems;
  /// Where the bytes are; null for a baseline. Outlives the view.
  const Tree* tree = nullptr;

  [[nodiscard]] const ViewFile* find_file(std::string_view path) const;
  /// The bytes of a file of this view.
  /// @throws Error{bad_input} where there is no tree or no such file.
  [[nodiscard]] std::unique_ptr<ByteSource> open(std::string_view path) const;
  /// The first text under `key`, or nullptr.
  [[nodiscard]] const ViewMetadata* find_metadata(std::string_view key) const;
};

/// Bytes of tensors that are decoded to be hashed, for each byte of their file:
/// aliases and packed members of a hostile file name the same bytes without
/// end. Seen as "tensor-not-viewed" among the
/// problems.
inline constexpr std::uint64_t kMostRereads = 16;

/// Bytes in the holes of all files of one side that a comparison hashes as the
/// zeros that they read as, so that every file has its SHA-256. They cost
/// nothing to make (`truncate -s 64T`) and a second a gigabyte to hash. Above
/// it, files are compared by their data and the places of it (FoldedSha256);
/// with a baseline, which has a SHA-256 only, by their sizes.
inline constexpr std::uint64_t kMaxHashedHoles = std::uint64_t{1} << 30U;
/// Files below this have no holes to speak of, and are not asked.
inline constexpr std::uint64_t kLeastSparseFile = std::uint64_t{64} << 10U;

/// How the holes of sparse files are looked at. A hole is zeros by the word of
/// the file system; making one costs nothing, hashing it a second a gigabyte.
enum class HoleDigests : std::uint8_t {
  hashed,  ///< as zeros: every file has its SHA-256, whatever that takes
  /// As zeros, while the holes of the side are no more than
  /// kMaxHashedHoles (and once the bytes of ViewOptions::known). Files
  /// beyond that have no digest: ViewFile::unhashed.
  bounded,
  /// Not at all where the holes of the side are more than
  /// kMaxHashedHoles; everything has a folded digest. For two sides
  /// with bytes.
  folded,
};

struct ViewOptions {
  unsigned threads = 0;  ///< 0 = all cores
  /// Only files below this folder count, named relative to it; "" = the tree.
  std::string folder;
  HoleDigests holes = HoleDigests::hashed;
  /// Of HoleDigests::bounded: the other side, of which SHA-256 are known. Files
  /// of the sizes that it has are hashed before others.
  const ModelView* known = nullptr;
};

/// Whether the holes of a tree are too many to be hashed
/// (kMaxHashedHoles). Asks the file system, reads nothing.
[[nodiscard]] bool has_many_holes(const Tree& tree, const std::string& folder);

/// Reads every regular file once and hashes it and the tensors in it from the
/// same bytes, in parallel, holding about 20 MB a core. Tensors that are packed
/// or stand in another order are read once more, at most kMostRereads times the
/// file and 256 MiB, in kMemory bytes of StridedSource. The formats are those
/// of tensor_formats(); what is there and cannot be viewed is among the
/// problems. A file that cannot be read is recorded (ViewFile::failure), not
/// thrown.
/// @throws Error{io} if it was told to stop: half a view proves nothing.
[[nodiscard]] ModelView view_tree(const Tree& tree, const ViewOptions& options,
                                  Progress& progress,
                                  const Cancellation& cancellation);

/// The folder of an exhibit that holds the model, as the record of the
/// collector says; "" of an exhibit without a model, and of everything else:
/// the whole tree. Names and numbers of files say nothing about it.
[[nodiscard]] std::string model_folder(const Tree& tree);

}  // namespace impound
