// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/delta_signature.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>

#include "core/base/error.hpp"
#include "core/base/holes.hpp"
#include "core/base/text.hpp"
#include "core/compare/delta/delta_label.hpp"
#include "core/compare/delta/model_sentence.hpp"
#include "core/compare/delta/npy_writer.hpp"
#include "core/compare/delta/open_tensors.hpp"
#include "core/compare/delta/packed_weights.hpp"
#include "core/compare/delta/row_tokens.hpp"
#include "core/compare/delta/same_function.hpp"
#include "core/formats/gguf/dequantise.hpp"

namespace impound {
namespace {

/// Singular vectors that are saved as evidence.
constexpr std::size_t kMostSavedVectors = 8;

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
    const std::size_t kept =
        std::min({spectrum.kept, found.rank, std::size_t{kMostSavedVectors}});
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
  if (found.payload) {
    save(".payload.bin", found.payload->stream);
    if (!found.payload->positions.empty()) {
      save(".positions.npy", npy_file(found.payload->positions));
    }
  }
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

bool is_float(Dtype dtype) {
  return traits(dtype).kind == NumberKind::floating;
}

/// Its file has more holes than are hashed.
bool is_unhashed(const ViewTensor& tensor) {
  return !tensor.sha256 && tensor.folded && !tensor.access;
}

/// Bytes of both sides that lie in holes, where a file has more of them than
/// are hashed.
std::uint64_t holes_in(const OpenPair& pair, const TensorChange& change) {
  const auto holes = [](const OpenTensor& open, const ViewTensor& tensor) {
    return is_unhashed(tensor)
               ? hole_bytes(*open.bytes.source, open.bytes.offset, tensor.size)
               : 0;
  };
  return holes(pair.before, *change.before) + holes(pair.after, *change.after);
}

/// Why the numbers of a tensor with holes are not measured; empty if they are.
std::string reason_for_holes(const OpenPair& pair, const TensorChange& change) {
  const TensorBytes& before = pair.before.bytes;
  const bool can_skip = change.before->dtype == change.after->dtype &&
                        !change.reorder && !change.before->access &&
                        !change.after->access &&
                        zero_bytes_are_zeros(before.dtype);
  if (!can_skip) {
    return fmt::format(
        "not measured: {} of both sides are holes, which are not read, and the "
        "numbers do not stand in one type and order",
        human_bytes(holes_in(pair, change)));
  }
  if (before.numbers() > kMaxSparseNumbers) {
    return fmt::format(
        "not measured: {} numbers, of those of sparse tensors at most {} are",
        before.numbers(), kMaxSparseNumbers);
  }
  return {};
}

/// What is left of a change when the noise of the quantiser is taken away: the
/// old numbers through the same quantiser against the new ones. Empty where the
/// type has no single quantiser, and where that is no less than `relative`.
std::optional<TensorFindings> without_noise(const TensorBytes& before,
                                            const TensorBytes& after,
                                            double relative, unsigned threads,
                                            const Cancellation& cancellation) {
  constexpr std::uint64_t kBlock = 32;
  if (!is_float(before.dtype) || !has_one_quantiser(after.dtype) ||
      after.columns() % kBlock != 0 || before.shape != after.shape) {
    return std::nullopt;
  }
  const auto source = requantised(before, after.dtype);
  const TensorBytes expected{.source = source.get(),
                             .dtype = Dtype::f32,
                             .shape = before.shape,
                             .offset = 0,
                             .size = source->size()};
  const DeltaStatistics statistics =
      measure_delta(expected, after, threads, best_instructions());
  if (statistics.sums.changed == 0 || statistics.relative() >= relative) {
    return std::nullopt;
  }
  TensorFindings found = decide_change(expected, after, threads, cancellation);
  found.because = fmt::format("against the old numbers through {}: {}",
                              to_string(after.dtype), found.because);
  return found;
}

/// The kind of change of two tensors in one order.
TensorFindings explain(const OpenPair& pair, unsigned threads,
                       const Cancellation& cancellation) {
  const TensorBytes& before = pair.before.bytes;
  const TensorBytes& after = pair.after.bytes;
  // A quantised file that was decoded again: the noise is in the old side.
  if (numbers_per_scale(before.dtype) > 0 && is_float(after.dtype)) {
    TensorFindings turned =
        decide_rounding(after, before, threads, cancellation);
    if (turned.recast && turned.recast->is_quantised) {
      turned.because = "from the new side to the old: " + turned.because;
      return turned;
    }
  }
  // Against the old numbers through the same quantiser, if they are nearer:
  // one spectrum is measured, of the smaller change.
  TensorFindings rounded =
      decide_rounding(before, after, threads, cancellation);
  if (rounded.label != TensorLabel::none) return rounded;
  if (rounded.statistics.sums.changed > 0) {
    std::optional<TensorFindings> edit = without_noise(
        before, after, rounded.statistics.relative(), threads, cancellation);
    if (edit) return std::move(*edit);
  }
  return decide_rest(std::move(rounded), before, after, threads, cancellation);
}

/// The first `rows` rows of a matrix.
TensorBytes first_rows(TensorBytes tensor, std::uint64_t rows) {
  tensor.size = tensor.size / tensor.shape.front() * rows;
  tensor.shape.front() = rows;
  return tensor;
}

/// Whether rows were added to a matrix, or taken from it, and how those that
/// both have differ. Empty where it is no such change.
std::optional<TensorFindings> explain_grown(const OpenPair& pair,
                                            unsigned threads,
                                            const Cancellation& cancellation) {
  const TensorBytes& before = pair.before.bytes;
  const TensorBytes& after = pair.after.bytes;
  if (!is_measurable(before) || !is_measurable(after) ||
      before.shape.size() != 2 || after.shape.size() != 2 ||
      before.shape[1] != after.shape[1] || before.shape[0] == after.shape[0] ||
      before.size % before.shape[0] != 0 || after.size % after.shape[0] != 0) {
    return std::nullopt;
  }
  const std::uint64_t rows = std::min(before.shape[0], after.shape[0]);
  const bool is_grown = after.shape[0] > before.shape[0];
  const TensorBytes old = first_rows(before, rows);
  const TensorBytes now = first_rows(after, rows);
  if (!is_measurable(old) || !is_measurable(now)) return std::nullopt;
  TensorFindings found = decide(old, now, threads, cancellation);
  const std::uint64_t other = is_grown ? after.shape[0] : before.shape[0];
  found.rows_added = static_cast<std::int64_t>(after.shape[0]) -
                     static_cast<std::int64_t>(before.shape[0]);
  const std::string words =
      fmt::format("{} row{} {} ({} to {}), the other {}: {}", other - rows,
                  other - rows == 1 ? "" : "s", is_grown ? "added" : "removed",
                  rows, other - 1, rows, found.because);
  found.because = words;
  const bool is_same = found.label == TensorLabel::identical ||
                       found.label == TensorLabel::cast ||
                       found.label == TensorLabel::quantised;
  if (is_same) {
    found.label =
        is_grown ? TensorLabel::rows_added : TensorLabel::rows_removed;
  }
  return found;
}

/// As measure(), of tensors with more holes than are read.
std::optional<TensorFindings> measure_sparse(TensorChange& change,
                                             OpenPair& pair, unsigned threads) {
  std::string reason = reason_for_none(pair.before.bytes, pair.after.bytes);
  if (reason.empty()) reason = reason_for_holes(pair, change);
  if (!reason.empty()) {
    change.stats = {{"because", reason}};
    return std::nullopt;
  }
  pair.before.bytes.is_sparse = true;
  pair.after.bytes.is_sparse = true;
  TensorFindings found =
      decide_sparse(pair.before.bytes, pair.after.bytes, threads);
  change.stats = found.to_json();
  return found;
}

/// Sets the stats of a change; empty, with the reason in the stats, where there
/// are no numbers or they cannot be read. `as_they_stand` gets it where the
/// order of its heads is not the one that its format asks for.
std::optional<TensorFindings> measure(
    TensorChange& change, const PackedPair* packed, OpenTensors& old_files,
    OpenTensors& new_files, unsigned threads, const Cancellation& cancellation,
    std::uint64_t& hole_budget, std::vector<TensorChange*>& as_they_stand) {
  try {
    if (packed == nullptr &&
        (is_unhashed(*change.before) || is_unhashed(*change.after))) {
      OpenPair pair{.before = old_files.open(*change.before, std::nullopt),
                    .after = new_files.open(*change.after, std::nullopt),
                    .reorder = std::nullopt};
      const std::uint64_t holes = holes_in(pair, change);
      if (holes > hole_budget) return measure_sparse(change, pair, threads);
      hole_budget -= holes;
    }
    const OpenPair pair =
        packed != nullptr
            ? open_packed_pair(change, *packed, old_files, new_files)
            : open_pair(change, old_files, new_files);
    if (change.reorder && !pair.reorder) {
      if (change.reorder->kind == TensorReorder::Kind::heads) {
        as_they_stand.push_back(&change);
      }
      change.reorder.reset();
    }
    const std::string reason =
        reason_for_none(pair.before.bytes, pair.after.bytes);
    if (!reason.empty()) {
      std::optional<TensorFindings> grown =
          explain_grown(pair, threads, cancellation);
      change.stats = grown ? grown->to_json() : Json{{"because", reason}};
      return grown;
    }
    TensorFindings found = explain(pair, threads, cancellation);
    change.stats = found.to_json();
    for (const OpenTensor* side : {&pair.before, &pair.after}) {
      if (side->grid == nullptr) continue;
      change.stats[side == &pair.after ? "packed" : "packed_before"] =
          side->grid->words;
    }
    if (!pair.after.is_in_place && change.stats.contains("changes")) {
      // Where the bytes are decoded, a number has no place of its own.
      for (Json& each : change.stats["changes"]) each.erase("file_offset");
    }
    return found;
  } catch (const Error& error) {
    change.stats = {{"because", lossless_utf8(error.what())}};
    return std::nullopt;
  }
}

std::string counted(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

/// What the bytes say where digests could not: they differ in their order, or
/// a side has none.
void settle_status(TensorChange& change,
                   const std::optional<TensorFindings>& found) {
  if (!found || change.status != TensorStatus::unreadable) return;
  change.status = found->label == TensorLabel::identical
                      ? TensorStatus::identical
                      : TensorStatus::changed;
}

void describe(const TensorFindings& found, SentenceTensor& tensor) {
  const DeltaSums& sums = found.statistics.sums;
  tensor.rank = found.rank;
  tensor.relative = found.relative();
  tensor.cosine = found.statistics.cosine();
  tensor.norm_ratio =
      found.statistics.before_norm() > 0
          ? found.statistics.after_norm() / found.statistics.before_norm()
          : 0;
  tensor.is_last_places = found.statistics.bits_are_comparable &&
                          found.statistics.sums.max_ulp <= kLastPlaces;
  tensor.changed = sums.changed;
  tensor.share = found.statistics.changed_share();
  tensor.structure = found.zeroed_lines();
  tensor.low_bits = found.low_bits;
  tensor.is_exponent_flip = found.is_exponent_flip;
  tensor.has_new_values = sums.nan_introduced + sums.inf_introduced > 0;
  if (found.payload) {
    tensor.payload = found.payload->elements * found.payload->bits;
    tensor.payload_places = found.payload->places;
  }
  if (found.recast) tensor.through = found.recast->words();
  if (found.lines) {
    tensor.where = found.lines->words();
    for (const ChangedRow& row : found.lines->first_rows) {
      tensor.rows.insert(row.row);
    }
  }
  tensor.rows_added = found.rows_added;
  tensor.pattern = found.exact.pattern;
  tensor.step = found.shape.step;
  tensor.step_at = found.shape.step_at;
  tensor.is_noise = found.shape.is_noise;
  tensor.is_faint = found.shape.is_faint;
  tensor.spread = found.shape.spread;
  if (found.grid) tensor.grid_error = found.grid->error;
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
  // Only what changed is looked for: most of a model has not.
  std::map<Digest, const std::string*> old;
  for (const TensorChange& change : diff.tensors) {
    if (change.status != TensorStatus::changed) continue;
    const auto& digest = lookup_digest(*change.after);
    if (digest) old.emplace(*digest, nullptr);
  }
  if (old.empty()) return;
  for (const TensorChange& change : diff.tensors) {
    if (!change.before) continue;
    const auto& digest = lookup_digest(*change.before);
    const auto found = digest ? old.find(*digest) : old.end();
    if (found != old.end() && found->second == nullptr) {
      found->second = &change.name;
    }
  }
  std::map<std::string_view, SentenceTensor*> by_name;
  for (SentenceTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  for (const TensorChange& change : diff.tensors) {
    if (change.status != TensorStatus::changed) continue;
    const auto& digest = lookup_digest(*change.after);
    const auto from = digest ? old.find(*digest) : old.end();
    const auto tensor = by_name.find(change.name);
    if (from != old.end() && from->second != nullptr &&
        tensor != by_name.end()) {
      tensor->second->moved_from = *from->second;
    }
  }
}

/// A model that was converted on the way (HF to GGUF, rounded in its own type)
/// is judged by what the conversion does not explain.
ModelVerdict judge_converted(std::vector<SentenceTensor> tensors,
                             std::size_t added, std::size_t removed) {
  const auto is_conversion = [](const SentenceTensor& tensor) {
    return tensor.label == TensorLabel::cast ||
           tensor.label == TensorLabel::quantised;
  };
  const auto converted = static_cast<std::size_t>(
      std::count_if(tensors.begin(), tensors.end(), is_conversion));
  const bool has_other = std::any_of(
      tensors.begin(), tensors.end(), [&](const SentenceTensor& tensor) {
        return tensor.label != TensorLabel::identical && !is_conversion(tensor);
      });
  if (converted == 0 || !has_other) {
    return judge_model(tensors, added, removed);
  }
  std::set<std::string> through;
  for (SentenceTensor& tensor : tensors) {
    if (!is_conversion(tensor)) continue;
    if (!tensor.through.empty()) through.insert(tensor.through);
    tensor.label = TensorLabel::identical;
  }
  ModelVerdict verdict = judge_model(tensors, added, removed);
  verdict.sentence += fmt::format("; besides, {} tensor{} only converted{}{}",
                                  converted, converted == 1 ? " was" : "s were",
                                  through.empty() ? "" : ", through ",
                                  fmt::join(through, ", "));
  return verdict;
}

/// The same numbers in an order that llama.cpp does not expect are another
/// model to it.
void report_order(const std::vector<TensorChange*>& as_they_stand,
                  ModelDiff& diff) {
  if (as_they_stand.empty()) return;
  const TensorChange& first = *as_they_stand.front();
  const bool is_new = first.name.starts_with("blk.");
  DiffSide& side = is_new ? diff.after : diff.before;
  side.problems.push_back(
      {is_new ? first.after->file : first.before->file,
       {"gguf-head-order", Severity::medium, 0,
        fmt::format("{} of q and k ({} and others) have their rows as Hugging "
                    "Face has them, llama.cpp expects each head's halves "
                    "interleaved: another converter made this file, or it "
                    "does not work",
                    as_they_stand.size(),
                    printable(is_new ? first.name : first.old_name))}});
}

/// What changed beside the tensors and changes what the model does: they may
/// all be identical and the template still be another.
std::string beside_tensors(const ModelDiff& diff) {
  std::string text;
  std::set<std::string_view> parts;
  const auto add = [&](std::string_view name) {
    const auto has = [&](std::string_view word) {
      return name.find(word) != std::string_view::npos;
    };
    if (has("chat_template")) {
      parts.insert("chat template");
    } else if (has("tokenizer") || has("vocab.json") || has("added_tokens") ||
               has("special_tokens_map") || has("merges.txt")) {
      parts.insert("tokenizer");
    } else if (has("generation_config")) {
      parts.insert("generation settings");
    } else if (has("adapter_config")) {
      parts.insert("adapter settings");
    }
  };
  for (const FileChange& change : diff.files) {
    if (!change.content.is_object()) continue;
    if (change.content.contains("adapter")) {
      text += fmt::format("; a new adapter stands beside it: {} ({})",
                          printable(change.path),
                          change.content["adapter"].get<std::string>());
    } else if (change.content.contains("notes")) {
      add(change.path.substr(change.path.rfind('/') + 1));
    }
  }
  for (const MetadataChange& change : diff.metadata) {
    const bool is_other_format =
        change.content.is_null() && (!change.before || !change.after);
    if (!is_other_format) add(change.key);
  }
  if (!parts.empty()) {
    text +=
        fmt::format("; changed beside the tensors: {}", fmt::join(parts, ", "));
  }
  return text;
}

/// Adds the tokens to what is said of single rows of embeddings: by the new
/// side's tokenizer, else by the old one's.
void name_tokens(const ModelView& before, const ModelView& after,
                 std::vector<SentenceTensor>& tensors, ModelDiff& diff) {
  std::set<std::uint64_t> rows;
  for (const SentenceTensor& tensor : tensors) {
    if (place_of(tensor.name).is_embedding) {
      rows.insert(tensor.rows.begin(), tensor.rows.end());
    }
  }
  std::map<std::uint64_t, std::string> tokens = tokens_of(after, rows);
  if (tokens.empty()) tokens = tokens_of(before, rows);
  if (tokens.empty()) return;
  std::map<std::string_view, TensorChange*> changes;
  for (TensorChange& change : diff.tensors) changes[change.name] = &change;
  for (SentenceTensor& tensor : tensors) {
    if (tensor.rows.empty() || !place_of(tensor.name).is_embedding) continue;
    std::string words;
    Json list = Json::array();
    for (const std::uint64_t row : tensor.rows) {
      const auto token = tokens.find(row);
      if (token == tokens.end()) continue;
      words += fmt::format("{}\"{}\"", words.empty() ? "" : ", ",
                           printable(token->second));
      list.push_back({{"row", row}, {"token", lossless_utf8(token->second)}});
    }
    if (words.empty()) continue;
    if (!tensor.where.empty()) {
      tensor.where +=
          fmt::format(", token{} {}", list.size() == 1 ? "" : "s", words);
    }
    const auto change = changes.find(tensor.name);
    if (change != changes.end()) change->second->stats["tokens"] = list;
  }
}

/// A model of more tensors is not looked through for layers and modules that
/// moved: their names and digests would take more memory than is bound.
constexpr std::size_t kMostMoved = 50'000;

std::set<std::string> changed_names(const ModelDiff& diff) {
  std::set<std::string> names;
  for (const TensorChange& change : diff.tensors) {
    if (change.status != TensorStatus::identical) names.insert(change.name);
  }
  return names;
}

bool holds_all(const std::set<std::string>& some,
               const std::set<std::string>& all) {
  return std::ranges::includes(all, some);
}

/// Layers that were moved, repeated or left out, by the digests of all that is
/// in them.
void tell_layers(const ModelDiff& diff, ModelVerdict& verdict) {
  const LayerMoves moves = find_layer_moves(diff);
  if (moves.words.empty()) return;
  if (moves.is_all && holds_all(changed_names(diff), moves.tensors)) {
    verdict = {moves.is_permutation ? ModelLabel::exchanged
                                    : ModelLabel::layers_rearranged,
               fmt::format("layers of the old model in another arrangement, as "
                           "a merge by layers (passthrough) or a cut makes: "
                           "{}; each has the SHA-256 of the old one's tensors, "
                           "and nothing else changed",
                           moves.words)};
    return;
  }
  verdict.sentence +=
      fmt::format("; layers that hold the bytes of others: {}", moves.words);
}

/// Neurons, heads and experts in another order: verified to compute the same,
/// or why not.
void tell_orders(const ModelDiff& diff, const std::vector<OrderGroup>& groups,
                 ModelVerdict& verdict) {
  constexpr std::size_t kMost = 6;
  std::set<std::string> explained;
  std::string same;
  std::string other;
  bool has_experts = false;
  std::size_t verified = 0;
  std::size_t unverified = 0;
  for (const OrderGroup& group : groups) {
    if (group.is_verified) {
      explained.insert(group.tensors.begin(), group.tensors.end());
      has_experts = has_experts || group.is_by_digest;
      if (verified++ < kMost) {
        same += fmt::format("{}{} {}", same.empty() ? "" : ", ", group.moved,
                            group.what);
      }
    } else if (unverified++ < kMost) {
      other += fmt::format("{}{}: {}", other.empty() ? "" : "; ", group.what,
                           group.why);
    }
  }
  if (verified > kMost) same += fmt::format(", {} more", verified - kMost);
  if (unverified > kMost) other += fmt::format("; {} more", unverified - kMost);
  if (verified > 0 && holds_all(changed_names(diff), explained)) {
    verdict = {ModelLabel::reordered,
               fmt::format("identical in function: {} in another order; all of "
                           "{} compared {}, one permutation for all that "
                           "belongs together",
                           same, counted(explained.size(), "changed tensor"),
                           has_experts ? "byte by byte, experts by SHA-256"
                                       : "byte by byte")};
    return;
  }
  if (verified > 0) {
    verdict.sentence += fmt::format(
        "; in another order and verified to compute the same: {}", same);
  }
  if (unverified > 0) {
    verdict.sentence +=
        fmt::format("; not verified to compute the same: {}", other);
  }
}

/// The change in numbers; `tensors` are those on both sides, measured. Without
/// the bytes there are none, and only statuses are counted.
ModelNumbers numbers_of(const ModelDiff& diff,
                        const std::vector<SentenceTensor>& tensors) {
  ModelNumbers numbers;
  for (const TensorChange& change : diff.tensors) {
    if (change.part_of) continue;
    switch (change.status) {
      case TensorStatus::not_compared:
        break;
      case TensorStatus::identical:
        ++numbers.tensors_identical;
        break;
      case TensorStatus::added:
        ++numbers.tensors_added;
        break;
      case TensorStatus::removed:
        ++numbers.tensors_removed;
        break;
      case TensorStatus::changed:
      case TensorStatus::reshaped:
      case TensorStatus::retyped:
      case TensorStatus::unreadable:
        ++numbers.tensors_changed;
        break;
    }
  }
  for (const SentenceTensor& tensor : tensors) {
    if (tensor.label == TensorLabel::identical ||
        tensor.label == TensorLabel::unclassified)
      continue;
    numbers.elements_changed += tensor.changed;
    numbers.rank = std::max(numbers.rank, tensor.rank);
    numbers.relative_change =
        std::max(numbers.relative_change.value_or(0), tensor.relative);
  }
  return numbers;
}

/// Digests say which tensors differ, not how: the kind is not known, and that
/// is said instead of nothing.
void judge_by_digests(ModelDiff& diff) {
  diff.numbers = numbers_of(diff, {});
  const ModelNumbers& numbers = diff.numbers;
  const std::size_t differing =
      numbers.tensors_changed + numbers.tensors_added + numbers.tensors_removed;
  if (differing == 0) {
    if (numbers.tensors_identical == 0) return;
    diff.label = ModelLabel::identical;
    diff.sentence = "every tensor that was compared is identical";
    return;
  }
  diff.label = ModelLabel::unknown;
  // What could not be compared may be the same.
  const auto unread = static_cast<std::size_t>(
      std::ranges::count(diff.tensors, TensorStatus::unreadable,
                         [](const TensorChange& one) { return one.status; }));
  diff.sentence = fmt::format(
      "the kind of change was not measured: a baseline has digests, and "
      "numbers "
      "need the bytes of both sides; {} changed, {} added, {} removed, {} "
      "identical{}",
      counted(numbers.tensors_changed - unread, "tensor"),
      numbers.tensors_added, numbers.tensors_removed, numbers.tensors_identical,
      unread == 0 ? "" : fmt::format(", {} not compared", unread));
}

}  // namespace

void explain_changes(ModelDiff& diff, const ModelView& before,
                     const ModelView& after, const ExplainOptions& options,
                     Progress& progress, const Cancellation& cancellation) {
  if (diff.tensors.empty()) return;
  if (before.tree == nullptr || after.tree == nullptr) {
    judge_by_digests(diff);
    return;
  }
  std::uint64_t total = 0;
  for (const TensorChange& change : diff.tensors) {
    if (change.before && change.after &&
        change.status != TensorStatus::identical) {
      total += change.after->size;
    }
  }
  const std::map<std::string, PackedPair> packed = join_packed(diff.tensors);
  progress.begin("explain", total);
  OpenTensors old_files(before);
  OpenTensors new_files(after);
  // Of tensors with few holes all is measured, the zeros are read.
  std::uint64_t hole_budget = kMaxHashedHoles;
  std::vector<TensorChange*> as_they_stand;
  std::vector<SentenceTensor> tensors;
  std::size_t added = 0;
  std::size_t removed = 0;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < diff.tensors.size(); ++i) {
    TensorChange& change = diff.tensors[i];
    if (change.status == TensorStatus::not_compared || change.part_of) continue;
    if (!change.before || !change.after) {
      ++(change.before ? removed : added);
      continue;
    }
    SentenceTensor& tensor = tensors.emplace_back();
    tensor.name = change.name;
    tensor.label = TensorLabel::identical;
    tensor.is_vector = change.after->shape.size() < 2;
    if (change.status != TensorStatus::identical) {
      const auto weight = packed.find(change.name);
      const std::optional<TensorFindings> found = measure(
          change, weight == packed.end() ? nullptr : &weight->second, old_files,
          new_files, options.threads, cancellation, hole_budget, as_they_stand);
      if (cancellation.requested()) break;
      tensor.label = found ? found->label : TensorLabel::unclassified;
      settle_status(change, found);
      if (found) {
        describe(*found, tensor);
        if (change.stats.contains("packed")) {
          tensor.packed = change.stats["packed"].get<std::string>();
        }
        save_evidence(*found, file_name_of(change.name, i), options,
                      change.stats);
      }
      done += change.after->size;
      progress.advance(done, change.name);
    }
    change.label = tensor.label;
  }
  if (cancellation.requested()) {
    diff.label = ModelLabel::stopped;
    diff.sentence = "stopped before every change was explained";
    progress.end("stopped");
    return;
  }
  diff.numbers = numbers_of(diff, tensors);
  mark_moved(diff, tensors);
  name_tokens(before, after, tensors, diff);
  report_order(as_they_stand, diff);
  const bool has_moved = std::ranges::any_of(
      tensors,
      [](const SentenceTensor& one) { return !one.moved_from.empty(); });
  const bool has_order =
      std::ranges::any_of(tensors, [](const SentenceTensor& one) {
        return one.pattern == Pattern::rows_reordered ||
               one.pattern == Pattern::columns_reordered;
      });
  ModelVerdict verdict = judge_converted(std::move(tensors), added, removed);
  if (diff.tensors.size() <= kMostMoved) {
    if (has_moved || added + removed > 0) tell_layers(diff, verdict);
    if (has_moved || has_order) {
      try {
        tell_orders(diff,
                    verify_orders(diff, before, after, old_files, new_files,
                                  cancellation),
                    verdict);
      } catch (const Error& error) {
        verdict.sentence +=
            fmt::format("; whether it computes the same was not verified: {}",
                        printable(error.what()));
      }
    }
  } else if (has_moved || has_order || added + removed > 0) {
    verdict.sentence += fmt::format(
        "; more than {} tensors: layers that moved and modules in another "
        "order were not looked for",
        kMostMoved);
  }
  if (!verdict.direction.empty()) {
    diff.numbers.direction_agreement = verdict.agreement;
    if (options.save) {
      options.save("direction.npy",
                   npy_file(verdict.direction, 1, verdict.direction.size()));
    }
  }
  diff.label = verdict.label;
  diff.sentence = std::move(verdict.sentence);
  diff.sentence += beside_tensors(diff);
  progress.end(diff.sentence);
}

}  // namespace impound
