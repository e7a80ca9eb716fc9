// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a pickle would have built, without building it: values that point into
/// the stream, containers, and the calls that would have been made.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/source.hpp"
#include "core/formats/pickle/pickle_cell.hpp"

namespace impound {

/// How much a name can be trusted to do no harm when imported and called.
enum class GlobalClass : std::uint8_t {
  weights_only,  ///< on the list of torch's weights_only unpickler
  allowed,       ///< on our allow-list
  unknown,       ///< nobody vouched for it
  dangerous,     ///< code execution, files, network, or an evasion
};

/// A row of whoever judges (core/scan/pickle_lists.hpp).
struct GuardedNames;

/// What a list says about a name, and which rule says so.
struct GlobalJudgement {
  GlobalClass verdict = GlobalClass::unknown;
  std::string_view rule;  ///< id for the finding; static text
  /// Says which calls of the name do no harm: for the CallJudge.
  const GuardedNames* guard = nullptr;
};

/// Asked once for each distinct name. The lists live in the scan room.
using GlobalJudge = GlobalJudgement (*)(std::string_view module,
                                        std::string_view name);

/// A name that the pickle imports.
struct PickleGlobal {
  std::string module;  ///< as written
  std::string name;
  std::string resolved_module;  ///< as Python 3 would look it up here
  std::string resolved_name;
  GlobalJudgement judgement;
  std::uint64_t offset = 0;  ///< of the first import
  std::uint64_t imports = 0;
  std::uint64_t calls = 0;
  std::uint64_t builds = 0;
  /// Calls of builtins.getattr that AttributeJudge knows.
  std::uint64_t known_attributes = 0;
  /// Further calls that CallJudge let pass.
  std::uint64_t harmless_calls = 0;
  /// It stands among what a call that is not allowed is given, or may: known
  /// of dangerous names only.
  bool is_handed_on = false;
  /// It was put where nothing is kept any more.
  bool is_lost = false;
  int protocol = 0;  ///< in force at the first import

  /// "os.system", with the name that was written if Python maps it.
  [[nodiscard]] std::string full_name() const;
};

/// What a container value stands for.
struct PickleContainer {
  enum class Kind : std::uint8_t {
    tuple,
    list,
    dict,  ///< children: key, value, key, value …
    set,
    frozen_set,
    call,        ///< result of REDUCE, OBJ, INST, NEWOBJ, NEWOBJ_EX
    persistent,  ///< result of PERSID, BINPERSID; its one child is the id
    extension,   ///< result of EXT1/2/4
    buffer,      ///< NEXT_BUFFER
  };
  Kind kind = Kind::tuple;
  bool is_cut = false;      ///< more children than were kept
  std::uint32_t count = 0;  ///< children kept
  float weight = 1;         ///< values in it if every reference were a copy
};

/// A call that would be made. A NEWOBJ_EX keeps its keywords as last argument.
struct PickleCallSite {
  PickleValue callee;
  PickleValue arguments;  ///< a tuple, or what stood in its place
  PickleValue state;      ///< of the last BUILD; absent if there was none
};

/// Everything one pickle builds. Bounded: above kMaxKept children are counted
/// but not kept, and containers become `unknown`; of the calls of one name the
/// further ones are then one. At its bounds it takes about 250 MB; a pickle
/// with fewer values takes 8 bytes for each and 16 for each container.
class PickleHeap {
 public:
  explicit PickleHeap(const ByteSource& source) : source_(source) {}

  static constexpr std::size_t kMaxContainers = 2'000'000;
  static constexpr std::size_t kMaxKept = 4'000'000;
  static constexpr std::uint32_t kMaxChildren = 1'000'000;
  /// Values that do not fit a cell, and calls.
  static constexpr std::size_t kMaxFar = 2'000'000;

  using Holder = PickleContainer::Kind;

