// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a call of a guarded name does with its arguments.
///
/// judge_call() is asked for every call as it happens, so that a file may hold
/// as many as it likes: most are decided by where their parts stand. For the
/// others the machine renders the call as Python would write it, and this reads
/// that text again, as tokens. It may be cut ("…"): what cannot be seen is not
/// vouched for. A name that holds more than letters cannot be imported, so that
/// no text of an attacker passes for a bracket or a comma.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/pickle/pickle.hpp"
#include "core/formats/problem.hpp"
#include "core/scan/pickle_lists.hpp"

namespace impound {

/// A part of a rendered call.
struct RenderedToken {
  enum class Kind : std::uint8_t {
    name,      ///< "os.system", "None"
    text,      ///< the inside of '…', escapes as they stand
    bytes,     ///< the inside of b'…'
    number,    ///< "1.5"
    mark,      ///< one of ( ) [ ] { } , : *
    cut,       ///< "…" or "<?>": something that is not shown
    cut_text,  ///< "…" behind a text or bytes: their end is not shown
  };
  Kind kind = Kind::mark;
  std::string_view text;

  [[nodiscard]] bool is_mark(char mark) const {
    return kind == Kind::mark && text.front() == mark;
  }
};

/// The parts of `rendering`; views into it.
[[nodiscard]] std::vector<RenderedToken> rendered_tokens(
    std::string_view rendering);

/// Why a call is not vouched for.
struct CallDoubt {
  Severity severity = Severity::medium;
  std::string reason;  ///< "the constructor evaluates 'activation' as code"
};

/// What is wrong with a call of the names in `row`; empty if it is harmless.
[[nodiscard]] std::optional<CallDoubt> doubt_call(const GuardedNames& row,
                                                  PickleCall::How how,
                                                  std::string_view rendering);

/// What a call of a name that is not allowed does. Harmless are, beside what no
/// guard doubts,
///   * getattr() of a plain value and a plain attribute: what pickles of bound
///     methods ([].append) hold;
///   * items that are added to an object of a guarded class;
///   * a call of what getattr() gave, where that is a method on the list:
///     ZoneInfo._unpickle('Europe/Berlin', True).
[[nodiscard]] CallClass judge_call(const PickleHeap& heap,
                                   const PickleCallParts& parts,
                                   std::string_view rendering);

}  // namespace impound
