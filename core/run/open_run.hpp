// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What people do to a run that waits: answer its question, or end it.

#include <string>

#include "core/engine/session.hpp"

namespace impound {

/// @throws Error{bad_input} unless the case has this run and it may go on.
void require_open_run(const CaseFile& case_file, const std::string& run);

/// Records an answer to a question of the run, which takes it up when it is
/// resumed. Of several open questions of that id the newest is meant.
/// @throws Error{bad_input} if it may not go on, waits for no answer to such a
///         question, or the answer is none of its choices.
void answer_question(Session& session, const std::string& run,
                     const std::string& question, const std::string& text);

/// Ends a run that shall not go on. What it took, and what it contained, stays.
/// @throws Error{bad_input} if it may not go on, or another process runs it.
void abort_run(Session& session, const std::string& run,
               const std::string& reason);

}  // namespace impound
