// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The one door to stdout and stderr: nothing that a terminal would obey goes
/// through, and what could not be written is known at the end.
///
/// Nearly everything that is printed holds words of others: names of files and
/// of keys, text of a playbook, lines of a case file that came by mail. A
/// terminal obeys such words (ESC moves the cursor and rewrites what is shown,
/// a bidirectional override turns it around), and a list of the places that
/// print them is never whole. So every text for people is escaped here, once,
/// and commands hand it over as it is. What the program itself has to say to a
/// terminal, the progress line, is a function of the door and no string. The
/// one exception by name is write_stdout_bytes(), for `exhibit cat`. No other
/// file of the program names stdout or stderr: a test over the sources holds
/// that.
///
/// A result that never reached the disk is no result, and a script that reads
/// exit code 0 would take the empty file for one. So every command's output
/// goes through write_stdout(), which remembers the first failure, and main()
/// asks finish_stdout() before it returns. A reader that went away (a pipe into
/// `head`) is no failure to talk about; it must not end an acquisition either,
/// so SIGPIPE is ignored while the command works.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace impound {

/// Opens what is missing of the descriptors 0 to 2, in the wrong direction, so
/// that using them fails: without this the first file that a command opens,
/// case.db say, would be what the command prints into.
void reserve_standard_descriptors();

/// Writes text for people and flushes, with screen_text(): `text` ends where a
/// character ends. A failure is remembered for finish_stdout().
void write_stdout(std::string_view text);

/// Whether severities, verdicts and levels are painted (paint.hpp) by
/// write_stdout(). `automatic`, and before it is chosen: on a terminal, unless
/// $NO_COLOR is set and not empty (no-color.org) or $TERM is "dumb".
enum class ColorChoice : std::uint8_t { automatic, always, never };
void choose_color(ColorChoice choice);
/// "auto", "always", "never".
[[nodiscard]] std::optional<ColorChoice> color_choice_from(
    std::string_view name) noexcept;

/// As write_stdout(), for a JSON document, which keeps its meaning.
void write_stdout_json(std::string_view document);

/// Bytes of evidence as they are: the caller asked for them. Who shows them on
/// a terminal lets them do there what they like.
void write_stdout_bytes(std::string_view bytes);

/// As write_stdout(), on stderr. Nobody is told if that fails.
void write_stderr(std::string_view text);

/// An error for people: `impound: MESSAGE`, the name of the program only once
/// where the message begins with it. Further lines of the message are indented,
/// so that none of them can pass for a line of its own.
void write_error(std::string_view message);

/// Draws over the progress line of the terminal behind stderr, cut to its
/// width.
void draw_progress_line(std::string_view line);
/// Wipes what draw_progress_line() drew.
void wipe_progress_line();

[[nodiscard]] bool is_stderr_a_terminal();

/// Columns for help: those of the terminal behind stdout, at least 40 and at
/// most 80; 80 where there is none.
[[nodiscard]] std::size_t help_width();

/// Columns that a table must fit; empty where stdout is no terminal: a program
/// or a file takes lines of any length.
[[nodiscard]] std::optional<std::size_t> table_width();

/// True once something could not be written: there is no use in going on.
[[nodiscard]] bool has_stdout_failed();

/// Flushes what others printed.
/// @return 0, or the errno of the first write that failed.
[[nodiscard]] int finish_stdout();

}  // namespace impound
