// SPDX-License-Identifier: Apache-2.0
#include "core/view/view_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/holes.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/folded_digest.hpp"
#include "core/view/content_digest.hpp"

namespace impound {
namespace {

/// Decoded bytes that are hashed whatever the size of the file.
constexpr std::uint64_t kAlwaysReread = 256 * limits::kMiB;

bool is_shard_index(std::string_view path) {
  return path.ends_with(".safetensors.index.json") ||
         path.ends_with(".bin.index.json");
}

TensorInfo info_of(const ViewTensor& tensor) {
  return {.name = tensor.name,
          .dtype = tensor.dtype,
          .shape = tensor.shape,
          .offset = tensor.offset,
          .size = tensor.size};
}

/// Of several formats, the first that has a reader.
const TensorFormat* reader_for(const std::vector<Recognised>& formats) {
  for (const TensorFormat& reader : tensor_formats()) {
    if (std::ranges::find(formats, reader.format, &Recognised::format) !=
        formats.end()) {
      return &reader;
    }
  }
  return nullptr;
}

/// The first text format that it is, in the order of scanning; of one and a
/// kind of it, the kind.
Format text_format_of(const FormatSubject& subject) {
  constexpr std::array kTexts = {
      Format::hf_config, Format::tokenizer,    Format::template_json,
      Format::jinja,     Format::keras_config, Format::ollama_manifest};
  const auto is = [&](Format format) {
    return !why_format(format, subject).empty();
  };
  const auto found = std::ranges::find_if(kTexts, is);
  if (found == kTexts.end()) return Format::unknown;
  const auto kind = std::ranges::find_if(kTexts, [&](Format format) {
    return kind_of(format) == *found && is(format);
  });
  return kind == kTexts.end() ? *found : *kind;
}

/// A file that is two things is compared as one of them: the other is said.
void report_others(const std::vector<Recognised>& formats,
                   const TensorFormat& reader, FoundTensors& found) {
  for (const Recognised& other : formats) {
    if (other.format == reader.format ||
        other.format == kind_of(reader.format) ||
        kind_of(other.format) == reader.format ||
        find_tensor_format(other.format) == nullptr) {
      continue;
    }
    found.problems.push_back(
        {"tensor-not-viewed", Severity::medium, 0,
         fmt::format("the file is {} as well ({}): its tensors as such, if "
                     "there are any, are not compared",
                     to_string(other.format), other.why)});
  }
}

/// The head of a text: its last character may be cut.
bool is_text(std::string_view head) {
  constexpr std::size_t kLongestCharacter = 4;
  if (head.find('\0') != std::string_view::npos) return false;
  for (std::size_t cut = 0; cut < kLongestCharacter && cut <= head.size();
       ++cut) {
    if (is_utf8(head.substr(0, head.size() - cut))) return true;
  }
  return false;
}

/// Why no tensor of a file is compared: its digest is, whatever it is.
std::string why_not_viewed(const FileContent& content, ByteView head) {
  if (content.weights) {
    for (const Problem& problem : content.weights->problems) {
      if (problem.rule == "tensor-not-viewed" ||
          problem.rule == "weights-unreadable") {
        return problem.message;
      }
    }
    return fmt::format("{} without tensors", content.weights->format);
  }
  if (role_of(content.format) == FormatRole::text) {
    return "a text beside the weights: its lines are compared where it changed";
  }
  if (content.format != Format::unknown) {
    return fmt::format("no reader for the tensors of {}",
                       to_string(content.format));
  }
  if (head.empty()) return "empty";
  return is_text(as_text(head)) ? "a text of no known format"
                                : "no known format";
}

/// How one file is hashed.
struct FilePlan {
  HashedAs as = HashedAs::whole;
  std::uint64_t holes = 0;  ///< bytes; 0 where they are few
};

/// Files of the sizes that are known are hashed first, those of a known name
/// before all: an attacker who puts many sparse files beside a model does not
/// get the model passed over.
int rank_of(const ViewFile& file, const ModelView* known) {
  if (known == nullptr) return 2;
  const ViewFile* const namesake = known->find_file(file.path);
  if (namesake != nullptr && namesake->size == file.size) return 0;
  return std::ranges::find(known->files, file.size, &ViewFile::size) !=
                 known->files.end()
             ? 1
             : 2;
}

void plan_bounded(const std::vector<ViewFile>& files, const ModelView* known,
                  std::vector<FilePlan>& plans) {
  std::uint64_t budget = kMaxHashedHoles;
  if (known != nullptr) {
    for (const ViewFile& file : known->files) budget += file.size;
  }
  std::vector<std::pair<int, std::size_t>> order;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i].holes > 0) order.emplace_back(rank_of(files[i], known), i);
  }
  std::ranges::sort(order);
  for (const auto& [rank, index] : order) {
    FilePlan& plan = plans[index];
    if (plan.holes > budget) {
      plan.as = HashedAs::nothing;
    } else {
      budget -= plan.holes;
    }
  }
}

