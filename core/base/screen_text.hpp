// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a terminal obeys instead of showing, made visible.
///
/// printable() of text.hpp is for one value: it escapes the backslash as well,
/// so that what was meant can be told from what was escaped. The functions here
/// are for whole text on its way out, that holds such values already: they
/// leave the backslash alone, and so change nothing that is harmless. They are
/// what stands behind the output door (core/cli/standard_output.hpp), where a
/// value that nobody thought of escaping comes by.

#include <cstdint>
#include <string>
#include <string_view>

namespace impound {

/// C0, DEL and C1: what a terminal takes for a command.
[[nodiscard]] bool is_control_character(std::uint32_t c) noexcept;

/// Characters that change how their neighbours are shown, or show nothing:
/// bidirectional controls, zero-width and invisible characters, variation
/// selectors, tags.
[[nodiscard]] bool is_deceptive_character(std::uint32_t c) noexcept;

/// Lines of text: LF and TAB stay, every other control character and every byte
/// that is no UTF-8 becomes \xNN, every deceptive character \u{…}.
[[nodiscard]] std::string screen_text(std::string_view text);

/// As screen_text(), in one line: LF becomes \x0a, TAB \x09.
[[nodiscard]] std::string screen_line(std::string_view text);

/// A JSON document that means the same: control and deceptive characters inside
/// its strings become \uNNNN. Outside of strings JSON has none but blanks.
[[nodiscard]] std::string screen_json(std::string_view document);

}  // namespace impound