  // For the machine, which lives on cells.
  [[nodiscard]] PickleCell make(Holder kind, const PickleCell* children,
                                std::size_t count) {
    if (records_.size() >= kMaxContainers) [[unlikely]] {
      lose(children, count);
      return PickleCell::of(PickleValue::Kind::unknown, 0);
    }
    const std::size_t index = records_.size();
    float weight = 1;
    for (std::size_t i = 0; i < count; ++i) weight += weight_of(children[i]);
    const std::size_t kept = keep(children, count);
    records_.push({.first = static_cast<std::uint32_t>(kept_.size() - kept),
                   .shape = Record::shape_of(kind, kept, kept < count),
                   .weight = weight,
                   .extra = kNone});
    return PickleCell::of(PickleValue::Kind::container, index);
  }
  [[nodiscard]] PickleCell make_call(const PickleValue& callee,
                                     const PickleValue& arguments);
  /// Adds children if `target` is a container of this kind.
  /// @return false, and nothing done, if it is anything else.
  [[nodiscard]] bool append_to(PickleCell target, Holder wanted,
                               const PickleCell* children, std::size_t count) {
    if (target.kind() != PickleValue::Kind::container) return false;
    Record& into = records_[target.payload()];
    if (into.kind() != wanted) return false;
    append(into, children, count);
    return true;
  }
  /// Adds children to a container of any kind.
  void append_any(PickleCell target, const PickleCell* children,
                  std::size_t count) {
    append(records_[target.payload()], children, count);
  }
  /// The value in a cell, and the cell of a value.
  [[nodiscard]] PickleValue open(PickleCell cell) const;
  [[nodiscard]] PickleCell cell(const PickleValue& value);
  void clear();

  /// Notes that these values are kept nowhere.
  void lose(const PickleCell* children, std::size_t count) {
    if (!globals.empty()) lose_names(children, count);
  }
  /// Whether a bound was reached: not all that was built is here.
  [[nodiscard]] bool is_full() const {
    return kept_.size() >= kMaxKept || records_.size() >= kMaxContainers;
  }
  [[nodiscard]] std::size_t containers() const { return records_.size(); }

  /// Children in order; at most `limit`.
  [[nodiscard]] std::vector<PickleValue> children(
      const PickleValue& value, std::size_t limit = kMaxChildren) const;
  /// One of them; absent if there are fewer.
  [[nodiscard]] PickleValue child(const PickleValue& value,
                                  std::size_t index) const;
  /// The container behind a value, if it is one.
  [[nodiscard]] std::optional<PickleContainer> container(
      const PickleValue& value) const;
  [[nodiscard]] const PickleCallSite* call(const PickleValue& value) const;
  [[nodiscard]] PickleCallSite* call(const PickleValue& value);
  [[nodiscard]] const PickleGlobal* global(const PickleValue& value) const;
  /// The global called to make this value, or nullptr.
  [[nodiscard]] const PickleGlobal* callee(const PickleValue& value) const;

  /// Whether a global is put anywhere but where it is called: an argument, a
  /// member, a state.
  [[nodiscard]] bool is_passed_on(std::size_t global) const;

  /// Text of a text value as UTF-8, cut after `limit` bytes.
  [[nodiscard]] std::string text(const PickleValue& value,
                                 std::size_t limit = 65536) const;
  [[nodiscard]] Bytes bytes(const PickleValue& value, std::size_t limit) const;

  /// Python-like text of a value: what would be executed, with arguments.
  /// Strings are cut at 4 KiB, the whole at about 16 KiB.
  [[nodiscard]] std::string render(const PickleValue& value) const;

  [[nodiscard]] float weight(const PickleValue& value) const noexcept {
    return value.kind == PickleValue::Kind::container
               ? records_[value.payload].weight
               : 1.0F;
  }

  std::vector<PickleGlobal> globals;

