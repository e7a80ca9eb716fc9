// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Which names a pickle may import, and which calls of them: the lists of the
/// scanner, as data.
///
/// A name can be harmless in more than one way, and a list that knows only
/// "allowed" lets the others in. `object.__new__(DetectionModel)` and a state
/// run nothing; `DetectionModel({'activation': text})` hands the text to
/// eval(). So each name stands in one of four lists, and each list says which
/// ways it vouches for:
///
///   allowed    import, NEWOBJ, BUILD, and REDUCE with any arguments: the
///              source of the callable was read for what it does with them
///   guarded    import; a call only if its guard (a rule about the arguments)
///              says so. Each row states the reason
///   dangerous  no way: the row says what harm a call does
///   (none)     nobody vouched: somebody has to look

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json.hpp"
#include "core/formats/pickle/pickle_heap.hpp"

namespace impound {

/// Names of one module. `module` may end in ".*": all its submodules too.
/// `names` are separated by blanks; "*" stands for every name.
struct NameList {
  std::string_view module;
  std::string_view names;
};

/// Which calls of a guarded name do no harm. An object made without its
/// constructor (NEWOBJ, copyreg), its state (BUILD) and items are harmless in
/// every row; what the enumerators differ in is REDUCE, INST and OBJ.
enum class Guard : std::uint8_t {
  object,       ///< no arguments
  settings,     ///< no arguments; words of the settings are evaluated as code
  no_text,      ///< no text among the arguments: it would be a path or address
  singleton,    ///< type(None), type(...), type(NotImplemented)
  iterable,     ///< one list, tuple, text, set, dict or range
  base,         ///< the base class, whose constructor runs, is a plain type
  new_object,   ///< of a class that is named: the same as NEWOBJ
  binds,        ///< any: what is bound is judged where it is imported
  annotation,   ///< of a name of typing
  torch_bytes,  ///< bytes that torch.save wrote: they are scanned themselves
  bit_generator,  ///< names of numpy.random only
  own_module,     ///< a module of the same library
  ctypes_number,  ///< of a number of ctypes
  attribute,      ///< plain public words
  shapes,         ///< BUILD: the text that __setstate__ executes is SciPy's own
};

/// "no arguments", "no text among the arguments: …": for --rules.
[[nodiscard]] std::string_view to_string(Guard guard) noexcept;

struct GuardedNames {
  std::string_view module;
  std::string_view names;
  Guard guard;
  std::string_view why;  ///< what the callable does with its arguments
};

/// What a call of a dangerous name does.
enum class Harm : std::uint8_t {
  runs_code,
  starts_programs,
  reaches_system,
  loads_code,
  opens_files,
  uses_network,
  unpickles,
  changes_interpreter,
  reaches_anything,
  acts_on_import,
};

/// "runs what it is given as code".
[[nodiscard]] std::string_view to_string(Harm harm) noexcept;

struct DangerousNames {
  std::string_view module;
  std::string_view names;
  Harm harm;
};

/// torch/_weights_only_unpickler.py: what weights_only=True accepts.
[[nodiscard]] std::span<const NameList> weights_only_names();
/// Names that ordinary pickles import and that do no harm when called.
[[nodiscard]] std::span<const NameList> allowed_names();
/// Class names of scikit-learn and torch.nn: allowed in any of their modules,
/// because those move between releases.
[[nodiscard]] std::span<const NameList> library_classes();
/// Names that do harm with some arguments only. A row for every name of a
/// package ("*") stands back behind the dangerous ones.
[[nodiscard]] std::span<const GuardedNames> guarded_names();
/// Code execution, files, network, processes, or a way around a scanner.
[[nodiscard]] std::span<const DangerousNames> dangerous_names();
/// Names that are dangerous in whatever module they are found.
[[nodiscard]] std::span<const DangerousNames> dangerous_anywhere();

/// The judgement of a name as Python would look it up. Guarded names are
/// `unknown` with the rule kGuardedRule: the machine then lists their calls.
[[nodiscard]] GlobalJudgement judge_global(std::string_view module,
                                           std::string_view name);
inline constexpr std::string_view kGuardedRule = "pickle-constructor";

/// The row of a guarded name; nullptr for any other.
[[nodiscard]] const GuardedNames* guard_of(std::string_view module,
                                           std::string_view name);

/// What calling a dangerous name does; empty for any other.
[[nodiscard]] std::optional<Harm> harm_of(std::string_view module,
                                          std::string_view name);

/// Whether a dangerous name is listed by itself, and not only with its module.
[[nodiscard]] bool is_named_danger(std::string_view module,
                                   std::string_view name);

/// Whether getattr() of these is what ordinary pickles write: members of
/// enumerations, public methods, and the private ones on a list.
[[nodiscard]] bool is_known_attribute(std::string_view class_name,
                                      std::string_view attribute);

/// Whether an attribute is a word that reaches nothing by itself: public, and
/// none that is dangerous anywhere.
[[nodiscard]] bool is_plain_attribute(std::string_view attribute);

/// Attributes of classes that are called while loading: "ZoneInfo._unpickle".
[[nodiscard]] bool is_known_method(std::string_view class_name,
                                   std::string_view attribute);

/// {"weights_only":{module:[names]}, "allowed":…, "dangerous":…}.
[[nodiscard]] Json lists_to_json();

}  // namespace impound
