// SPDX-License-Identifier: Apache-2.0
#include "core/trust/signing_manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::size_t kPiece = 4 * limits::kMiB;
constexpr std::array<std::string_view, 4> kGitPaths{".git", ".gitattributes",
                                                    ".github", ".gitignore"};

/// A file of the model and the file of the tree that holds its bytes.
struct Found {
  std::string path;
  const TreeFile* content = nullptr;
};

/// Sorts the files of a tree into those to hash and those to report.
class ModelFiles {
 public:
  ModelFiles(const Tree& tree, const SigningOptions& options,
             SigningManifest& out)
      : tree_(tree), options_(options), out_(out) {
    for (const std::string& path : options.ignore) {
      ignored_.push_back(plain_signed_path(path));
    }
    for (const TreeFile& file : tree.files()) by_name_[file.name] = &file;
  }

  [[nodiscard]] std::vector<Found> choose() {
    const std::string prefix =
        options_.folder.empty() ? "" : options_.folder + "/";
    for (const TreeFile& file : tree_.files()) {
      if (file.kind == FileKind::directory) continue;
      if (!file.name.starts_with(prefix)) continue;
      const std::string path = tree_.kind() == "file"
                                   ? std::string(".")
                                   : file.name.substr(prefix.size());
      if (!options_.only.empty() && !options_.only.contains(path)) continue;
      if (is_ignored(path, ignored_)) {
        out_.ignored.push_back(path);
      } else {
        take(path, file);
      }
    }
    return std::move(found_);
  }

 private:
  void take(const std::string& path, const TreeFile& file) {
    if (file.kind == FileKind::regular) {
      if (!file.found_as.empty()) out_.followed.push_back(path);
      found_.push_back({path, &file});
      return;
    }
    if (file.kind != FileKind::symlink) {
      out_.refused.push_back(
          {path, fmt::format("is a {}: only files and folders can be signed",
                             to_string(file.kind))});
      return;
    }
    if (!options_.allow_symlinks) {
      out_.refused.push_back(
          {path, "is a symlink to " + printable(file.link_target) +
                     ": the signature does not allow symlinks"});
      return;
    }
    follow(path, file);
  }

  void follow(const std::string& path, const TreeFile& link) {
    const TreeFile* at = &link;
    for (int step = 0; step < kMaxSignedLinks; ++step) {
      const std::string target = target_of(*at);
      const auto found = by_name_.find(target);
      if (target.empty() || found == by_name_.end()) {
        out_.unread.push_back(
            {path, "is a symlink to " + printable(at->link_target) +
                       ", which is not part of what was looked at"});
        return;
      }
      at = found->second;
      if (at->kind == FileKind::directory) return;  // its files stand elsewhere
      if (at->kind == FileKind::regular) {
        out_.followed.push_back(path);
        found_.push_back({path, at});
        return;
      }
      if (at->kind != FileKind::symlink) break;
    }
    out_.refused.push_back({path, "is a symlink that leads to no file"});
  }

  /// Where a link leads, as a name in the tree; empty if it leaves the tree.
  static std::string target_of(const TreeFile& link) {
    if (link.link_target.empty() || link.link_target.starts_with('/')) {
      return {};
    }
    const std::size_t slash = link.name.rfind('/');
    std::vector<std::string> parts =
        slash == std::string::npos ? std::vector<std::string>{}
                                   : split(link.name.substr(0, slash), '/');
    for (const std::string& part : split(link.link_target, '/')) {
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return {};
      } else {
        parts.pop_back();
      }
    }
    return fmt::format("{}", fmt::join(parts, "/"));
  }

  const Tree& tree_;
  const SigningOptions& options_;
  SigningManifest& out_;
  std::vector<std::string> ignored_;
  std::map<std::string, const TreeFile*, std::less<>> by_name_;
  std::vector<Found> found_;
};

/// Computes the digests of all entries with as many threads as there are.
class EntryHashing {
 public:
  EntryHashing(const Tree& tree, const SigningOptions& options,
               Progress& progress, const Cancellation& cancellation)
      : tree_(tree),
        options_(options),
        progress_(progress),
        cancellation_(cancellation) {}

  void add(const Found& file) {
    const std::uint64_t size = file.content->size;
    const std::uint64_t step = options_.method == SigningMethod::shards
                                   ? options_.shard_size
                                   : std::max<std::uint64_t>(size, 1);
    const std::uint64_t count = size / step + (size % step == 0 ? 0 : 1);
    if (count > kMaxModelShards - std::min(kMaxModelShards, jobs_.size())) {
      throw Error(Errc::limit,
                  fmt::format("more than {} shards: shards of {} bytes are too "
                              "small for this model",
                              kMaxModelShards, options_.shard_size));
    }
    if (options_.method == SigningMethod::files) {
      return add_job(file, 0, size);
    }
    std::uint64_t start = 0;
    while (start < size) {
      const std::uint64_t end = start + std::min(step, size - start);
      add_job(file, start, end);
      start = end;
    }
  }

