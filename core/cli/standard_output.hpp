// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one door to stdout: what could not be written is known at the end.
///
/// A result that never reached the disk is no result, and a script that reads
/// exit code 0 would take the empty file for one. So every command's output
/// goes through write_stdout(), which remembers the first failure, and main()
/// asks finish_stdout() before it returns. A reader that went away (a pipe into
/// `head`) is no failure to talk about; it must not end an acquisition either,
/// so SIGPIPE is ignored while the command works.

#include <string_view>

namespace impound {

/// Opens what is missing of the descriptors 0 to 2, in the wrong direction, so
/// that using them fails: without this the first file that a command opens,
/// case.db say, would be what the command prints into.
void reserve_standard_descriptors();

/// Writes and flushes. A failure is remembered for finish_stdout().
void write_stdout(std::string_view text);

/// True once something could not be written: there is no use in going on.
[[nodiscard]] bool has_stdout_failed();

/// Flushes what others printed.
/// @return 0, or the errno of the first write that failed.
[[nodiscard]] int finish_stdout();

}  // namespace impound
