// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The pickle machine: walks a pickle as CPython's unpickler would, with its
/// stack, marks and memo, and says what it would import and call. Nothing is
/// imported, called or built.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/pickle/pickle_heap.hpp"
#include "core/formats/problem.hpp"

namespace impound {

/// Whether getattr(class, attribute) of these names does no harm: what old
/// pickles write for a static method.
using AttributeJudge = bool (*)(std::string_view class_name,
                                std::string_view attribute);

struct PickleCall;
struct PickleCallParts;

/// What a call does with what it is given, as far as can be said of it alone.
enum class CallClass : std::uint8_t {
  harmless,  ///< not listed
  by_text,   ///< only its rendering decides
  doubtful,
  harmful,
};

/// Asked for each call of what is not allowed, as it happens: at first with an
/// empty `rendering`, and once more with it after `by_text`.
using CallJudge = CallClass (*)(const PickleHeap& heap,
                                const PickleCallParts& parts,
                                std::string_view rendering);

struct PickleOptions {
  /// Without one every name is `unknown`, and no call is listed.
  GlobalJudge judge = nullptr;
  AttributeJudge attributes = nullptr;
  /// Without one every call is listed, as far as there is room.
  CallJudge calls = nullptr;
  /// joblib puts the bytes of an array into the stream, behind the BUILD of its
  /// NumpyArrayWrapper. joblib.load skips them; pickle.load would run them.
  enum class Arrays : std::uint8_t { as_joblib, as_opcodes };
  Arrays arrays = Arrays::as_joblib;
  /// Opcodes of one pickle, then it is given up: bounds time, not memory.
  std::uint64_t max_opcodes = 4'000'000'000;
  /// Bytes of one line of a text opcode; loaders know no longest one.
  std::uint64_t max_line = UINT64_MAX;
};

/// A call, or a state being set, of something that is not on the allow-list.
struct PickleCall {
  enum class How : std::uint8_t {
    call,       ///< REDUCE, INST, OBJ
    create,     ///< NEWOBJ, NEWOBJ_EX: __new__
    set_state,  ///< BUILD: __setstate__ or __dict__
    mutate,     ///< APPEND(S), SETITEM(S), ADDITEMS on a foreign object
  };
  How how = How::call;
  std::uint64_t offset = 0;
  std::string callee;     ///< "os.system", or what was computed
  std::string rendering;  ///< "os.system('id')": evidence
  GlobalJudgement judgement;
  bool is_computed = false;  ///< the callee is itself the result of a call
};

/// A call as it stands in the heap.
struct PickleCallParts {
  PickleCall::How how = PickleCall::How::call;
  /// What is called, or the class of the object at hand; null if computed.
  const PickleGlobal* type = nullptr;
  PickleValue callee;
  PickleValue target;     ///< what the call makes, or the object at hand
  PickleValue arguments;  ///< or the state, or the first of the items
};

/// A constant that may itself be a file: looked at by whoever knows formats.
struct PickleConstant {
  enum class Coding : std::uint8_t { raw, latin1, base64, hex };
  Coding coding = Coding::raw;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< in the stream, before decoding
};

/// Where raw array bytes stand in the stream (joblib).
struct InlineArray {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  /// The NumpyArrayWrapper it belongs to: the payload of its value. kElsewhere
  /// within an array of objects, which has values of its own.
  std::uint64_t wrapper = kElsewhere;

