// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a pickle would have built, without building it: values that point into
/// the stream, containers, and the calls that would have been made.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/source.hpp"

namespace impound {

/// One value of the machine. Text and bytes are not copied: they are a place in
/// the stream.
struct PickleValue {
  enum class Kind : std::uint8_t {
    absent,   ///< no value: an empty memo slot
    unknown,  ///< something, after an error or above a limit
    none,
    boolean,      ///< payload 0 or 1
    integer,      ///< payload: the int64
    big_integer,  ///< more than 64 bits: payload, length: its bytes
    real,         ///< payload: the bits of the double
    text,         ///< payload, length: UTF-8 bytes in the stream
    raw_unicode,  ///< the same, raw-unicode-escape (opcode UNICODE)
    quoted,       ///< the same, a quoted and escaped line (opcode STRING)
    bytes,        ///< payload, length: bytes in the stream
    global,       ///< payload: index of PickleHeap::globals
    container,    ///< payload: index of PickleHeap::containers
  };
  Kind kind = Kind::absent;
  std::uint32_t length = 0;  ///< 0xffffffff also stands for anything longer
  std::uint64_t payload = 0;

  [[nodiscard]] bool is_text() const noexcept {
    return kind == Kind::text || kind == Kind::raw_unicode ||
           kind == Kind::quoted;
  }
};

/// How much a name can be trusted to do no harm when imported and called.
enum class GlobalClass : std::uint8_t {
  weights_only,  ///< on the list of torch's weights_only unpickler
  allowed,       ///< on our allow-list
  unknown,       ///< nobody vouched for it
  dangerous,     ///< code execution, files, network, or an evasion
};

/// What a list says about a name, and which rule says so.
struct GlobalJudgement {
  GlobalClass verdict = GlobalClass::unknown;
  std::string_view rule;  ///< id for the finding; static text
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
  int protocol = 0;  ///< in force at the first import

  /// "os.system", with the name that was written if Python maps it.
  [[nodiscard]] std::string full_name() const;
};

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
  std::uint32_t first_run = kNone;
  std::uint32_t last_run = kNone;
  std::uint32_t call = kNone;  ///< index of PickleHeap::calls
  float weight = 1;            ///< values in it if every reference were a copy

  static constexpr std::uint32_t kNone = 0xffffffffU;
};

/// A call that would be made. A NEWOBJ_EX keeps its keywords as last argument.
struct PickleCallSite {
  PickleValue callee;
  PickleValue arguments;  ///< a tuple, or what stood in its place
  PickleValue state;      ///< of the last BUILD; absent if there was none
};

/// Everything one pickle builds. Bounded: above kMaxKept children are counted
/// but not kept, and containers become `unknown`.
class PickleHeap {
 public:
  explicit PickleHeap(const ByteSource& source) : source_(source) {}

  static constexpr std::size_t kMaxContainers = 2'000'000;
  static constexpr std::size_t kMaxKept = 4'000'000;
  static constexpr std::uint32_t kMaxChildren = 1'000'000;

  [[nodiscard]] PickleValue make(PickleContainer::Kind kind,
                                 const PickleValue* children,
                                 std::size_t count);
  [[nodiscard]] PickleValue make_call(const PickleValue& callee,
                                      const PickleValue& arguments);
  void append(std::uint32_t container, const PickleValue* children,
              std::size_t count);
  void clear();

  /// Children in order; at most `limit`.
  [[nodiscard]] std::vector<PickleValue> children(
      const PickleValue& value, std::size_t limit = kMaxChildren) const;
  /// The container behind a value, or nullptr.
  [[nodiscard]] const PickleContainer* container(
      const PickleValue& value) const;
  [[nodiscard]] const PickleCallSite* call(const PickleValue& value) const;
  [[nodiscard]] PickleCallSite* call(const PickleValue& value);
  [[nodiscard]] const PickleGlobal* global(const PickleValue& value) const;
  /// The global called to make this value, or nullptr.
  [[nodiscard]] const PickleGlobal* callee(const PickleValue& value) const;

  /// Text of a text value as UTF-8, cut after `limit` bytes.
  [[nodiscard]] std::string text(const PickleValue& value,
                                 std::size_t limit = 65536) const;
  [[nodiscard]] Bytes bytes(const PickleValue& value, std::size_t limit) const;

  /// Python-like text of a value: what would be executed, with arguments.
  /// Strings are cut at 4 KiB, the whole at about 16 KiB.
  [[nodiscard]] std::string render(const PickleValue& value) const;

  [[nodiscard]] float weight(const PickleValue& value) const noexcept;

  std::vector<PickleGlobal> globals;

 private:
  struct Run {
    std::uint32_t first;
    std::uint32_t count;
    std::uint32_t next;
  };

  void render_into(std::string& out, const PickleValue& value, int depth) const;
  void render_children(std::string& out, const PickleValue& value,
                       int depth) const;

  const ByteSource& source_;
  std::vector<PickleContainer> containers_;
  std::vector<PickleCallSite> calls_;
  std::vector<Run> runs_;
  std::vector<PickleValue> kept_;
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
