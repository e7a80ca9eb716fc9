// SPDX-License-Identifier: Apache-2.0
#pragma once
/// C2SP signed notes (c2sp.org/signed-note) and the checkpoints in them: a head
/// of the custody chain that may leave the machine.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/crypto/digest.hpp"
#include "core/crypto/signature.hpp"

namespace impound {

/// Bytes of a note and its signature lines that are still read; a cosigned head
/// has some hundred. More is refused with Error{limit}.
inline constexpr std::size_t kMaxNoteSize = 64 * 1024;
inline constexpr std::size_t kMaxNoteSignatures = 64;

using NoteKeyId = std::array<std::byte, 4>;

struct NoteSignature {
  std::string name;
  NoteKeyId key_id{};
  Bytes signature;  ///< what follows the key id; 64 bytes for Ed25519
};

struct SignedNote {
  std::string text;  ///< signed bytes, ends with LF
  std::vector<NoteSignature> signatures;
};

/// The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key).
[[nodiscard]] NoteKeyId note_key_id(std::string_view name,
                                    const PublicKey& key);

/// Not empty, UTF-8, neither blanks nor controls nor '+'.
[[nodiscard]] bool is_note_name(std::string_view name) noexcept;

/// `text`, an empty line, and one signature line under `name`.
/// @throws Error{bad_input} if `name` is no note name or `text` no note text.
[[nodiscard]] std::string sign_note(std::string_view text,
                                    std::string_view name,
                                    const SigningKey& key);

/// Reads text and signatures; judges no signature.
/// @throws Error{malformed} naming `source` and the line, Error{limit}.
[[nodiscard]] SignedNote parse_note(std::string_view note,
                                    std::string_view source);

/// True if one signature line of `note` is `key`'s under `name`.
[[nodiscard]] bool verify_note(const SignedNote& note, std::string_view name,
                               const PublicKey& key);

/// The four lines of a head: SCHEMA.md.
struct Checkpoint {
  std::string origin;      ///< "<org>/<case>"
  std::uint64_t size = 0;  ///< entries
  Digest root;             ///< RFC 6962, over the lines without LF
  Digest chain;            ///< SHA-256 of the last line with LF

  [[nodiscard]] std::string text() const;
};

/// @throws Error{malformed} naming `source` and the line.
[[nodiscard]] Checkpoint parse_checkpoint(std::string_view text,
                                          std::string_view source);

}  // namespace impound
