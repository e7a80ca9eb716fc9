// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Who a run speaks to while it goes on: it is told what happens, opens the
/// case when it is needed, and asks a person who is there.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/progress.hpp"
#include "core/engine/questions.hpp"
#include "core/engine/session.hpp"

namespace impound {

/// How a question to a person ended.
enum class AskedHow : std::uint8_t {
  answered,
  defaulted,    ///< Enter took the default
  interrupted,  ///< Ctrl-C, or the program was told to end
  ended,        ///< the input ended, Ctrl-D
};

struct TerminalAnswer {
  AskedHow how = AskedHow::ended;
  std::string text;
};

class RunListener {
 public:
  RunListener() = default;
  RunListener(const RunListener&) = delete;
  RunListener& operator=(const RunListener&) = delete;
  virtual ~RunListener() = default;

  /// A sentence on the way.
  virtual void say(std::string_view sentence) = 0;

  /// The case, opened for acting; the same at each call. Asked for only when
  /// all was looked at that can be refused without it: to open it may ask for a
  /// passphrase.
  /// @throws Error if there is no case, no examiner, or no key.
  [[nodiscard]] virtual Session& session() = 0;

  /// Asks until the answer is admitted, the default is taken, or the person
  /// goes; empty where nobody is there who could be asked.
  [[nodiscard]] virtual std::optional<TerminalAnswer> ask(
      const Question& question, const Cancellation& cancellation) = 0;
};

}  // namespace impound
