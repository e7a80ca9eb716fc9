// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Parameters: what may be said to a collector, a containment, a playbook or a
/// function that a playbook calls.
///
/// One system, because three disagreed. What a person typed reached a collector
/// as text; the collector looked for a number, found none, and took what the
/// descriptor names instead: `-p pid=B` sealed process A and reported success.
/// So a parameter is declared once, with its type and bounds; what was given is
/// converted and checked in one function, check_parameters(); and what comes
/// out is of a type that nothing else can make. Whoever receives Arguments need
/// not look again, and cannot fall back.
///
/// Help texts, `--list`, `playbook show` and the messages are made from the
/// declaration.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"

namespace impound {

enum class ParameterType : std::uint8_t {
  path,        ///< of a file or folder; not empty, no NUL
  text,        ///< not empty, no NUL; at most `most` bytes
  integer,     ///< from `least` to `most`
  choice,      ///< one of `choices`
  duration,    ///< "90s", "15m", "36h", "7d": stays text
  digest,      ///< SHA-256 in hex; becomes lower case
  boolean,     ///< yes, no, true, false on a command line
  time,        ///< RFC 3339, a date, or a duration back from now; becomes
               ///< RFC 3339 in UTC
  texts,       ///< a list of texts; on a command line "a,b"
  references,  ///< a list of at least one exhibit or item: "E001", "E001/17"
  table,       ///< named values that another declaration checks
};

/// "path", "text" …
[[nodiscard]] std::string_view to_string(ParameterType type) noexcept;

/// Types that a command line can say in one word, and so a playbook may
/// declare: all before `texts`.
[[nodiscard]] std::span<const std::string_view> one_word_types() noexcept;
[[nodiscard]] std::optional<ParameterType> one_word_type_from(
    std::string_view name) noexcept;

/// What of the world outside a value names. A person may name anything there;
/// what somebody else names for them, a playbook, is held against what it may
/// reach (engine/reach.hpp).
enum class Touches : std::uint8_t {
  unsaid,     ///< nobody said yet: a playbook cannot give it
  nothing,    ///< words, numbers, dates
  path,       ///< a file or folder
  pattern,    ///< a file, or files by wildcards
  place,      ///< an exhibit, an item of one, or a file or folder
  evidence,   ///< an exhibit or an item of one
  signature,  ///< a place, or the name of a file inside what the call is about
  process,    ///< the id of a process
};

struct Parameter {
  std::string name;
  ParameterType type = ParameterType::text;
  std::string help = {};  ///< one sentence, with a full stop
  bool is_required = false;
  /// The value if nothing is given; null: there is none then; "" of a path or
  /// text: it may be left out, and is then "".
  Json otherwise = nullptr;
  std::vector<std::string> choices = {};
  std::optional<std::int64_t> least = {};
  std::optional<std::int64_t> most = {};  ///< of text: bytes
  /// Must be said of texts, numbers and paths; the other types name nothing
  /// (see touched()).
  Touches touches = Touches::unsaid;

  /// `touches`, or nothing for the types whose values cannot name anything.
  [[nodiscard]] Touches touched() const noexcept;

  /// What the type asks for: "a whole number from 1 to 4194304".
  [[nodiscard]] std::string expectation() const;
  /// name, type, help, required, expects and, where there are, default,
  /// choices, min, max: what `--list --json` prints and completion needs.
  [[nodiscard]] Json to_json() const;
};

/// How values were given.
enum class Spelling : std::uint8_t {
  values,        ///< JSON: of the playbook's Lua, of a record
  command_line,  ///< text that stands for a value of any type
};

/// Checked values by name. Made by check_parameters() alone.
class Arguments {
 public:
  Arguments() = default;

  [[nodiscard]] bool has(std::string_view name) const;
  // Nothing where nothing was given and there is no default. Asking for
  // another type than the declared one is a defect of the caller, and throws.
  [[nodiscard]] std::optional<std::int64_t> integer(
      std::string_view name) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::filesystem::path> path(
      std::string_view name) const;
  [[nodiscard]] std::optional<TimeNs> time(std::string_view name) const;
  /// Empty where nothing was given.
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

  /// For records: an object, names in the order of the declaration.
  [[nodiscard]] const Json& json() const { return values_; }
  /// "pid=7, since=2026-11-23T00:00:00.000000Z"; "" if there are none.
  [[nodiscard]] std::string in_words() const;

 private:
  friend Arguments check_parameters(std::string_view owner,
                                    std::span<const Parameter> parameters,
                                    const Json& given, Spelling spelling,
                                    TimeNs now);
  Json values_ = Json::object();
};

/// `given` (an object; null values count as absent) as values of the declared
/// types, defaults filled in. Durations that stand for a time count back from
/// `now`.
/// @throws Error{bad_input}, "collector process: pid: expected a whole number
///         from 1 to 4194304, found \"banana\"", and for names that are not
///         declared, with the nearest one and all there are.
[[nodiscard]] Arguments check_parameters(std::string_view owner,
                                         std::span<const Parameter> parameters,
                                         const Json& given, Spelling spelling,
                                         TimeNs now);

/// One value. @throws Error{bad_input}, "expected …, found …".
[[nodiscard]] Json convert_value(const Parameter& parameter, const Json& given,
                                 Spelling spelling, TimeNs now);

/// A value that fits, for trying a playbook out.
[[nodiscard]] Json sample_value(const Parameter& parameter);

[[nodiscard]] std::vector<std::string> names_of(
    std::span<const Parameter> parameters);

}  // namespace impound
