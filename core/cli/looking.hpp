// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A case opened to look at its evidence.
///
/// Looking is recorded where it can be. From write-protected media, in an
/// export, in a closed case or without a key it cannot be: the result is given
/// all the same, and says that it stands in no record.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/cli/command.hpp"

namespace impound {

/// Whether a result became an entry of the case, and why not.
struct LookRecord {
  enum class State : std::uint8_t {
    not_asked,  ///< things on disk, no case
    recorded,
    impossible,  ///< known before anything was done
    failed,      ///< tried, with the result in hand
  };
  State state = State::not_asked;
  std::string case_id;
  std::string why;

  [[nodiscard]] bool is_missing() const {
    return state == State::impossible || state == State::failed;
  }
  /// A record was wanted and could not be written: not all was done.
  [[nodiscard]] bool has_failed() const { return state == State::failed; }

  /// Adds "recorded" and "not_recorded", unless there is no case.
  void add_to(Json& document) const;
  /// "NOT RECORDED in case IR-1: the case is closed since …\n"; else "".
  [[nodiscard]] std::string in_words() const;
};

class Looking {
 public:
  /// Whether a closed case takes the entries of this look.
  enum class AfterClose : bool { refused, allowed };

  /// Needs no key and no right to write.
  /// @throws Error if there is no case, or there is a key that cannot be used:
  ///         a wrong passphrase is not taken for nobody.
  Looking(const Globals& globals, AfterClose after_close);

  [[nodiscard]] const CaseFile& file();
  [[nodiscard]] Progress& progress() { return *progress_; }
  /// Why nothing of this will be recorded; "" if it will.
  [[nodiscard]] const std::string& why_not() const { return why_not_; }

  /// Runs `write` if anything can be recorded. What was computed is shown
  /// whatever becomes of its record: an hour's work is not lost to a full disk.
  [[nodiscard]] LookRecord record(const std::function<void(Session&)>& write);
  /// The same, where nothing is shown that could have been recorded and was
  /// not.
  /// @throws what `write` throws.
  [[nodiscard]] LookRecord record_first(
      const std::function<void(Session&)>& write);

 private:
  std::optional<OpenCase> acting_;
  std::optional<CaseFile> reading_;
  std::unique_ptr<Progress> progress_;
  std::string why_not_;
};

}  // namespace impound
