// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta_signature.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/compare/delta_label.hpp"
#include "core/compare/model_sentence.hpp"
#include "core/compare/npy_writer.hpp"

namespace impound {
namespace {

/// The files of one side, each opened once.
class OpenFiles {
 public:
  explicit OpenFiles(const ModelView& view) : view_(view) {}

  [[nodiscard]] TensorBytes bytes_of(const ViewTensor& tensor) {
    // Only the current tensor's file is in use: a model of a thousand files
    // does not run out of descriptors.
    constexpr std::size_t kMostOpen = 64;
    if (sources_.size() > kMostOpen) sources_.clear();
    std::unique_ptr<ByteSource>& source = sources_[tensor.file];
    if (source == nullptr) source = view_.open(tensor.file);
    return {.source = source.get(),
            .dtype = tensor.dtype,
            .shape = tensor.shape,
            .offset = tensor.offset,
            .size = tensor.size};
  }

 private:
  const ModelView& view_;
  std::map<std::string, std::unique_ptr<ByteSource>> sources_;
};

/// A tensor's name as a part of a file's: hostile names do not leave a folder.
std::string file_name_of(std::string_view tensor, std::size_t number) {
  constexpr std::size_t kMost = 120;
  std::string name = fmt::format("{:05}-", number);
  for (const char c : tensor.substr(0, kMost)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                          c == '-';
    name += is_plain ? c : '_';
  }
  return name;
}

void save_evidence(const TensorFindings& found, const std::string& name,
                   const ExplainOptions& options, Json& stats) {
  if (!options.save) return;
  Json saved = Json::array();
  const auto save = [&](const std::string& ending, ByteView bytes) {
    options.save(name + ending, bytes);
    saved.push_back(name + ending);
  };
  if (found.rank > 0 && found.spectrum) {
    const Spectrum& spectrum = *found.spectrum;
    const std::size_t kept = std::min(spectrum.kept, found.rank);
    const std::vector<float> sigma(spectrum.sigma.begin(),
                                   spectrum.sigma.end());
    save(".sigma.npy", npy_file(sigma, 1, sigma.size()));
    save(".left.npy",
         npy_file(std::span(spectrum.left)
                      .first(kept * static_cast<std::size_t>(spectrum.rows)),
                  kept, spectrum.rows));
    save(".right.npy",
         npy_file(std::span(spectrum.right)
                      .first(kept * static_cast<std::size_t>(spectrum.columns)),
                  kept, spectrum.columns));
  }
  if (found.payload) save(".payload.bin", found.payload->stream);
  if (!saved.empty()) stats["saved"] = std::move(saved);
}

/// Why there are no numbers about a tensor that differs; empty if there can be.
std::string reason_for_none(const TensorBytes& before,
                            const TensorBytes& after) {
  if (!is_measurable(before) || !is_measurable(after)) {
    return fmt::format("{} and {} have no numbers that can be compared",
                       to_string(before.dtype), to_string(after.dtype));
  }
  if (before.numbers() != after.numbers()) {
    return fmt::format("{} numbers before, {} now", before.numbers(),
                       after.numbers());
  }
  return {};
}

/// Sets the stats of a change; empty, with the reason in the stats, where there
/// are no numbers or they cannot be read.
std::optional<TensorFindings> measure(TensorChange& change,
                                      OpenFiles& old_files,
                                      OpenFiles& new_files, unsigned threads,
                                      const Cancellation& cancellation) {
  try {
    const TensorBytes before = old_files.bytes_of(*change.before);
    const TensorBytes after = new_files.bytes_of(*change.after);
    const std::string reason = reason_for_none(before, after);
    if (!reason.empty()) {
      change.stats = {{"because", reason}};
      return std::nullopt;
    }
    TensorFindings found = decide(before, after, threads, cancellation);
    change.stats = found.to_json();
    return found;
  } catch (const Error& error) {
    change.stats = {{"because", lossless_utf8(error.what())}};
    return std::nullopt;
  }
}

void describe(const TensorFindings& found, SentenceTensor& tensor) {
  const DeltaSums& sums = found.statistics.sums;
  tensor.rank = found.rank;
  tensor.relative = found.relative();
  tensor.changed = sums.changed;
  tensor.low_bits = found.low_bits;
  tensor.is_exponent_flip = found.is_exponent_flip;
  tensor.has_new_values = sums.nan_introduced + sums.inf_introduced > 0;
  if (found.payload) tensor.payload = found.payload->size;
  if (found.recast) tensor.through = found.recast->through;
  if (found.exact.pattern != Pattern::none) {
    tensor.pattern = to_string(found.exact.pattern);
  }
  tensor.step = found.shape.step;
  tensor.step_at = found.shape.step_at;
  tensor.is_noise = found.shape.is_noise;
  tensor.is_faint = found.shape.is_faint;
  tensor.spread = found.shape.spread;
  if (found.rank == 1 && found.spectrum && found.spectrum->kept > 0) {
    const Spectrum& spectrum = *found.spectrum;
    const auto rows = static_cast<std::ptrdiff_t>(spectrum.rows);
    const auto columns = static_cast<std::ptrdiff_t>(spectrum.columns);
    tensor.left.assign(spectrum.left.begin(), spectrum.left.begin() + rows);
    tensor.right.assign(spectrum.right.begin(),
                        spectrum.right.begin() + columns);
  }
}

/// A changed tensor that holds the old bytes of another one of its shape.
void mark_moved(const ModelDiff& diff, std::vector<SentenceTensor>& tensors) {
  std::map<std::string, const std::string*> old;
  for (const TensorChange& change : diff.tensors) {
    if (change.before && change.before->sha256) {
      old.emplace(change.before->sha256->hex(), &change.name);
    }
  }
  std::map<std::string_view, SentenceTensor*> by_name;
  for (SentenceTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  for (const TensorChange& change : diff.tensors) {
    if (change.status != TensorStatus::changed || !change.after->sha256) {
      continue;
    }
    const auto from = old.find(change.after->sha256->hex());
    const auto tensor = by_name.find(change.name);
    if (from != old.end() && tensor != by_name.end()) {
      tensor->second->moved_from = *from->second;
    }
  }
}

}  // namespace

void explain_changes(ModelDiff& diff, const ModelView& before,
                     const ModelView& after, const ExplainOptions& options,
                     Progress& progress, const Cancellation& cancellation) {
  if (before.tree == nullptr || after.tree == nullptr || diff.tensors.empty()) {
    return;
  }
  std::uint64_t total = 0;
  for (const TensorChange& change : diff.tensors) {
    if (change.before && change.after &&
        change.status != TensorStatus::identical) {
      total += change.after->size;
    }
  }
  progress.begin("explain", total);
  OpenFiles old_files(before);
  OpenFiles new_files(after);
  std::vector<SentenceTensor> tensors;
  std::size_t added = 0;
  std::size_t removed = 0;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < diff.tensors.size(); ++i) {
    TensorChange& change = diff.tensors[i];
    if (!change.before || !change.after) {
      ++(change.before ? removed : added);
      continue;
    }
    SentenceTensor& tensor = tensors.emplace_back();
    tensor.name = change.name;
    tensor.label = "identical";
    tensor.is_vector = change.after->shape.size() < 2;
    if (change.status != TensorStatus::identical) {
      const std::optional<TensorFindings> found =
          measure(change, old_files, new_files, options.threads, cancellation);
      if (cancellation.requested()) break;
      tensor.label = found ? found->label : "unclassified";
      if (found) {
        describe(*found, tensor);
        save_evidence(*found, file_name_of(change.name, i), options,
                      change.stats);
      }
      done += change.after->size;
      progress.advance(done, change.name);
    }
    change.label = tensor.label;
  }
  if (cancellation.requested()) {
    diff.label = "stopped";
    diff.sentence = "stopped before every change was explained";
    progress.end("stopped");
    return;
  }
  mark_moved(diff, tensors);
  ModelVerdict verdict = judge_model(tensors, added, removed);
  diff.label = std::move(verdict.label);
  diff.sentence = std::move(verdict.sentence);
  progress.end(diff.sentence);
}

}  // namespace impound
