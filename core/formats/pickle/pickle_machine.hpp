// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Inside of PickleMachine: the parts of one walk. Included by pickle*.cpp
/// only.

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/formats/pickle/pickle.hpp"
#include "core/formats/pickle/pickle_number.hpp"

namespace impound {

/// The stream, seen through a window that is read as needed. Reading a fixed
/// argument never leaves the window: it is padded with zeros at the end.
class PickleWindow {
 public:
  explicit PickleWindow(const ByteSource& source);

  /// Bytes that may be read from at() without looking: the longest fixed
  /// argument (8) and its opcode, rounded up.
  static constexpr std::size_t kLookAhead = 16;

  void seek(std::uint64_t offset);
  /// Reads the window anew: the source is no longer what it was.
  void reload() { load(offset_of(at)); }
  /// Makes at least kLookAhead bytes readable, fewer only at the end.
  void refill();

  [[nodiscard]] std::uint64_t offset_of(const std::byte* place) const noexcept {
    return begin_ + static_cast<std::uint64_t>(place - data_.get());
  }
  [[nodiscard]] bool reaches_end() const noexcept {
    return begin_ + filled_ == source_.size();
  }
  [[nodiscard]] const ByteSource& source() const noexcept { return source_; }

  const std::byte* at = nullptr;   ///< the next byte
  const std::byte* end = nullptr;  ///< behind the last byte of the window

 private:
  static constexpr std::size_t kSize = std::size_t{1} << 18U;
  void load(std::uint64_t offset);

  const ByteSource& source_;
  std::size_t capacity_;  ///< kSize, or less for a source that is smaller
  std::unique_ptr<std::byte[]> data_;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
};

/// Numbered values that GET and PUT name.
class PickleMemo {
 public:
  /// Entries of one memo: 8 bytes each, and about 32 where numbers jump.
  static constexpr std::size_t kMaxEntries = 16'000'000;

  /// @return false if the memo is full.
  [[nodiscard]] bool put(std::uint64_t index, PickleCell value) {
    if (index < dense_.size()) {
      if (dense_[index].kind() == PickleValue::Kind::absent) ++count_;
      dense_[index] = value;
      return true;
    }
    return put_beyond(index, value);
  }
  [[nodiscard]] PickleCell get(std::uint64_t index) const {
    return index < dense_.size() ? dense_[index] : get_beyond(index);
  }
  /// Entries in use: the index that MEMOIZE takes.
  [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
  void clear();

 private:
  [[nodiscard]] bool put_beyond(std::uint64_t index, PickleCell value) {
    if (index != dense_.size() || count_ >= kMaxEntries || !sparse_.empty()) {
      return put_far(index, value);
    }
    dense_.push(value);
    ++count_;
    return true;
  }
  [[nodiscard]] bool put_far(std::uint64_t index, PickleCell value);
  [[nodiscard]] PickleCell get_beyond(std::uint64_t index) const;

  PickleArray<PickleCell> dense_{kMaxEntries};
  std::unordered_map<std::uint64_t, PickleCell> sparse_;
  std::uint64_t count_ = 0;
};

/// A stream without the parts that a loader drops.
class SplicedSource final : public ByteSource {
 public:
  /// `whole` outlives this.
  explicit SplicedSource(const ByteSource& whole)
      : whole_(whole), size_(whole.size()) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> out) const override;

  /// Takes the bytes of [begin, end) out. Cuts are made from front to back:
  /// @pre begin is not before where an earlier cut was made; end <= size().
  void cut(std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] std::size_t cuts() const noexcept { return pieces_.size() - 1; }
  /// Where in the whole a place of this stream lies.
  [[nodiscard]] std::uint64_t whole_offset(std::uint64_t offset) const noexcept;

 private:
  struct Piece {
    std::uint64_t begin;  ///< here
    std::uint64_t from;   ///< in the whole
  };

  const ByteSource& whole_;
  std::uint64_t size_;
  std::vector<Piece> pieces_{{0, 0}};
};

/// The argument of a text opcode, up to its newline.
struct PickleLine {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< without the newline
  /// Its bytes until the machine reads on; of a line that is longer than
  /// kMaxHeldLine the first ones.
  std::string_view text;
  bool is_in_window = true;
  bool has_end = true;  ///< false: the stream ends before the newline

  [[nodiscard]] bool is_whole() const { return text.size() == size; }
};

/// Why a walk ends before STOP.
struct PickleBroken {
  std::string rule;
  std::string message;
};

struct PickleMachine::State {
  State(const ByteSource& from, const PickleOptions& how);

  // pickle_loop.cpp: the opcodes that files are full of.
  void loop();
  // pickle_machine.cpp: the others that only move values.
  PickleRun run(std::uint64_t offset);
  void slow_edge();
  void execute_rare(std::uint8_t opcode, const std::byte* p);
  void sized_constant(PickleValue::Kind kind, std::uint64_t size);
  /// Takes a line off the stream.
  PickleLine line();
  PickleLine long_line();
  PickleNumber line_number(std::uint8_t opcode);
  void push_line_number(std::uint8_t opcode);
  std::uint64_t line_index(std::uint8_t opcode);
  void push_line_text(std::uint8_t opcode);
  void frame(std::uint64_t size);
  // pickle_frames.cpp
  void drop_what_straddles();