  static constexpr std::uint64_t kElsewhere = UINT64_MAX;
};

/// What one pickle does, from its first opcode to STOP.
struct PickleRun {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;     ///< behind STOP, or where decoding failed
  bool has_stopped = false;  ///< STOP was reached
  bool is_cut_off = false;   ///< an announced length reaches behind the end
  bool is_partial = false;   ///< a call could not be judged
  int protocol = 0;          ///< the highest PROTO seen
  std::uint64_t opcodes = 0;
  /// Bytes searched for the ends of lines that are longer than the window.
  std::uint64_t line_bytes = 0;
  /// An opcode leaves its FRAME, or may: run_dropping_frames() tells what other
  /// loaders make of the pickle.
  bool straddles_frame = false;
  /// Only opcodes that torch's weights_only unpickler has.
  bool has_weights_only_opcodes = true;
  PickleValue root;  ///< what would be returned
  std::vector<PickleGlobal> globals;
  /// Distinct ones; at most kMaxCalls that are doubtful, and as many harmful.
  std::vector<PickleCall> calls;
  std::vector<PickleValue> persistent_ids;  ///< at most kMaxPersistentIds
  std::uint64_t persistent_count = 0;
  /// Those of the form that torch writes: ('storage', type, key, location, …).
  std::uint64_t torch_storage_ids = 0;
  /// ('module', class, file, source): torch before 1.0.
  std::uint64_t torch_module_ids = 0;
  /// Offset and rendering of the first that is neither.
  std::uint64_t odd_id_offset = 0;
  std::string odd_id;
  std::vector<PickleConstant> constants;
  std::vector<InlineArray> arrays;
  Problems problems;

  /// The gravest import or call; weights_only if there is none.
  [[nodiscard]] GlobalClass worst() const;

  static constexpr std::size_t kMaxCalls = 256;
  static constexpr std::size_t kMaxPersistentIds = 1'000'000;
  static constexpr std::size_t kMaxConstants = 4096;
  static constexpr std::size_t kMaxProblems = 64;
};

/// One pickle, with the values it builds. They stay valid until the next run().
class PickleMachine {
 public:
  /// `source` outlives the machine.
  PickleMachine(const ByteSource& source, const PickleOptions& options);
  ~PickleMachine();
  PickleMachine(const PickleMachine&) = delete;
  PickleMachine& operator=(const PickleMachine&) = delete;

  /// Walks the pickle that begins at `offset`.
  /// @throws Error{io} if the source cannot be read; nothing for bad bytes.
  [[nodiscard]] PickleRun run(std::uint64_t offset);

  [[nodiscard]] const PickleHeap& heap() const;

 private:
  friend PickleRun run_dropping_frames(const ByteSource& source,
                                       const PickleOptions& options,
                                       std::uint64_t offset);
  struct State;
  std::unique_ptr<State> state_;
};

/// The same pickle as read by a loader for whom a frame is its buffer: what is
/// left of a frame is dropped where an opcode does not fit in. Names, calls and
/// problems with their offsets; the values are of a stream that is no more.
[[nodiscard]] PickleRun run_dropping_frames(const ByteSource& source,
                                            const PickleOptions& options,
                                            std::uint64_t offset);

/// The bytes that a constant stands for; what cannot be decoded ends them.
[[nodiscard]] Bytes decode_pickle_constant(const ByteSource& source,
                                           const PickleConstant& constant,
                                           std::uint64_t limit);

/// All pickles of a stream: one after another as long as they follow each
/// other, and those found again behind garbage.
struct PickleStream {
  std::vector<PickleRun> runs;
  /// Index into `runs` of the first one found behind bytes that are no pickle;
  /// runs.size() if there is none.
  std::size_t first_resumed = 0;
  std::uint64_t trailing = 0;  ///< bytes behind the last STOP, no pickle
  Problems problems;           ///< of the stream; those of runs are in them

  static constexpr std::size_t kMaxRuns = 4096;
};

enum class AfterStop : std::uint8_t {
  search_all,  ///< look for more pickles to the end of the source
  ignore,      ///< the container knows what follows
};

[[nodiscard]] PickleStream read_pickle_stream(const ByteSource& source,
                                              const PickleOptions& options,
                                              AfterStop after_stop);

/// Pickles that begin anywhere at or behind `from`: those that import something
/// or come to an end.
[[nodiscard]] PickleStream find_pickles(const ByteSource& source,
                                        const PickleOptions& options,
                                        std::uint64_t from);

/// Why `source` may be loaded as a pickle; empty if it is none. `head` is its
/// beginning. What the head does not decide is walked as far as a loader would:
/// the first import of a pickle of protocol 0 may stand anywhere.
[[nodiscard]] std::string_view looks_like_pickle(const ByteSource& source,
                                                 ByteView head);

/// "GLOBAL"; "" if there is no such opcode.
[[nodiscard]] std::string_view pickle_opcode_name(std::uint8_t opcode) noexcept;

}  // namespace impound