  void run(SigningManifest& out) {
    std::uint64_t total = 0;
    for (const Job& job : jobs_) total += job.entry.end - job.entry.start;
    progress_.begin("hash the model", total);
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t wanted = options_.threads == 0 ? cores : options_.threads;
    const std::size_t count = std::min(wanted, jobs_.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([this] { work(); });
      }
    }
    if (cancellation_.requested()) {
      progress_.end("stopped");
      throw Error(Errc::io, "stopped before the whole model was hashed");
    }
    progress_.end(fmt::format("{} hashed", human_bytes(done_)));
    out.bytes = done_;
    std::set<std::string> unread;
    for (Job& job : jobs_) {
      if (job.failure.empty()) {
        out.entries.push_back(std::move(job.entry));
      } else if (unread.insert(job.entry.path).second) {
        out.unread.push_back({job.entry.path, job.failure});
      }
    }
  }

 private:
  struct Job {
    SigningEntry entry;
    const TreeFile* content = nullptr;
    std::string failure;
  };

  void add_job(const Found& file, std::uint64_t start, std::uint64_t end) {
    jobs_.push_back({{file.path, start, end, {}}, file.content, {}});
  }

  void work() {
    Bytes piece(kPiece);
    while (Job* job = next()) {
      try {
        hash(*job, piece);
      } catch (const std::exception& error) {
        job->failure = error.what();
      }
    }
  }

  [[nodiscard]] Job* next() {
    const std::lock_guard lock(mutex_);
    if (next_ == jobs_.size() || cancellation_.requested()) return nullptr;
    return &jobs_[next_++];
  }

  void hash(Job& job, Bytes& piece) {
    const auto source = tree_.open(*job.content);
    if (source->size() < job.entry.end) {
      throw Error(Errc::io, fmt::format("has {} bytes, it had {}",
                                        source->size(), job.content->size));
    }
    StreamHash hash(options_.hash);
    for (std::uint64_t at = job.entry.start; at < job.entry.end;) {
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(job.entry.end - at, piece.size()));
      const std::span<std::byte> room = std::span(piece).first(count);
      source->read(at, room);
      hash.update(room);
      at += count;
      const std::lock_guard lock(mutex_);
      done_ += count;
      progress_.advance(done_, job.entry.path);
      if (cancellation_.requested()) return;
    }
    job.entry.digest = hash.finish();
  }

  const Tree& tree_;
  const SigningOptions& options_;
  Progress& progress_;
  const Cancellation& cancellation_;
  std::vector<Job> jobs_;
  std::mutex mutex_;  // next_, done_, progress_
  std::size_t next_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace

std::span<const std::string_view> git_paths() { return kGitPaths; }

bool is_ignored(std::string_view path,
                const std::vector<std::string>& ignored) {
  return std::ranges::any_of(ignored, [&](const std::string& one) {
    return one == "." || path == one ||
           (path.size() > one.size() && path.starts_with(one) &&
            path[one.size()] == '/');
  });
}

SigningManifest hash_for_signing(const Tree& tree,
                                 const SigningOptions& options,
                                 Progress& progress,
                                 const Cancellation& cancellation) {
  SigningManifest manifest;
  EntryHashing hashing(tree, options, progress, cancellation);
  std::vector<Found> files = ModelFiles(tree, options, manifest).choose();
  std::ranges::sort(files, [](const Found& a, const Found& b) {
    return signed_before(a.path, b.path);
  });
  for (const Found& file : files) {
    if (options.method == SigningMethod::shards && file.content->size == 0) {
      manifest.empty.push_back(file.path);
    }
    hashing.add(file);
  }
  hashing.run(manifest);
  return manifest;
}

std::string signed_name(const SigningEntry& entry, SigningMethod method) {
  return method == SigningMethod::files
             ? entry.path
             : fmt::format("{}:{}:{}", entry.path, entry.start, entry.end);
}

bool signed_before(std::string_view a, std::string_view b) {
  // A component ends before every byte: '/' sorts as the smallest.
  return std::ranges::lexicographical_compare(a, b, [](char left, char right) {
    const int l = left == '/' ? -1 : static_cast<unsigned char>(left);
    const int r = right == '/' ? -1 : static_cast<unsigned char>(right);
    return l < r;
  });
}

Digest root_of(const SigningManifest& manifest) {
  SigningRoot root;
  for (const SigningEntry& entry : manifest.entries) root.add(entry.digest);
  return root.finish();
}

}  // namespace impound
