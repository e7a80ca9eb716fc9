// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"
#include "core/formats/pickle/pickle_text.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/torch/torch.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 256> opcode_names() {
  std::array<std::string_view, 256> names{};
  for (const pickle_op::Opcode& op : pickle_op::kOpcodes) {
    names[op.byte] = op.name;
  }
  return names;
}

/// A run that says something: an import whose name can be one, or a whole
/// pickle that is more than one opcode and STOP.
bool has_plausible_import(const PickleRun& run) {
  return std::any_of(
      run.globals.begin(), run.globals.end(), [](const PickleGlobal& global) {
        return is_python_path(global.module) && is_python_path(global.name);
      });
}

bool is_convincing(const PickleRun& run) {
  return has_plausible_import(run) || (run.has_stopped && run.opcodes >= 4);
}

/// Finds where another pickle may begin: \x80 and a version, or the two lines
/// of a GLOBAL.
class Resumption {
 public:
  explicit Resumption(const ByteSource& source) : source_(source) {}

  /// The next candidate at or behind `from`, or size().
  [[nodiscard]] std::uint64_t next(std::uint64_t from) {
    const std::uint64_t end = source_.size();
    while (from < end) {
      const std::uint64_t block_end = begin_ + block_.size();
      const bool has_more = block_end < end;
      if (block_.empty() || from < begin_ || from >= block_end ||
          (has_more && from + kOverlap >= block_end)) {
        begin_ = from;
        block_ = source_.head(from, kBlock);
      }
      const std::size_t first = static_cast<std::size_t>(from - begin_);
      const bool is_last = begin_ + block_.size() == end;
      const std::size_t stop =
          is_last ? block_.size() : block_.size() - kOverlap;
      for (std::size_t i = first; i < stop; ++i) {
        if (is_candidate(ByteView(block_).subspan(i))) return begin_ + i;
      }
      from = begin_ + stop;
    }
    return end;
  }

 private:
  static constexpr std::size_t kBlock = std::size_t{1} << 20U;
  static constexpr std::size_t kOverlap = 512;

  static bool is_candidate(ByteView at) {
    const int first = std::to_integer<int>(at[0]);
    if (first == pickle_op::kProto) {
      return at.size() > 2 && std::to_integer<int>(at[1]) <= 5 &&
             !pickle_opcode_name(std::to_integer<std::uint8_t>(at[2])).empty();
    }
    if (first != pickle_op::kGlobal) return false;
    const std::string_view text =
        as_text(at.subspan(1, std::min<std::size_t>(at.size() - 1, kOverlap)));
    const std::size_t line = text.find('\n');
    if (line == std::string_view::npos || !is_python_path(text.substr(0, line)))
      return false;
    const std::size_t second = text.find('\n', line + 1);
    return second != std::string_view::npos &&
           is_python_path(text.substr(line + 1, second - line - 1));
  }

  const ByteSource& source_;
  Bytes block_;
  std::uint64_t begin_ = 0;
};

/// Candidates that are tried behind garbage, and opcodes spent on them.
constexpr std::uint64_t kMaxTrials = 200'000;
constexpr std::uint64_t kMaxTrialOpcodes = 100'000'000;
/// What a distinct name costs, in opcodes: it is judged, kept and reported. A
/// stream of 200,000 names is a candidate at each of them.
constexpr std::uint64_t kNameCost = 256;
/// The longest line of a trial, and how many of its bytes cost an opcode.
constexpr std::uint64_t kMaxTrialLine = std::uint64_t{16} << 20U;
constexpr std::uint64_t kLineBytesPerOpcode = 64;

/// Pickles in a row that are walked to find out whether a file is one.
constexpr std::size_t kMaxRowOfPickles = 64;

}  // namespace

std::string_view pickle_opcode_name(std::uint8_t opcode) noexcept {
  static constexpr auto kNames = opcode_names();
  return kNames[opcode];
}

GlobalClass PickleRun::worst() const {
  GlobalClass worst = GlobalClass::weights_only;
  for (const PickleGlobal& global : globals) {
    worst = std::max(worst, global.judgement.verdict);
  }
  for (const PickleCall& call : calls) {
    worst = std::max(worst, call.judgement.verdict);
  }
  return worst;
}

PickleMachine::PickleMachine(const ByteSource& source,
                             const PickleOptions& options)
    : state_(std::make_unique<State>(source, options)) {}

PickleMachine::~PickleMachine() = default;

PickleRun PickleMachine::run(std::uint64_t offset) {
  return state_->run(offset);
}

const PickleHeap& PickleMachine::heap() const { return state_->heap; }

PickleStream read_pickle_stream(const ByteSource& source,
                                const PickleOptions& options,
                                AfterStop after_stop) {
  PickleStream stream;
  PickleMachine machine(source, options);
  const std::uint64_t size = source.size();
  std::uint64_t at = 0;
  // What one loader after the other would read.
  while (at < size && stream.runs.size() < PickleStream::kMaxRuns) {
    PickleRun run = machine.run(at);
    const bool is_first = stream.runs.empty();
    if (!is_first && !is_convincing(run)) break;
    const bool has_stopped = run.has_stopped;
    at = run.end;
    stream.runs.push_back(std::move(run));
    if (!has_stopped || after_stop == AfterStop::ignore) break;
  }
  stream.first_resumed = stream.runs.size();
  stream.trailing = size - at;
  if (after_stop == AfterStop::ignore || at >= size) return stream;

  PickleStream found = find_pickles(source, options, at);
  stream.runs.insert(stream.runs.end(),
                     std::make_move_iterator(found.runs.begin()),
                     std::make_move_iterator(found.runs.end()));
  stream.problems = std::move(found.problems);
  return stream;
}