  void grow_stack();
  void push(PickleCell cell) {
    if (top == stack_end) grow_stack();
    *top++ = cell;
  }
  void push(const PickleValue& value) { push(heap.cell(value)); }
  /// Where the values above the last MARK begin.
  [[nodiscard]] PickleCell* floor() const {
    return stack.get() + (marks.empty() ? 0 : marks.back());
  }
  PickleCell pop_cell();
  PickleValue pop() { return heap.open(pop_cell()); }
  PickleCell* pop_mark();
  void fold_to_mark(PickleContainer::Kind kind);

  // pickle_calls.cpp: the opcodes that import and call.
  void import_lines(bool call_it);
  void import_from_stack();
  PickleValue import(std::string module, std::string name,
                     std::uint64_t offset);
  void reduce();
  void object();
  void create(bool with_keywords);
  void build();
  void extension(std::uint64_t code);
  void persistent(const PickleValue& id);
  /// Adds to what is no plain container of the kind that the opcode wants.
  void add_to_other(std::uint8_t opcode, const PickleCell* first,
                    std::size_t count);
  PickleValue make_call(PickleCall::How how, const PickleValue& callee,
                        const PickleValue& arguments);
  [[nodiscard]] bool is_known_attribute(const PickleGlobal& callee,
                                        const PickleValue& arguments) const;
  /// Names that were imported for nothing but known attributes are allowed.
  void pardon_attributes();
  void note_call(const PickleCallParts& parts, std::size_t items = 0);
  [[nodiscard]] CallClass judged(const PickleCallParts& parts,
                                 std::string& rendering);
  [[nodiscard]] bool has_room(const PickleCallParts& parts, CallClass said);
  [[nodiscard]] std::string rendering_of(const PickleCallParts& parts,
                                         std::size_t items) const;
  void give(const PickleValue& value);
  void mark_handed_on();
  [[nodiscard]] const PickleGlobal* class_of(const PickleValue& value) const;

  // pickle_arrays.cpp: bytes that joblib puts into the stream.
  void inline_array(const PickleValue& wrapper);
  void inner_pickle();

  // pickle_constants.cpp
  /// Whether a constant that begins with this byte may be a file of its own.
  [[nodiscard]] static bool is_worth_noting(std::byte first) {
    return kNoteworthy[std::to_integer<std::size_t>(first)];
  }
  static const std::array<bool, 256> kNoteworthy;
  void note_constant(PickleValue::Kind kind, std::uint64_t offset,
                     std::uint64_t size, const std::byte* first);

  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message);
  [[noreturn]] void broken(std::string_view message) const;

  static constexpr std::size_t kMaxStack = 4'000'000;
  static constexpr std::size_t kFirstStack = 1024;

  PickleOptions options;
  SplicedSource* spliced = nullptr;  ///< the source, if frames are dropped
  PickleWindow window;
  PickleHeap heap;
  PickleMemo memo;
  PickleRun result;

  std::unique_ptr<PickleCell[]> stack;
  PickleCell* top = nullptr;
  PickleCell* stack_end = nullptr;
  PickleArray<std::uint32_t> marks{kMaxStack};  ///< heights of the stack

  std::uint64_t opcode_offset = 0;  ///< of the opcode at hand
  const std::byte* edge = nullptr;  ///< look at frame and window from here on
  std::uint64_t opcodes = 0;
  std::uint64_t frame_end = 0;  ///< offset; 0 = outside of a frame
  std::uint64_t dups = 0;
  int protocol = 0;
  int array_depth = 0;  ///< joblib: pickles within arrays
  bool stopped = false;
  std::array<bool, 256> seen{};
  std::unordered_map<std::string, std::uint32_t> global_index;
  std::vector<PickleGlobal> inner_globals;  ///< of pickles within arrays

  std::string held_line;  ///< of a line that is longer than the window
  /// Places in the memo that are no machine word: Lib/pickle.py keeps a dict.
  std::unordered_map<std::string, std::uint64_t> far_indices;
  std::uint64_t name_bytes = 0;  ///< of the distinct names imported

  /// What was spent on the calls that are no allowed ones; pickles within
  /// arrays share it.
  struct CallWork {
    std::uint64_t rendered = 0;  ///< bytes
    std::size_t doubtful = 0;    ///< listed
    std::size_t harmful = 0;
  };
  CallWork call_work;
  std::unordered_map<std::uint64_t, std::uint32_t> tries;
  /// What is given to calls that the heap does not keep as such.
  std::vector<PickleValue> given;
  bool is_given_lost = false;
  std::string_view mutator;  ///< of the call at hand: ".extend("

  /// Of a line: what is kept of it. Names and numbers are shorter, texts are
  /// places in the stream.
  static constexpr std::size_t kMaxHeldLine = std::size_t{16} << 20U;
  static constexpr std::size_t kMaxName = 65536;
  static constexpr std::uint64_t kMaxNameBytes = std::uint64_t{64} << 20U;
  static constexpr std::size_t kMaxGlobals = 65536;
  static constexpr std::size_t kMaxFarIndices = 4096;
  static constexpr std::size_t kMaxCuts = 1000;
  /// Text of calls that is made to judge them: seconds.
  static constexpr std::uint64_t kMaxCallText = std::uint64_t{512} << 20U;
  /// Calls of one name in one way that are looked at for distinct ones.
  static constexpr std::uint32_t kMaxTries = 4096;
  static constexpr std::size_t kMaxGiven = 4096;
};

}  // namespace impound
