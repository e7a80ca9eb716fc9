// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is held out of service on this machine, and for which case.
///
/// A case file knows its own containments only. Two examiners, or one with two
/// cases, would contain the same processes twice, and the release of the second
/// case would wake what the first still holds. So each containment leaves one
/// small file outside the cases, named by the id of its intent entry, that any
/// later process can find, together with all that undoing needs.
///
/// The file is a hint and never the proof: it is written after the intent entry
/// and before the act, and removed after the undo, so a crash may leave one for
/// a thing that runs. Whoever reads it measures before believing it. The other
/// way round, a thing that stands still without a file is found by the name of
/// its control group (containment/process.cpp).
///
/// Lies in /run for root, which a restart of the machine empties as it ends
/// every freeze; the boot is recorded all the same.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/base/progress.hpp"

namespace impound {

/// One containment, as its file tells it.
struct Hold {
  std::string intent;   ///< id of the isolate.apply entry, phase before
  std::string case_id;  ///< whose
  fs::path case_folder;
  std::string deployment;
  std::string method;
  std::string since;  ///< of the intent entry
  std::string by;     ///< the examiner's name
  std::string boot_id;
  Json before;  ///< what undo() needs
  Json target;  ///< deployment_to_json()
  /// What is held, as Containment::things() names it.
  std::vector<std::string> things;

  [[nodiscard]] Json to_json() const;
  /// {"case","folder","deployment","since","by"} for entries and answers.
  [[nodiscard]] Json summary() const;
  /// "case IR-1 (/home/a/cases/IR-1), contained as small by Ada Example since
  /// …, as its mark on this machine says".
  [[nodiscard]] std::string in_words() const;
};

/// @throws Error{malformed} naming `source`.
[[nodiscard]] Hold hold_from_json(const Json& json, const std::string& source);

/// The files of this machine that could be read.
struct HoldList {
  std::vector<Hold> holds;            ///< by name of the file
  std::vector<std::string> problems;  ///< what could not be read, and why
};
[[nodiscard]] HoldList list_holds(const fs::path& folder);

/// Whether two containments are about the same thing.
[[nodiscard]] bool share_a_thing(const std::vector<std::string>& a,
                                 const std::vector<std::string>& b);

/// Held while something is taken out of service or given back, so that no two
/// processes do so at once; given up by the kernel when this process ends.
class HoldRegister {
 public:
  /// Waits up to a minute for another process. Where the folder cannot be made
  /// or locked, problem() says so and the register is empty: an emergency must
  /// not wait for a folder.
  /// @throws Error{io} if another process keeps it, or was cancelled.
  HoldRegister(fs::path folder, const Cancellation& cancellation);

  [[nodiscard]] HoldList list() const;
  /// False, with problem() set, if it could not be written.
  [[nodiscard]] bool add(const Hold& hold);
  void remove(const std::string& intent) noexcept;
  /// Why others may not learn of what is done under this lock; "" if they do.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  fs::path folder_;
  UniqueFd lock_;
  std::string problem_;
};

}  // namespace impound