std::vector<FilePlan> plan_hashing(const Tree& tree,
                                   const std::vector<ViewFile>& files,
                                   const ViewOptions& options) {
  std::vector<FilePlan> plans(files.size());
  if (options.holes == HoleDigests::hashed) return plans;
  const std::vector<std::uint64_t> holes = holes_of(tree, files);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    plans[i].holes = holes[i];
    total += holes[i];
  }
  const bool are_many = total > kMaxHashedHoles;
  if (options.holes == HoleDigests::folded) {
    for (FilePlan& plan : plans) {
      plan.as = are_many && plan.holes > 0 ? HashedAs::folded
                                           : HashedAs::whole_and_folded;
    }
  } else if (are_many) {
    plan_bounded(files, options.known, plans);
  }
  return plans;
}

/// Shared by the workers of one view.
class Work {
 public:
  Work(const Tree& tree, const std::vector<ViewFile>& files,
       const ViewOptions& options, unsigned threads, Progress& progress,
       const Cancellation& cancellation)
      : tree_(tree),
        files_(files),
        content_(files.size()),
        plan_(plan_hashing(tree, files, options)),
        threads_(threads),
        progress_(progress),
        cancellation_(cancellation) {
    order_.resize(files.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // Large files first: the last one to end decides how long it takes.
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) {
                       return files[a].size > files[b].size;
                     });
    for (const ViewFile& file : files) {
      if (file.kind == FileKind::regular) total_ += file.size;
    }
  }

  [[nodiscard]] std::vector<FileContent> run() {
    progress_.begin("hash", total_);
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 1; i < threads_; ++i) {
        workers.emplace_back([this] { work(); });
      }
      work();
    }
    if (cancellation_.requested()) {
      progress_.end("stopped");
      throw Error(Errc::io, fmt::format("{}: stopped before every file was "
                                        "read; there is nothing to compare",
                                        tree_.locator()));
    }
    progress_.end(fmt::format("{} files", files_.size()));
    return std::move(content_);
  }

 private:
  void work() {
    for (;;) {
      std::size_t index = 0;
      {
        const std::lock_guard lock(mutex_);
        if (next_ == order_.size() || cancellation_.requested()) return;
        index = order_[next_++];
      }
      if (files_[index].kind != FileKind::regular) continue;
      try {
        read(index);
      } catch (const std::exception& error) {
        content_[index].failure = error.what();
        content_[index].sha256.reset();
        content_[index].folded.reset();
        content_[index].unhashed.clear();
      }
    }
  }

  void read(std::size_t index) {
    const ViewFile& file = files_[index];
    FileContent& content = content_[index];
    const std::unique_ptr<ByteSource> source =
        tree_.open(tree_.files()[file.tree_index]);
    const Bytes head = source->head(0, kFormatHead);
    const WeightsFile weights{
        .source = *source, .head = head, .path = file.path};
    if (is_shard_index(file.path) &&
        source->size() <= limits::kMaxJsonDocument) {
      const Bytes text = source->head(0, source->size());
      content.index = parse_shard_index(as_text(text), base_name(file.path));
    }
    find_tensors(weights, content);
    hash(*source, index, content);
    if (!content.weights || content.weights->tensors.empty()) {
      content.not_viewed = why_not_viewed(content, head);
    }
  }

  /// A file that no reader can follow is still hashed: it has no tensors here,
  /// and that is said.
  static void find_tensors(const WeightsFile& file, FileContent& content) {
    const FormatSubject subject{
        .source = file.source, .head = file.head, .name = base_name(file.path)};
    const std::vector<Recognised> formats = recognise_binary(subject);
    const TensorFormat* const reader = reader_for(formats);
    if (reader == nullptr) {
      content.format =
          formats.empty() ? text_format_of(subject) : formats.front().format;
      return;
    }
    content.format = reader->format;
    try {
      content.weights.emplace().format = reader->name;
      reader->read(file, *content.weights);
      report_others(formats, *reader, *content.weights);
    } catch (const Error& error) {
      if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
      if (!content.weights) content.weights.emplace();
      content.weights->tensors.clear();
      content.weights->problems.push_back(
          {"weights-unreadable", Severity::high, 0,
           fmt::format("its tensors cannot be listed: {}", error.what())});
    }
  }

  /// The file and its tensors from the same bytes; then those that are decoded.
  void hash(const ByteSource& source, std::size_t index, FileContent& content) {
    const ViewFile& file = files_[index];
    const FilePlan& plan = plan_[index];
    std::vector<ViewTensor> none;
    std::vector<ViewTensor>& tensors =
        content.weights ? content.weights->tensors : none;
    std::erase_if(tensors, [&](const ViewTensor& tensor) {
      const bool is_inside = tensor.offset <= source.size() &&
                             tensor.size <= source.size() - tensor.offset;
      if (tensor.access || is_inside) return false;
      content.weights->unviewed(info_of(tensor), "its bytes leave the file");
      return true;
    });
    for (ViewTensor& tensor : tensors) tensor.file = file.path;
    std::vector<TensorInfo> plain;
    std::vector<ViewTensor*> owners;
    std::stable_sort(tensors.begin(), tensors.end(),
                     [](const ViewTensor& a, const ViewTensor& b) {
                       return a.offset < b.offset;
                     });
    for (ViewTensor& tensor : tensors) {
      if (tensor.access) continue;
      plain.push_back({.name = {},
                       .dtype = tensor.dtype,
                       .shape = {},
                       .offset = tensor.offset,
                       .size = tensor.size});
      owners.push_back(&tensor);
    }
    // A file that is more than one core's share would be the last to end.
    const bool is_alone = threads_ > 1 && file.size > total_ / threads_;
    const auto digests = digest_content(
        source, plain, plan.as, is_alone ? HashLanes::two : HashLanes::one,
        [&](std::uint64_t bytes) {
          const std::lock_guard lock(mutex_);
          done_ += bytes;
          progress_.advance(done_, file.path);
          return !cancellation_.requested();
        });
    if (!digests) return;
    content.sha256 = digests->file.sha256;
    content.folded = digests->file.folded;
    if (!content.sha256) {
      content.unhashed = fmt::format(
          "{} of its {} are holes, which read as zeros and were not hashed: it "
          "has no SHA-256{}",
          human_bytes(plan.holes), human_bytes(file.size),
          plan.as == HashedAs::folded
              ? ", and is compared by its data and the places of it"
              : "");
    }
    for (std::size_t i = 0; i < owners.size(); ++i) {
      owners[i]->sha256 = digests->tensors[i].sha256;
      owners[i]->folded = digests->tensors[i].folded;
    }
    if (content.weights) hash_decoded(source, plan, file, *content.weights);
  }

  void hash_decoded(const ByteSource& source, const FilePlan& plan,
                    const ViewFile& file, FoundTensors& weights) {
    const bool skips_holes =
        plan.as == HashedAs::folded || plan.as == HashedAs::nothing;
    std::uint64_t budget =
        kAlwaysReread +
        (file.size - (skips_holes ? plan.holes : 0)) * kMostRereads;
    std::erase_if(weights.tensors, [&](ViewTensor& tensor) {
      if (tensor.sha256 || tensor.folded || cancellation_.requested()) {
        return false;
      }
      if (plan.as == HashedAs::nothing && !tensor.access) return false;
      const bool is_folded = plan.as != HashedAs::whole;
      const std::string problem =
          hash_tensor(source, tensor, is_folded, budget);
      if (problem.empty()) return false;
      weights.unviewed(info_of(tensor), problem);
      return true;
    });
  }

  /// @return why it cannot be, or nothing.
  std::string hash_tensor(const ByteSource& source, ViewTensor& tensor,
                          bool is_folded, std::uint64_t& budget) {
    std::unique_ptr<ByteSource> other;
    if (tensor.access && !tensor.access->data_file.empty()) {
      const auto found = std::lower_bound(
          files_.begin(), files_.end(), tensor.access->data_file,
          [](const ViewFile& a, const std::string& b) { return a.path < b; });
      if (found == files_.end() || found->path != tensor.access->data_file) {
        return printable(tensor.access->data_file) + " is not there";
      }
      const TreeFile& entry = tree_.files()[found->tree_index];
      if (entry.kind != FileKind::regular || entry.links > 1) {
        return printable(tensor.access->data_file) +
               " is a link: it can lead out of the model's folder";
      }
      other = tree_.open(entry);
    }
    try {
      const std::uint64_t unpacked = tensor.access && tensor.access->member
                                         ? tensor.access->member->size
                                         : tensor.size;
      if (std::max(unpacked, tensor.size) > budget) {
        return "more bytes would be decoded than a file of this size is "
               "allowed";
      }
      budget -= std::max(unpacked, tensor.size);
      const ByteSource& file = other ? *other : source;
      const TensorStream stream(file, tensor.access.value_or(TensorAccess{}),
                                tensor.offset, tensor.size);
      digest_of(stream, is_folded, tensor);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  void digest_of(const TensorStream& stream, bool is_folded,
                 ViewTensor& tensor) const {
    Sha256 hash;
    FoldedSha256 folded(tensor.size);
    Bytes piece;
    for (std::uint64_t at = 0; at < tensor.size; at += piece.size()) {
      if (cancellation_.requested()) return;
      piece.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(tensor.size - at, limits::kMiB)));
      stream.source().read(stream.offset() + at, piece);
      hash.update(piece);
      if (is_folded) folded.update(piece);
    }
    tensor.sha256 = hash.finish();
    if (is_folded) tensor.folded = folded.finish();
  }

  const Tree& tree_;
  const std::vector<ViewFile>& files_;
  std::vector<FileContent> content_;
  std::vector<FilePlan> plan_;
  unsigned threads_;
  Progress& progress_;
  const Cancellation& cancellation_;
  std::vector<std::size_t> order_;
  std::uint64_t total_ = 0;
  std::mutex mutex_;  // next_, done_, progress_
  std::size_t next_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace

std::vector<std::uint64_t> holes_of(const Tree& tree,
                                    const std::vector<ViewFile>& files) {
  std::vector<std::uint64_t> holes(files.size(), 0);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const TreeFile& file = tree.files()[files[i].tree_index];
    if (file.kind != FileKind::regular || file.size < kLeastSparseFile) {
      continue;
    }
    try {
      const std::unique_ptr<ByteSource> source = tree.open(file);
      holes[i] = hole_bytes(*source, 0, source->size());
    } catch (const Error&) {
      // Whoever reads it says why it cannot be read.
    }
  }
  return holes;
}

std::vector<FileContent> read_files(const Tree& tree,
                                    const std::vector<ViewFile>& files,
                                    const ViewOptions& options,
                                    unsigned threads, Progress& progress,
                                    const Cancellation& cancellation) {
  return Work(tree, files, options, threads, progress, cancellation).run();
}

}  // namespace impound
