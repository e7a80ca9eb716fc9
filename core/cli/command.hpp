// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the command files share: global options, output, the chosen act.

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/base/progress.hpp"
#include "core/casefile/case_file.hpp"
#include "core/cli/command_tree.hpp"
#include "core/cli/exit_code.hpp"
#include "core/engine/session.hpp"

namespace impound {

/// Options that stand on every command.
struct Globals {
  bool json = false;
  bool quiet = false;
  std::string case_name;
  std::string color = "auto";  ///< a word of color_choice_from()
  std::filesystem::path key_file;
  std::filesystem::path passphrase_file;
  SystemClock clock;
  Cancellation* cancellation = nullptr;  ///< set by main, never null later
};

/// The work that a parsed command line stands for; set by one callback.
using Run = std::function<ExitCode()>;

/// Results go to stdout, everything else to stderr. With --json, stdout carries
/// one document and text for people goes to stderr.
void print_text(const Globals& globals, std::string_view text);
void print_json(const Json& document);
/// A sentence on the way, silent under --quiet.
void print_note(const Globals& globals, std::string_view sentence);

/// The progress listener that fits: a terminal line, plain lines, JSON lines
/// (where `stream_events`), or nothing.
enum class Events : bool { no, stream };
[[nodiscard]] std::unique_ptr<Progress> make_progress(const Globals& globals,
                                                      Events events);

/// A case opened for acting, with everything a Session refers to.
class OpenCase {
 public:
  /// @throws Error if there is no case, no examiner, or no key.
  OpenCase(const Globals& globals, Events events = Events::no);

  [[nodiscard]] CaseFile& file() { return case_file_; }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] Progress& progress() { return *progress_; }

 private:
  Examiner examiner_;
  CaseFile case_file_;
  std::unique_ptr<Progress> progress_;
  std::optional<Session> session_;
};

/// The case, for reading only; needs no key.
[[nodiscard]] CaseFile open_case_to_read(const Globals& globals);

/// The examiner of the global options.
[[nodiscard]] Examiner examiner_for(const Globals& globals);

/// Of a check: 4 if anything is wrong, 1 if nothing is and nobody signed it.
[[nodiscard]] ExitCode exit_code_of(bool is_right, bool is_unsigned);

/// Adds every command there is: the one list of them.
void add_commands(CLI::App& app, Globals& globals, Run& run);

// One per cmd_<name>.cpp; add_commands() calls them.
void add_examiner(CLI::App& app, Globals& globals, Run& run);
void add_case(CLI::App& app, Globals& globals, Run& run);
void add_signer(CLI::App& case_group, Globals& globals, Run& run);
void add_status(CLI::App& app, Globals& globals, Run& run);
void add_deployment(CLI::App& app, Globals& globals, Run& run);
void add_playbook(CLI::App& app, Globals& globals, Run& run);
void add_run(CLI::App& app, Globals& globals, Run& run);
void add_collect(CLI::App& app, Globals& globals, Run& run);
void add_contain(CLI::App& app, Globals& globals, Run& run);
void add_baseline(CLI::App& app, Globals& globals, Run& run);
void add_diff(CLI::App& app, Globals& globals, Run& run);
void add_scan(CLI::App& app, Globals& globals, Run& run);
void add_signature(CLI::App& app, Globals& globals, Run& run);
void add_gguf_hash(CLI::App& app, Globals& globals, Run& run);
void add_verify(CLI::App& app, Globals& globals, Run& run);
void add_exhibit(CLI::App& app, Globals& globals, Run& run);
void add_custody(CLI::App& app, Globals& globals, Run& run);
void add_doctor(CLI::App& app, Globals& globals, Run& run);
void add_completion(CLI::App& app, Globals& globals, Run& run);
void add_help(CLI::App& app, Globals& globals, Run& run);

}  // namespace impound