 private:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  /// A container in 16 bytes. Its children stand in one run of kept_ from
  /// `first` on; what does not fit that form is in extras_.
  struct Record {
    std::uint32_t first;
    std::uint32_t shape;  ///< count, kind and is_cut
    float weight;
    std::uint32_t extra;

    static constexpr std::uint32_t kCutBit = 1U << 27U;
    static std::uint32_t shape_of(Holder kind, std::size_t count, bool is_cut) {
      return static_cast<std::uint32_t>(count) |
             static_cast<std::uint32_t>(kind) << 28U | (is_cut ? kCutBit : 0);
    }
    [[nodiscard]] Holder kind() const {
      return static_cast<Holder>(shape >> 28U);
    }
    [[nodiscard]] std::uint32_t count() const { return shape & (kCutBit - 1); }
    [[nodiscard]] bool is_cut() const { return (shape & kCutBit) != 0; }
  };
  struct Extra {
    std::uint32_t call;  ///< index of calls_
    std::uint32_t first_run;
    std::uint32_t last_run;
  };
  struct Run {
    std::uint32_t first;
    std::uint32_t count;
    std::uint32_t next;
  };

  [[nodiscard]] float weight_of(PickleCell cell) const noexcept {
    return cell.kind() == PickleValue::Kind::container
               ? records_[cell.payload()].weight
               : 1.0F;
  }
  /// Appends to kept_ what the bounds allow. @return how many that were.
  std::size_t keep(const PickleCell* children, std::size_t count) {
    if (kept_.size() + count > kMaxKept || count > kMaxChildren) [[unlikely]] {
      const std::size_t all = count;
      count = std::min<std::size_t>(count, kMaxChildren);
      count = std::min(count, kMaxKept - kept_.size());
      lose(children + count, all - count);
    }
    for (std::size_t i = 0; i < count; ++i) kept_.push(children[i]);
    return count;
  }
  void append(Record& into, const PickleCell* children, std::size_t count) {
    if (into.extra != kNone ||
        (into.count() != 0 && into.first + into.count() != kept_.size()) ||
        into.count() + count > kMaxChildren) {
      append_run(into, children, count);
      return;
    }
    float added = 0;
    for (std::size_t i = 0; i < count; ++i) added += weight_of(children[i]);
    into.weight += added;
    if (into.count() == 0)
      into.first = static_cast<std::uint32_t>(kept_.size());
    const std::size_t kept = keep(children, count);
    into.shape += static_cast<std::uint32_t>(kept);
    if (kept < count) into.shape |= Record::kCutBit;
  }
  void append_run(Record& into, const PickleCell* children, std::size_t count);
  Extra& extra_of(Record& record);

  void render_into(std::string& out, const PickleValue& value, int depth) const;
  void render_children(std::string& out, const PickleValue& value,
                       int depth) const;

  const ByteSource& source_;
  void lose_names(const PickleCell* children, std::size_t count);
  /// What stands for the calls of a name that are not kept.
  [[nodiscard]] PickleCell spare_call(const PickleValue& callee);
  PickleCell add_call(const PickleValue& callee, const PickleValue& arguments);

  /// Names that may have a spare call.
  static constexpr std::size_t kMaxSpares = 4096;

  PickleArray<Record> records_{kMaxContainers + kMaxSpares};
  PickleArray<PickleCell> kept_{kMaxKept};
  std::vector<Extra> extras_;
  std::vector<PickleCallSite> calls_;
  std::unordered_map<std::uint64_t, PickleCell> spares_;  ///< by global
  std::vector<Run> runs_;
  std::vector<PickleValue> far_;  ///< values too long for a cell
};

/// The name that Python 3 looks up for a name written by Python 2 (protocols
/// below 3): "__builtin__.eval" → "builtins.eval". Unmapped names come back.
struct PythonName {
  std::string module;
  std::string name;
};
[[nodiscard]] PythonName map_python2_name(std::string_view module,
                                          std::string_view name);

}  // namespace impound