PickleStream find_pickles(const ByteSource& source,
                          const PickleOptions& options, std::uint64_t from) {
  PickleStream stream;
  const std::uint64_t size = source.size();
  Resumption resumption(source);
  PickleOptions trial = options;
  trial.max_opcodes = 10'000'000;
  trial.max_line = kMaxTrialLine;
  PickleMachine second(source, trial);
  std::uint64_t trials = 0;
  std::uint64_t opcodes = 0;
  while (true) {
    from = resumption.next(from);
    if (from >= size) break;
    if (++trials > kMaxTrials || opcodes > kMaxTrialOpcodes ||
        stream.runs.size() >= PickleStream::kMaxRuns) {
      stream.problems.push_back(
          {.rule = "pickle-limit",
           .severity = Severity::medium,
           .offset = from,
           .message = "the search for further pickles was given up here"});
      break;
    }
    PickleRun run = second.run(from);
    opcodes += run.opcodes + kNameCost * run.globals.size() +
               run.line_bytes / kLineBytesPerOpcode;
    if (!is_convincing(run)) {
      ++from;
      continue;
    }
    const std::uint64_t end = run.has_stopped ? run.end : from + 1;
    from = std::max(end, from + 1);
    stream.runs.push_back(std::move(run));
  }
  return stream;
}

namespace {

/// What walking the beginning of a file says about the whole.
enum class Likeness : std::uint8_t {
  none,
  imports,     ///< a loader would import something
  complete,    ///< pickles, to the last byte
  begins,      ///< as many opcodes as do not come by chance
  unfinished,  ///< nothing yet, and the bytes end before the pickle does
};

bool reached_limit(const PickleRun& run) {
  return std::any_of(
      run.problems.begin(), run.problems.end(),
      [](const Problem& problem) { return problem.rule == "pickle-limit"; });
}

/// What loaders make of the pickles that `source` begins with.
Likeness likeness(const ByteSource& source, const PickleOptions& options) {
  PickleMachine machine(source, options);
  std::uint64_t at = 0;
  std::uint64_t opcodes = 0;
  for (std::size_t i = 0; i < kMaxRowOfPickles && at < source.size(); ++i) {
    const PickleRun run = machine.run(at);
    const int first = std::to_integer<int>(source.head(at, 1)[0]);
    if (has_plausible_import(run) ||
        (run.straddles_frame &&
         has_plausible_import(run_dropping_frames(source, options, at)))) {
      return Likeness::imports;
    }
    opcodes += run.opcodes;
    // Eight opcodes in a row do not come by chance; fewer count if nothing but
    // the end of the bytes shown stopped the walk.
    if (first == pickle_op::kProto &&
        (run.has_stopped || run.opcodes >= 8 || run.is_cut_off ||
         run.straddles_frame || run.end == source.size())) {
      return Likeness::begins;
    }
    if (!run.has_stopped) {
      if (reached_limit(run)) return Likeness::begins;
      return run.is_cut_off ? Likeness::unfinished : Likeness::none;
    }
    at = run.end;
  }
  if (at >= source.size()) {
    return opcodes >= 2 ? Likeness::complete : Likeness::none;
  }
  return Likeness::none;
}

std::string_view said(Likeness likeness) {
  switch (likeness) {
    case Likeness::imports:
    case Likeness::begins:
      return "its first opcodes are a pickle";
    case Likeness::complete:
      return "its opcodes are those of a pickle, to the last byte";
    case Likeness::none:
    case Likeness::unfinished:
      break;
  }
  return {};
}

}  // namespace

std::string_view looks_like_pickle(const ByteSource& source, ByteView head) {
  if (head.size() < 2 ||
      pickle_opcode_name(std::to_integer<std::uint8_t>(head[0])).empty()) {
    return {};
  }
  // To pickle.load the "P" of a zip is a persistent id, at which it ends.
  if (as_text(head).starts_with("PK\x03\x04")) return {};
  const bool is_all = head.size() == source.size();
  PickleOptions options{.max_opcodes = 1'000'000};
  options.max_line = kMaxTrialLine;
  const Likeness shown = likeness(SpanSource(head), options);
  if (shown == Likeness::unfinished && !is_all) {
    return said(likeness(source, PickleOptions{}));
  }
  // Pickles up to the last byte of a head that is not all are no whole file.
  return shown == Likeness::complete && !is_all
             ? said(likeness(source, PickleOptions{}))
             : said(shown);
}

std::string_view why_pickle(const FormatSubject& subject) {
  if (looks_like_legacy_torch(subject.head)) return {};
  const std::string_view why = looks_like_pickle(subject.source, subject.head);
  if (!why.empty()) return why;
  // A beginning that was broken on purpose: what follows may be read by
  // somebody who knows where it is.
  if (subject.head.size() < 2 ||
      std::to_integer<int>(subject.head[0]) != 0x80 ||
      std::to_integer<int>(subject.head[1]) > 5) {
    return {};
  }
  const SpanSource head(subject.head);
  return find_pickles(head, PickleOptions{.max_opcodes = 100'000}, 2)
                 .runs.empty()
             ? ""
             : "begins as a pickle, and one follows";
}

}  // namespace impound
